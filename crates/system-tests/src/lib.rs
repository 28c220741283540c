//! The harness of the system tests: the real programs as processes, an independent observer of ZooKeeper, faults.

mod black_hole;
mod observer;
mod process;
mod requirements;
mod test_bed;
pub mod usage;

pub use black_hole::BlackHole;
pub use observer::{Node, Observer, Sighting};
pub use process::{Exit, Process, Programs};
pub use requirements::{heavy, namespaces, program, root, skipped, unshared};
pub use test_bed::{PROPAGATION, TICK, TestBed, all_of, free_port, free_ports, name, register_by_hand};
pub use zk_testing::{SESSION, SOON};

/// The outcome of a row: what was violated, if anything.
pub type Verdict = Result<(), String>;

/// This system's message for an error: a test that looks for it in a log does not depend on anybody's wording.
pub fn os_message(error: nix::errno::Errno) -> String {
    std::io::Error::from(error).to_string()
}

/// The programs as cargo has built them for the test program that calls this.
#[macro_export]
macro_rules! programs {
    () => {
        $crate::Programs {
            server: env!("CARGO_BIN_EXE_system-daytime-server").into(),
            client: env!("CARGO_BIN_EXE_system-daytime-client").into(),
            environment: vec![],
        }
    };
}

/// Ends a row with a violation unless the condition holds.
#[macro_export]
macro_rules! require_that {
    ($condition:expr, $($text:tt)+) => {
        if !$condition {
            return Err(format!($($text)+));
        }
    };
}

#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;

#[cfg(doctest)]
#[doc = include_str!("../../../docs/guide.md")]
struct Guide;
