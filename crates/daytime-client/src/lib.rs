//! The program `daytime-client`: finds daytime servers in ZooKeeper and asks them for the time, lists them, watches them,
//! and checks step by step why they cannot be reached. [`main`] is the whole program; `src/main.rs` only calls it.
//!
//! ```no_run
//! fn main() -> std::process::ExitCode {
//!     daytime_client::main()
//! }
//! ```
//!
//! The program is thin; the crate `zk-roster`, and below it `discovery` and `balance`, do the work. SIGUSR1 releases the instances that discovery
//! holds after a mass disappearance.

mod ask;
mod cli;
mod connect;
mod doctor;
mod error;
mod link;
mod list;
mod metrics;
mod output;
mod sigusr1;
mod watch;

pub use cli::main;
pub use error::Error;
