//! Runs Apache ZooKeeper for tests: servers, ensembles, forced expiry, a frame-aware proxy. Each fault of a real server is
//! one line here, and takes milliseconds where ZooKeeper allows.
//!
//! ```
//! use std::time::Duration;
//! use zk_testing::raw::{Client, CreateMode};
//! use zk_testing::{Server, expire_session};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let Some(_) = zk_testing::require() else { return Ok(()) };
//! let mut server = Server::start().await?;
//! let owner = Client::connect(server.addr(), Duration::from_secs(2)).await?;
//! owner.create("/here", b"", CreateMode::Ephemeral).await?;
//!
//! server.kill().await;
//! server.start_again().await?;
//! let observer = Client::connect(server.addr(), Duration::from_secs(2)).await?;
//! assert!(observer.exists("/here").await?.is_some(), "an outage does not end a session");
//!
//! expire_session(server.addr(), owner.session_id()).await?;
//! assert!(observer.exists("/here").await?.is_none());
//! # Ok(())
//! # }
//! ```
//!
//! - [`Server`]: one ZooKeeper process that can be killed, paused, stopped, started again, wiped.
//! - [`Ensemble`]: several of them with a leader, and with observers or a read-only mode.
//! - [`ServerBuilder::sasl`], [`ServerBuilder::tls`]: servers that authenticate clients; [`tls`] issues certificates.
//! - [`expire_session`]: ends any session on the server, for real.
//! - [`proxy::Proxy`]: a proxy that can cut, refuse, hang or delay connections, or fail at one chosen message.
//! - [`raw::Client`]: a small client of its own, as an independent observer.
//! - [`eventually`], [`holds_within`]: wait for a condition.
//!
//! # Promises
//!
//! - No process is left behind: a server ends with its value, and with the test process, even if SIGKILL ends that.
//! - Tests do not disturb each other: each server has its own port and data folder, among parallel tests and processes.
//! - When a call returns, its effect is there: a killed server is gone, a paused one stands still, a cut connection is
//!   closed.
//! - No wait is endless: a start takes at most 30 s, and a failure has the end of the server's log.
//!
//! # Limits
//!
//! - [`raw::Client`] is no client for programs: it neither reconnects nor retries.
//! - Needs Unix with a POSIX `sh`, Java, and ZooKeeper 3.5 or newer where [`Installation::find`] looks; tested with Debian's
//!   3.8 on Linux. 3.4.14 runs by [`ServerBuilder::old`]. Where these may be missing, a test begins with [`require`] or
//!   [`require_old`].
//! - Not for servers that outlive a test or leave the machine.
#![cfg(unix)]

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod cancel;
mod ensemble;
mod four_letter;
mod frames;
mod installation;
mod ports;
mod process;
pub mod proxy;
pub mod raw;
mod server;
mod session;
pub mod tls;
mod wait;

pub use cancel::poll_at_most;
pub use ensemble::{Ensemble, EnsembleBuilder};
pub use four_letter::four_letter_word;
pub use installation::{Installation, MissingZooKeeper, require, require_old, skipped};
pub use server::{Server, ServerBuilder, ServerError, StartError};
pub use session::{expire_session, session_password};
pub use wait::{SESSION, SOON, eventually, holds_within};
