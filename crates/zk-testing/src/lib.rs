//! Runs Apache ZooKeeper for tests: servers, ensembles, forced expiry, a frame-aware proxy.
//!
//! # What it is for
//!
//! Tests that claim something about ZooKeeper should meet the real one, and its faults: a server killed, frozen or wiped,
//! an ensemble without its leader, a session that expires, a reply that is lost after the write was done. This crate makes
//! each of these one line, in milliseconds where ZooKeeper allows.
//!
//! - [`Server`]: one ZooKeeper process that can be killed, paused, stopped, started again, wiped.
//! - [`Ensemble`]: several of them with a leader, and with observers or a read-only mode if need be.
//! - [`ServerBuilder::sasl`] and [`ServerBuilder::tls`]: servers that want to know who is there; [`tls`] makes certificates.
//! - [`expire_session`]: ends anybody's session on the server, for real.
//! - [`proxy::Proxy`]: a link that can be cut, refused, hung or slowed, or fail at one chosen message.
//! - [`raw::Client`]: a small client of its own, as an independent observer.
//!
//! # What it promises
//!
//! - No process is left behind: a server dies with its value, and with the test process, even if that is killed by SIGKILL.
//! - Tests do not disturb each other: each server has its own port and data folder, among parallel tests and processes.
//! - What returns has happened: a killed server is gone, a paused one stands still, a cut connection is closed.
//! - No wait is endless: starting takes at most 30 s, and fails with the end of the server's log.
//!
//! # What it does not
//!
//! It is no client for programs: [`raw::Client`] neither reconnects nor retries. It runs on Unix, wants a POSIX `sh`, Java,
//! and ZooKeeper 3.5 or newer as [`Installation::find`] looks for them, and was tested with Debian's 3.8 on Linux; 3.4.14
//! runs by [`ServerBuilder::old`]. Where these may be missing, begin a test with [`require`] or [`require_old`]. It is not for servers that outlive a test or leave the machine.
//!
//! # Show me
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
#![cfg(unix)]

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

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

pub use ensemble::{Ensemble, EnsembleBuilder};
pub use four_letter::four_letter_word;
pub use installation::{Installation, MissingZooKeeper, require, require_old, skipped};
pub use server::{Server, ServerBuilder, ServerError, StartError};
pub use session::{expire_session, session_password};
pub use wait::{SESSION, SOON, eventually, holds_within};
