//! The socket server as its clients see it.

mod backpressure;
mod faults;
mod limit;
mod malformed;
#[cfg(feature = "program")]
mod program;
mod serving;
#[cfg(feature = "program")]
mod stopping;
mod versions;
mod wire;
mod words;
