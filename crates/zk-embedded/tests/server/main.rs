//! The socket server as its clients see it.

mod backpressure;
mod faults;
mod four_letter;
mod malformed;
mod max_frame;
#[cfg(feature = "program")]
mod program;
mod serving;
#[cfg(feature = "program")]
mod stopping;
mod versions;
mod wire;
