//! A link to a ZooKeeper ensemble that reconnects for as long as the program runs, and outlives any single session.
//! The link publishes a [`State`] from which registrations and watched views know when to check and when to rebuild.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let server = zk_embedded::Server::start().await?;
//! # let hosts = &server.connect_string();
//! use std::time::Duration;
//! use zk_core::{Acl, ZkConfig, ZnodePath, Zk};
//!
//! let zk = Zk::start(ZkConfig::new(hosts)?)?; // "zk1:2181,zk2:2181,zk3:2181/app"
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
//! * **Sessions.** One for each [`Zk`], however many registrations and watches share it. After an outage of any length
//!   the link resumes it if the ensemble still keeps it, so no znode flaps. A link may start before ZooKeeper.
//! * **Reconnects.** Attempts continue for ever, at random moments (full jitter), and never further apart than 1 s or a
//!   third of the session timeout. A [`State`] is complete in itself, and its counters include every reconnect.
//! * **Hosts** may be dead, black-holed or unresolvable. Each attempt resolves all names and dials all addresses in random
//!   order, the server that failed or went silent last at the end. The next dial starts at once after a refusal, and
//!   after 250 ms of silence.
//! * **Operations** take effect in the order of their calls and end with their [`Connection`]; none waits for a later
//!   one. Each has a deadline, and each [`Error`] an [`Outcome`]: not done, unknown, or session over.
//! * **A take-over** is one transaction (ZooKeeper 3.6 and later): no reader finds the name missing, whatever the server
//!   replies.
//! * **A deletion that is told** ([`Connection::write_and_delete`], ZooKeeper 3.6 and later) is one transaction that writes
//!   the znode and deletes it. A recursive watch receives both events next to each other: with the same
//!   [zxid](Event::zxid) where the server tells it (3.9 and later), else with hardly any time between their
//!   [arrivals](Event::at). It needs the right to write the znode, and room in a quota; where it is refused nothing is
//!   done, and a plain delete may still be allowed.
//! * **Watches.** An event arrives before the reply to a later operation. A watch visibly ends, and never just goes
//!   silent: with its connection, or when it is not read.
//! * **Bounds.** No queue grows without end: 1,024 requests of a [`Zk`] are in flight or on their way, also those whose
//!   callers have given up; a watch holds 16,384 events, and one more ends it. A server that sends events without a
//!   pause loses the connection after 262,144 of them.
//! * **Ends.** When a link is closed, or its runtime goes away, or its task panics (in another transport, for one), its
//!   state is [`Closed`](Phase::Closed), and every call that waits for it returns: nothing waits for ever.
//! * **Replay.** Above the [`transport`] all randomness and wall-clock time comes from [`Sources`]: on the same ensemble in
//!   virtual time, on one thread, with the same seed, a link does the same again. What is built on it draws from
//!   [`Zk::sources`], too. Tasks that wait for one state, for a connection or for its end, go on in the order in which
//!   they began to wait, and so do operations that wait for their turn.
//! * **Close.** [`Zk::close`] returns within the time that the caller passes: the ephemeral znodes are gone, or it fails with [`Lingering`].
//!   The task of the link has ended then.
//! * **Authentication.** The server must have recorded our identity (3.7 and later), else
//!   [`ConnectError::NotAuthenticated`]. Refusals have a cause and are retried: a correction works within a second.
//! * **Isolation.** A blocked runtime keeps its session: a thread of the link sends the pings. A panic in the client
//!   crate costs a connection, not the link: it is logged, and the session resumed.
//! * **File descriptors.** [`prepare`] takes what links need while some are free. A server that respects the
//!   [`fd_reserve`] (16) keeps its session when its callers have taken all others.
//!
//! # Limits
//! * **Round trips** must take less than 7/20 of the session timeout and less than 2.5 s (a session takes two to
//!   begin): a server that is silent for 2/5 of the session timeout counts as lost. Pings go out at least every 1/5 of
//!   it.
//! * **A server that stands still** for longer than the session timeout ends all sessions when it continues.
//!   No client can resume them: a new epoch begins.
//! * **1,024 operations** of a [`Zk`] have their turn; others wait within their deadlines, or fail with
//!   [`ErrorKind::Busy`], unsent. A turn comes back with the reply, or when the caller gives up and the request has left
//!   the queue: while a thread of the link is stuck, callers that give up use turns up, and the next connection has
//!   them all again. A caller with thousands sends a few hundred at a time, as the crate `registry` does.
//! * **Watches** are neither set again after a reconnect nor counted: one recursive watch replaces many.
//! * **Servers before 3.6, and with `WatchManagerOptimized`,** lack requests that the link detects and replaces:
//!   [`Connection::has_recursive_watches`] has the differences, such as a take-over in two requests.
//! * **Observers** serve like any member. **Read-only servers** (`readonlymode.enabled`, no quorum) refuse the link,
//!   which dials the next host. The session outlives that if the quorum returns before the ensemble ends it.
//! * **Events that nobody asked for,** from a broken server, make the client crate send a request each, and it keeps about
//!   a hundred bytes until the reply. If they come without a pause, the periodic check ends the connection within two
//!   session timeouts, but its thread, and what it has gathered, goes only when the server pauses.
//! * **Wall clocks** do not matter: the link reads none.
//! * **Not included:** locks, elections, sequential znodes, transactions in general, Kerberos.
//!
//! # Features, metrics, other transports
//! Cargo features, off by default: `serde` (configurations without secrets, paths, states; durations are text such as
//! `"10s"`, moments are ages), `sasl` (`ZkConfig::with_sasl`, DIGEST-MD5) and `tls` (`ZkConfig::with_tls`, rustls with
//! aws-lc; a program with its own rustls provider installs it before [`Zk::start`]). [`Zk::start_on`] accepts another
//! [`transport`], for example in virtual time: nothing above it depends on threads and sockets.
//!
//! Metrics go through the facade `metrics`, to the recorder that the program installs before it starts a link:
//! `zk_session_state`, `zk_session_epoch`, `zk_session_timeout_seconds`, `zk_reconnects_total`,
//! `zk_connect_failures_total`, `zk_requests_total`, `zk_request_seconds`.
//!
//! At the level `TRACE` each step of the link is an event of the target `arrow`, with the names of the `machine` (`supervisor`,
//! `phase`), the stage that it came `from`, what it came `on`, and the stage that it led `to`. `RUST_LOG=arrow=trace` shows
//! them, and those of the crates above. While nobody wants them they cost nothing.

mod backoff;
mod config;
mod connection;
mod down;
mod error;
mod fd_reserve;
#[cfg(feature = "serde")]
#[doc(hidden)]
pub mod humane;
mod metrics;
mod path;
mod probe;
mod redact;
mod session;
mod sources;
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
pub use config::{Auth, ServerVersion, ZkConfig, ZkConfigError, ZkHost};
pub use connection::{Connection, MAX_DATA, MAX_READS};
pub use error::{Error, ErrorKind, Outcome};
pub use fd_reserve::{FdReserve, fd_reserve};
pub use path::{PathError, ZnodePath};
pub use probe::{Availability, Probe, ProbeError, probe};
#[doc(hidden)]
pub use redact::redact;
pub use session::{Session, SessionId};
pub use sources::Sources;
pub use state::{CloseReason, Lingering, Phase, State};
pub use transport::apache::{StartError, prepare};
pub use transport::{Acl, ConnectError, Event, EventKind, Identity, ListVersion, Reading, Stat, Zxid};
pub use watch::{OneShot, WatchStream};
pub use zk::{Closed, NotConnected, States, Zk};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
