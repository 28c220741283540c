//! One supervised link to a ZooKeeper ensemble that outlives any single ZooKeeper session.
//!
//! A ZooKeeper client is one session: once that has expired, everything built on it is gone, and most
//! programs never come back. [`Zk`] keeps a link up for as long as the program lives. It attaches to its
//! session again after every outage for as long as the ensemble holds it, begins a new one when it does
//! not, and publishes a [`State`] from which the layers above (registrations, watched views) see what to
//! check and what to rebuild. Starting before ZooKeeper does is normal.
//!
//! ```text
//!             granted                 link down              down for longer than
//!   Lost ───────────────▶ Connected ─────────────▶ Suspended ──────────────────────▶ Lost
//!  (epoch 0)               ▲     ▲                     │      the session timeout      │
//!                          │     └─────────────────────┘                               │
//!                          │        attached again: reconnects + 1                     │
//!                          └───────────────────────────────────────────────────────────┘
//!                  attached again (same epoch), or a new session (epoch + 1)
//!
//!   close(), from anywhere ──▶ Closed
//! ```
//!
//! # What it promises
//! * One session per [`Zk`], however many registrations and watches share it.
//! * The ensemble may be away for any time: what it still holds when it returns is kept, so an outage
//!   flaps nothing. Attempts are never further apart than a second or a third of the session timeout.
//! * A slow ensemble keeps the link as long as a round trip takes less than 7/20 of the session timeout
//!   (and less than 2.5 s, as a session takes two of them to begin): a server that is silent for 2/5 of
//!   the session timeout is given up for another one, and pings go out at least every 1/5 of it.
//! * [`State`] makes sense alone; its counters miss no reconnect.
//! * Every verb has a deadline, and an [`Error`] says what the caller may count on:
//!   [`NotDone`](Outcome::NotDone), [`Unknown`](Outcome::Unknown), [`SessionOver`](Outcome::SessionOver).
//! * Verbs belong to one [`Connection`]. They take effect in the order of their calls, never wait in a
//!   queue for a later connection, and end with it.
//! * [`Zk::close`] is awaited: afterwards the ephemeral znodes are gone, or it says that they linger.
//!
//! # What it does not
//! * Locks, elections, sequential znodes, transactions at large: it has the verbs that registration and
//!   discovery need.
//! * TLS and SASL; reading from read-only servers; servers before 3.6 for recursive watches.
//!
//! # Example
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use std::time::Duration;
//! use zk_core::{Config, ZnodePath, Zk};
//!
//! let zk = Zk::start(Config::new("127.0.0.1:2181")?);
//! let connection = zk.connected().await?;
//! println!("session {} of epoch {}", connection.session().id, connection.epoch());
//! let (children, _stat) = connection.children(&ZnodePath::root()).await?;
//! println!("{children:?}");
//! zk.close(Duration::from_secs(2)).await?;
//! # Ok(())
//! # }
//! ```

mod backoff;
mod config;
mod connection;
mod error;
pub mod link;
mod path;
mod state;
mod supervisor;
mod watch;
mod zk;

pub use backoff::Backoff;
pub use config::{Auth, Config, ConfigError, Host};
pub use connection::{Connection, MAX_DATA};
pub use error::{Error, ErrorKind, Outcome};
pub use link::{Acl, ConnectError, CreateMode, Event, EventKind, Stat, Zxid};
pub use path::{PathError, ZnodePath};
pub use state::{CloseReason, Lingering, Phase, Session, SessionId, State};
pub use watch::{ExistsWatch, WatchStream};
pub use zk::{Closed, States, Zk};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
