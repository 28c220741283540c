//! A small client to observe and to disturb. It shares the codec `zk-wire` with `zk-embedded` and `zk_core::probe`, whose
//! bytes are tested against Apache's client and server, and nothing else with the client under test.
//!
//! A [`Client`] is one session on one TCP connection. It never reconnects: when the connection ends, for whatever reason,
//! [`Client::closed`] returns, and every call fails from then on. Pings keep the session alive meanwhile.

mod client;
mod connection;
mod error;
mod multi;
mod types;

pub use client::Client;
pub use error::Error;
pub use multi::MultiOp;
pub use types::{CreateMode, WatchMode};
pub use zk_wire::{Acl, EventKind, MultiResult, Stat, WatchEvent as Event, permission};
