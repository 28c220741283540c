//! What the programs of this project do alike: the log, the runtime, and the signals that ask to stop.
//!
//! # What it promises
//!
//! - [`log::init`]: a `RUST_LOG` that is set but empty is unset; what is wrong in it is told, and the rest is used.
//! - [`runtime()`]: where file descriptors are short there is an error, and no panic.
//! - [`Signals`]: every way in which systems ask a program to stop is heard; what was ignored when the program started
//!   stays ignored; signals within a second of the first are the same stop.
//!
//! # What it does not
//!
//! It is for programs: a library neither installs a log nor takes signals over. It needs Unix, and a `/proc` as Linux
//! has it to see what was ignored.

pub mod log;
mod runtime;
mod signals;

pub use nix::sys::signal::Signal;
pub use runtime::runtime;
pub use signals::{SAME_STOP, Signals};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
