//! Discovers daytime servers in ZooKeeper, asks them for the time, lists and watches them.
//!
//! A thin program over the crates `discovery` and `balance`. It asks round after round, lists, watches, and, as a
//! doctor, says step by step what can be reached and what to look at where that ends. SIGUSR1 is the operator's word
//! that what a mass disappearance took is gone. [`main`] is the program.

mod ask;
mod cli;
mod connect;
mod doctor;
mod error;
mod link;
mod list;
mod metrics;
mod output;
mod release;
mod watch;

pub use cli::main;
pub use error::Error;
