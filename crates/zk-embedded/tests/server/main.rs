//! The socket server as its clients see it.

mod backpressure;
mod faults;
mod limit;
mod malformed;
mod program;
mod serving;
mod stopping;
mod versions;
mod wire;
mod words;
