//! Keeps declared instances registered in ZooKeeper, whatever happens.
//!
//! A registration is a desired state, not a call: a task of its own, the *keeper*, compares what should
//! be with what is whenever that could have changed (a new session, a reconnect, a watch, an audit twice a
//! minute) and mends the difference. [`Registration::status`] tells the truth about it at any time.
//!
//! # What it promises
//! * The znode is EPHEMERAL, owned by the program's one session, under its own name: `root/host:port`.
//! * A reconnect inside the session writes nothing. After an expiry the znode is created anew.
//! * A stale znode of the same owner (see below) is taken over in one transaction: no reader ever finds
//!   the name missing, and the znode does not vanish when its old session does.
//! * A znode of anybody else is never touched. The status is [`Status::Conflict`], with the holder; the
//!   name is taken when it falls free. Two rivals never fight.
//! * Deleted by hand, the znode is back at once, parents included; by the audit if the watch was lost.
//! * Lost replies are resolved by looking. Deregistered stays deregistered.
//! * Weight and tags can be changed in place, and survive every re-registration.
//!
//! # Whose is a znode that is there already?
//! It is ours if this [`Registrar`] wrote it (it bears our incarnation). It is a stale one of ours if it
//! was written on the same boot of the same host, in the same network namespace, for the same bound
//! address, **and** the caller vouches, by [`Socket::Held`], that it holds that listening socket now: then
//! its writer cannot be alive. That counts only until this registrar has held the name once.
//!
//! # What it does not
//! * Check the health of the service: bind, listen and accept before you register, and deregister first
//!   when you stop.
//! * Close one window that ZooKeeper leaves open: a stranger's znode that replaces the stale one between
//!   our look and our transaction (both at version 0) is replaced. It finds out by its own watch.
//!
//! # Example
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use std::time::Duration;
//! use instance::Instance;
//! use registry::{Config, Registrar, Socket};
//! use zk_core::{ZnodePath, Zk};
//!
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:8897").await?;
//! let bound = listener.local_addr()?;
//!
//! let zk = Zk::start(zk_core::Config::new("127.0.0.1:2181")?);
//! let registrar = Registrar::new(zk.clone(), Config::new(ZnodePath::parse("/go_servers")?));
//! let registration = registrar.register(Instance::new(bound.try_into()?), Socket::Held(bound))?;
//! registration.registered().await?;
//!
//! // ... serve ...
//!
//! registration.deregister(Duration::from_secs(2)).await?;
//! zk.close(Duration::from_secs(2)).await?;
//! # Ok(())
//! # }
//! ```

mod bell;
mod census;
mod config;
mod decide;
mod error;
mod journal;
mod keeper;
mod lookout;
mod process;
mod registrar;
mod registration;
mod status;
mod together;

pub use config::{Config, ConfigError};
pub use error::{DeregisterError, RegisterError};
pub use registrar::{Registrar, Socket};
pub use registration::Registration;
pub use status::{Holder, Status, Trouble, TroubleKind};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
