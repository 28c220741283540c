//! Discovers daytime servers in ZooKeeper, asks them for the time, lists and watches them.
//!
//! A thin program over the crates `discovery` and `balance`. [`main`] is the program.

mod ask;
mod cli;
mod connect;
mod doctor;
mod error;
mod figures;
mod link;
mod list;
mod output;
mod watch;

pub use cli::main;
pub use error::Error;
