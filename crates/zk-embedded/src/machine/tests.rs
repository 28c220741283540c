//! Claims about the machine as a whole, through what others can call.

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
