//! A link to a ZooKeeper ensemble that reconnects for as long as the program runs, and outlives any single session.
//! It publishes a [`State`] that tells registrations and watched views when to check and when to rebuild.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let server = zk_embedded::Server::start().await?;
//! # let hosts = &server.connect_string();
//! use std::time::Duration;
//! use zk_core::{Acl, Config, ZnodePath, Zk};
//!
//! let zk = Zk::start(Config::new(hosts)?)?; // "zk1:2181,zk2:2181,zk3:2181/app"
//! let connection = zk.connected().await?;
//! connection.create_ephemeral(&ZnodePath::parse("/here")?, b"", Acl::Open).await?;
//! zk.close(Duration::from_secs(2)).await?; // The session has ended, and "/here" is deleted.
//! # Ok(())
//! # }
//! ```
//!
//! ```text
//!             granted                 link down              down for longer than
//!   Lost ───────────────▶ Connected ─────────────▶ Suspended ──────────────────────▶ Lost
//!  (epoch 0)               ▲     ▲                     │      the session timeout      │
//!                          │     └─────────────────────┘                               │
//!                          │     session resumed: reconnects + 1                       │
//!                          └───────────────────────────────────────────────────────────┘
//!                  session resumed (same epoch), or a new session (epoch + 1)
//!
//!   close(), from anywhere ──▶ Closed
//! ```
//!
//! # Promises
//! * **Sessions.** A [`Zk`] has one session, which all its registrations and watches share. After an outage of any length
//!   it resumes the session if the ensemble still keeps it, so no znode flaps; otherwise it begins a new one. A link may
//!   start before ZooKeeper does.
//! * **Reconnects.** Attempts continue for ever, with full jitter, never further apart than 1 s or a third of the session
//!   timeout: clients that lost the same server reconnect at different moments. [`State`] is complete in itself, and its
//!   counters include every reconnect.
//! * **Hosts** may be dead, black-holed or unresolvable. Each attempt resolves the names and dials all addresses in random
//!   order, the server that failed or went silent last at the end; the next one after a refusal or 250 ms of silence.
//! * **Operations** belong to one [`Connection`], take effect in the order of their calls, never wait for a later
//!   connection, and end with theirs. Each has a deadline ([`Connection::operation_timeout`]), and an [`Error`] says what
//!   the caller may count on: [`NotDone`](Outcome::NotDone), [`Unknown`](Outcome::Unknown) or
//!   [`SessionOver`](Outcome::SessionOver). A take-over is one transaction: no reader finds the name missing, whatever
//!   the server replies.
//! * **Watches.** An event arrives before the reply to a later operation. A watch visibly ends, and never just goes
//!   silent: with its connection, or when it is not read.
//! * **Close.** [`Zk::close`] returns within its limit, when the ephemeral znodes are gone, or with [`Lingering`].
//! * **Authentication.** The link verifies that the server has recorded its identity (ZooKeeper 3.7 and later), else the
//!   attempt fails with [`ConnectError::NotAuthenticated`]. It reports the cause of every refusal and retries: a
//!   correction on the server takes effect within a second.
//! * **Isolation.** A blocked runtime keeps its session: pings come from a thread of the link. A panic in the client crate
//!   ends a connection, not the link: it is logged, and the session resumed. [`prepare`] allocates what every link needs
//!   while file descriptors are free, and [`fd_reserve`] keeps 16 back: a server that respects the reserve keeps its
//!   session when its callers have taken all others.
//!
//! # Limits
//! * **Round trips** must take less than 7/20 of the session timeout, and less than 2.5 s, as a session takes two of them
//!   to begin. A server that is silent for 2/5 of the session timeout counts as lost; pings go out at least every 1/5.
//! * **A server that stands still** for longer than the session timeout ends all sessions when it continues: nobody can
//!   resume them, and a new epoch begins.
//! * **1,024 operations** of one [`Zk`] may be in flight. Further ones wait for their turn, within their deadlines, or fail
//!   with [`ErrorKind::Busy`], and nothing was sent. A caller that has thousands keeps to a few hundred at a time, as the
//!   crate `registry` does, and meets neither.
//! * **Watches** are not set again after a reconnect, so a reconnect sends none, however many there were. They are not
//!   counted either: a caller with many sets one recursive watch instead.
//! * **Servers before 3.6** have no recursive watches ([`Connection::has_recursive_watches`]) and no reads of several
//!   znodes: use the one-shot operations. Detection takes a second connection with each session. On these servers a
//!   take-over is a delete and a create that are sent at the same time, and not one transaction; dropped watches stay
//!   until they fire or the connection ends; and nothing verifies the authentication.
//! * **Servers that refuse recursive watches** (ZooKeeper's `WatchManagerOptimized`) fail the first
//!   [`Connection::watch_recursive`] of a session; from then on [`Connection::has_recursive_watches`] is false. Everything
//!   else is as with other servers of their version.
//! * **Observers** serve like any other member. **Read-only servers** (without a quorum, with `readonlymode.enabled`)
//!   refuse the link, as it does not request read-only mode, and it dials the next host. The session outlives that if the
//!   quorum returns before the ensemble ends it.
//! * **Wall clocks** do not matter: the link reads none.
//! * **Not included:** locks, elections, sequential znodes, transactions in general, Kerberos.
//!
//! # Features, metrics, other transports
//! Cargo features, both off by default: `sasl` (`Config::with_sasl`, DIGEST-MD5) and `tls` (`Config::with_tls`, rustls
//! with aws-lc; a program with its own rustls provider installs it before [`Zk::start`]).
//!
//! Metrics go through the facade `metrics`, to the recorder that the program installs before it starts a link:
//! `zk_session_state`, `zk_session_epoch`, `zk_session_timeout_seconds`, `zk_reconnects_total`,
//! `zk_connect_failures_total`, `zk_requests_total`, `zk_request_seconds`.
//!
//! [`Zk::start_on`] accepts another implementation of the traits of [`transport`], for example in virtual time: nothing
//! else here depends on threads and sockets.

mod backoff;
mod config;
mod connection;
mod error;
mod fd_reserve;
mod metrics;
mod path;
mod redact;
mod session;
mod state;
mod supervisor;
pub mod time;
pub mod transport;
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
pub use path::{PathError, ZnodePath};
#[doc(hidden)]
pub use redact::redact;
pub use session::{Session, SessionId};
pub use state::{CloseReason, Lingering, Phase, State};
pub use transport::apache::{StartError, prepare};
pub use transport::{
    Acl, ConnectError, CreateMode, Event, EventKind, Identity, ListVersion, Reading, Stat, Zxid,
};
pub use watch::{OneShot, WatchStream};
pub use zk::{Closed, States, Zk};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
