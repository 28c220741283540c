//! The harness of the fault matrix: the real programs as processes, an independent observer, checks.

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
pub use test_bed::{PROPAGATION, TICK, TestBed, free_port, free_ports};
pub use zk_testing::{SESSION, SOON};

/// The outcome of a row: what was violated, if anything.
pub type Verdict = Result<(), String>;

/// What this system says of an error. So a test knows which one a program was told, and leans on nobody's wording.
pub fn in_its_words(error: nix::errno::Errno) -> String {
    std::io::Error::from(error).to_string()
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
