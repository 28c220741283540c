//! Tests of the machine as a whole, through its public API.

mod access;
mod creates;
mod determinism;
mod errors;
mod lab;
mod multi;
mod ops;
mod random;
mod sessions;
mod stats;
mod watches;
