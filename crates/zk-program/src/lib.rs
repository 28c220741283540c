//! The log, the runtime and the stop signals of a program. `daytime-server`, `daytime-client` and `zk-embedded` share
//! this crate; a program of your own can use it, too.
//!
//! ```no_run
//! use zk_program::{Signal, Signals};
//!
//! fn main() -> std::io::Result<()> {
//!     zk_program::log::init("info");
//!     zk_program::runtime()?.block_on(async {
//!         let mut signals = Signals::install(&[Signal::SIGUSR1, Signal::SIGUSR2])?;
//!         println!("stopped by {}", signals.stop().await);
//!         Ok(())
//!     })
//! }
//! ```
//!
//! # Promises
//!
//! - [`log::init`]: an empty `RUST_LOG` counts as unset. An invalid directive in it is reported on standard error and left
//!   out; the other directives are used.
//! - [`runtime()`]: a shortage of file descriptors is an error, not a panic.
//! - [`Signals`]: every signal by which systems ask a program to stop is received. A signal that was ignored when the
//!   program started stays ignored. Signals within a second of the first are the same stop ([`SAME_STOP`]).
//!
//! # Limits
//!
//! The crate is for programs: a library neither installs a log nor takes signals over. It needs Unix, and Linux's `/proc`
//! to see which signals were ignored.

pub mod log;
mod runtime;
mod stop_signals;

pub use nix::sys::signal::Signal;
pub use runtime::runtime;
pub use stop_signals::{SAME_STOP, Signals};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
