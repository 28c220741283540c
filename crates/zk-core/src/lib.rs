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
//!   flaps nothing. Attempts go on for ever, never further apart than a second or a third of the session timeout,
//!   and at random moments: a fleet that lost the same server does not come back as one.
//! * A slow ensemble keeps the link as long as a round trip takes less than 7/20 of the session timeout
//!   (and less than 2.5 s, as a session takes two of them to begin): a server that is silent for 2/5 of
//!   the session timeout is given up for another one, and pings go out at least every 1/5 of it.
//! * [`State`] makes sense alone; its counters miss no reconnect.
//! * A program that blocks its runtime keeps its session: pings come from a thread of the link's own.
//! * Every verb has a deadline ([`Connection::operation_timeout`]), and an [`Error`] says what the caller may count on:
//!   [`NotDone`](Outcome::NotDone), [`Unknown`](Outcome::Unknown), [`SessionOver`](Outcome::SessionOver).
//! * Verbs belong to one [`Connection`]. They take effect in the order of their calls, never wait in a
//!   queue for a later connection, and end with it. An event is in its queue before the answer to a later verb.
//! * A take-over is one transaction: no reader finds the name missing, whatever the server answers.
//! * A watch ends, visibly, rather than fall silent: with its connection, or when it is not read.
//! * [`Zk::close`] is awaited: afterwards the ephemeral znodes are gone, or it says that they linger
//!   ([`Lingering`]), and that within the time given.
//! * Who we say we are is checked where a server can be asked (ZooKeeper 3.7 and later): one that lets us
//!   in without having authenticated us is [`ConnectError::NotAuthenticated`]. Every refusal says what is
//!   wrong, and is tried again: what is mended on the other side is noticed within a second.
//! * Host lists may hold dead, black-holed and unresolvable hosts; names are looked up for each attempt, and
//!   all their addresses are tried, the next one when one has not answered for 250 ms. The order is random, but
//!   that the server that failed last, also by falling silent, is tried last.
//!
//! * File descriptors: [`prepare`] makes what every link needs while there are some, 16 are kept back for the link
//!   ([`fd_reserve`]), and a server that respects that keeps its session when its callers have taken all others.
//! * A panic in the client crate costs a connection, not the link: it is told, and the session is attached to again.
//!
//! # Its limits
//! * **Round trips.** A server that is silent for 2/5 of the session timeout counts as lost: the time to the
//!   ensemble and back must stay well below that.
//! * **A server that stood still** for longer than the session timeout ends all sessions when it wakes up, and
//!   nobody can attach to them again: that is a new epoch.
//! * **Many verbs at once.** 1,024 of one [`Zk`] are on their way at a time. More wait for their turn, each within
//!   its own deadline; who gets none fails with [`ErrorKind::Busy`], and nothing was sent. Who has thousands to
//!   send keeps to a few hundred at a time, as the crate `registry` does, and meets neither.
//! * **Many watches.** A watch ends with its connection and nothing sets it again here, so a reconnect sends none,
//!   however many there were. They are not counted either: who has many sets one recursive watch in their place.
//! * **Servers before 3.6** know no recursive watches and no reads of several znodes:
//!   [`Connection::has_recursive_watches`] says so, and the one-shot verbs are there. They are found out when
//!   a session begins, at the price of a second connection. On them a take-over is a delete and a create
//!   sent together, and not one transaction; watches that are given up stay until they fire or the
//!   connection ends; and nobody can ask whom they take us for.
//! * **Servers that refuse recursive watches** (ZooKeeper's `WatchManagerOptimized` does): the first
//!   [`Connection::watch_recursive`] of a session fails, and from then on [`Connection::has_recursive_watches`] says no.
//!   All else is as with any other server of its version.
//! * **Observers** serve like any other member. **Read-only servers** (a member without a quorum, with
//!   `readonlymode.enabled`) are not used: they refuse us, as we do not ask to read only, and the next host is
//!   tried. The session outlives that, if the quorum is back before the ensemble ends it.
//! * **Wall clocks** do not matter: nothing here reads one.
//!
//! # The seam
//! All this stands on the traits of [`link`]; [`Zk::start_on`] takes another implementation, in virtual time
//! say. Threads and sockets are the business of the real one; above the seam nothing depends on them.
//!
//! # What it does not
//! * Locks, elections, sequential znodes, transactions at large: it has the verbs that registration and
//!   discovery need.
//! * Kerberos.
//!
//! # Cargo features
//! * `sasl`: `Config::with_sasl`, DIGEST-MD5.
//! * `tls`: `Config::with_tls`, rustls with aws-lc. A program with a rustls provider of its own installs it before
//!   [`Zk::start`].
//!
//! Both are off by default.
//!
//! # Metrics
//! Through the facade `metrics`, for whatever recorder the program installs before it starts a link:
//! `zk_session_state`, `zk_session_epoch`, `zk_session_timeout_seconds`, `zk_reconnects_total`,
//! `zk_connect_failures_total`, `zk_requests_total`, `zk_request_seconds`.
//!
//! # Example
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use std::time::Duration;
//! use zk_core::{Config, ZnodePath, Zk};
//!
//! let zk = Zk::start(Config::new("127.0.0.1:2181")?)?;
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
mod fd_reserve;
pub mod link;
mod metrics;
mod path;
mod probe;
mod state;
mod supervisor;
pub mod time;
mod watch;
mod zk;

pub use backoff::Backoff;
#[cfg(feature = "sasl")]
pub use config::Sasl;
#[cfg(feature = "tls")]
pub use config::Tls;
pub use config::{Auth, Config, ConfigError, Host, ServerVersion};
pub use connection::{Connection, MAX_DATA, MAX_READS};
pub use error::{Error, ErrorKind, Outcome};
pub use fd_reserve::{FdReserve, fd_reserve};
pub use link::apache::{StartError, prepare};
pub use link::{Acl, ConnectError, CreateMode, Event, EventKind, Identity, ListVersion, Reading, Stat, Zxid};
pub use path::{PathError, ZnodePath};
pub use probe::{Availability, Probe, ProbeError, probe};
pub use state::{CloseReason, Lingering, Phase, Session, SessionId, State};
pub use watch::{OneShot, WatchStream};
pub use zk::{Closed, States, Zk};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
