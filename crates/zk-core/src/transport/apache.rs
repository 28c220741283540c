//! Transports to Apache ZooKeeper, through the crate `zookeeper-client` ("the crate").
//!
//! Here a client of the crate lives for one TCP connection and is dropped when the connection breaks; the next
//! connection gets a new client, which attaches to the same session. That avoids what the crate (0.11.2) does wrong
//! when it reconnects by itself:
//!
//! * D1: it never sets persistent watches again. Here a watch visibly ends with its connection.
//! * D2: it can send so many watches that it kills its own connection. Here it never sends any again.
//! * D3: it can spin for ever when there is no route. We dial first (so every attempt makes two TCP connections, and
//!   closes the first one unused); the first connect of the crate tries each address once (`fail_eagerly`), and its
//!   reconnect loop ends with its thread before the second iteration. One case remains: a process that was stopped for
//!   1.4 session timeouts and continues without a route. The periodic check of the supervisor detects that, and drops
//!   the thread.
//! * D4: its reconnect waits double without a cap, and it ends the session by itself after 1.4 session timeouts. Here
//!   neither happens: the supervisor does the waiting and the counting.
//! * D5: a lost connection has many error values. `errors.rs` maps them by their meaning.
//! * D6: after the end of the session some of its watchers panic and others hang. `watches.rs` alone polls them, and
//!   never after the end.
//! * D7: a watcher may know more than the server of the next connection. A caller that reads after a reconnect calls
//!   `sync` first.
//! * D8: if file descriptors are short when its I/O reactor is first used, the reactor is broken for good. `reactor.rs`
//!   starts it before the first connection, or returns an error.
//! * D9: it queues events without a bound, and its task does not return while bytes arrive without a pause, so that
//!   nothing else on its thread runs. `recursive.rs` takes each event at once, inside the call that has queued it
//!   (`eager.rs`), and ends that task if it does not return by itself. An event of a path that has no watcher is out of
//!   reach: for each the crate sends a request to remove a watch. So a watch that nobody reads any more stays until
//!   a flood is over.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use crate::config::ZkConfig;
use crate::error::ErrorKind;
use crate::fd_reserve::fd_reserve;
use crate::path::ZnodePath;
use crate::transport::connect_error::ConnectError;
use crate::transport::seam::{BoxFuture, Ensemble, Reply, ResumeTicket, Transport};
use crate::transport::turn::Turn;

mod capabilities;
mod convert;
mod dial;
mod eager;
mod errors;
mod queue;
mod reactor;
mod recursive;
mod requests;
mod session;
mod settings;
mod task;
mod thread;
#[cfg(feature = "tls")]
mod tls;
mod watches;

use dial::{Dialer, Dialled};
use session::{Credentials, SessionThread};
use settings::Settings;

/// An old server closes the connection at each of two requests that it does not know: the read of several znodes, and
/// the list of our identities.
const MOST_CONNECTIONS: usize = 3;

/// What a server fails to do whose inspection fails.
const WANTED: &str = "reply to the first requests";

/// Why a link cannot start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The I/O reactor, which all connections of the process share, cannot be started.
    #[error("the I/O reactor of the ZooKeeper client cannot be started")]
    Reactor(#[source] io::Error),
    /// The file descriptors for the [fd reserve](crate::FdReserve) are not available.
    #[error("too few file descriptors for the reserve of the link to ZooKeeper")]
    Reserve(#[source] io::Error),
}

/// Starts what all links of a process share: the I/O reactor and the [fd reserve](crate::FdReserve).
/// [`Zk::start`](crate::Zk::start) does this, too; a program that accepts connections calls `prepare` before it
/// accepts, while descriptors are free. Quick; further calls do nothing.
///
/// # Errors
/// * If file descriptors or threads are short. A later call may succeed.
/// * If other code in the process used the crate `async-io` when descriptors were short: its reactor is then broken for
///   the life of the process.
pub fn prepare() -> Result<(), StartError> {
    reactor::start().map_err(StartError::Reactor)?;
    fd_reserve().fill().map_err(StartError::Reserve)
}

/// The Apache ZooKeeper servers of a configuration.
#[derive(Debug)]
pub struct Apache {
    dialer: Dialer,
    settings: Settings,
    name: String,
    /// The server of the latest connection.
    latest: Mutex<Option<SocketAddr>>,
}

impl Apache {
    /// Uses the servers of a configuration. Does not connect yet.
    ///
    /// # Errors
    /// As [`prepare`].
    pub fn new(config: &ZkConfig) -> Result<Self, StartError> {
        prepare()?;
        Ok(Self {
            dialer: Dialer::new(config.hosts().to_vec()),
            settings: Settings::of(config),
            name: config.connect_string(),
            latest: Mutex::default(),
        })
    }

    /// Opens a connection to a server, and inspects the server.
    async fn open(
        &self,
        server: &Dialled,
        ticket: Option<ResumeTicket>,
    ) -> Result<SessionThread, ConnectError> {
        let known = ticket.and_then(|ticket| ticket.get::<Credentials>().cloned());
        let mut credentials = known.clone();
        for _ in 0..MOST_CONNECTIONS {
            let transport = session::open(server, credentials.as_ref(), &self.settings).await?;
            match self.inspect(&transport, known.is_none()).await {
                Ok(()) => return Ok(transport),
                Err(InspectError::Refused(error)) => {
                    // The server has just granted this session, which would linger until it expires.
                    if known.is_none() {
                        transport.close().await;
                    }
                    return Err(error);
                }
                // The credentials now include what the server lacks: attach to the session again.
                Err(InspectError::UnknownRequest) => {
                    credentials = transport.ticket().get::<Credentials>().cloned()
                }
                Err(InspectError::Lost(cause)) => {
                    let (server, wanted) = (server.address.to_string(), WANTED);
                    return Err(ConnectError::Handshake { server, wanted, cause });
                }
            }
        }
        let (server, wanted) = (server.address.to_string(), WANTED);
        Err(ConnectError::Handshake { server, wanted, cause: "it closes every connection".into() })
    }

    /// Checks that the server has recorded our identities, if there are any: it may silently serve us unauthenticated.
    /// Detects the capabilities of the server of a new session, before any other request is in flight.
    async fn inspect(&self, transport: &SessionThread, new_session: bool) -> Result<(), InspectError> {
        let schemes = self.settings.schemes();
        if !schemes.is_empty() && transport.can_list_identities() {
            let identities = self.request(transport.identities(Turn::default())).await?;
            if let Some(scheme) =
                schemes.into_iter().find(|scheme| !identities.iter().any(|known| known.scheme == *scheme))
            {
                let server = transport.server();
                return Err(InspectError::Refused(ConnectError::NotAuthenticated { server, scheme }));
            }
        } else if !schemes.is_empty() {
            tracing::warn!(
                server = transport.server(),
                "authentication not verified, the server is older than ZooKeeper 3.7"
            );
        }
        if new_session && self.settings.detect() && transport.is_modern() {
            // Whether we may read the root does not matter.
            self.request(transport.read_many(Turn::default(), &[ZnodePath::root()])).await?;
        }
        Ok(())
    }

    async fn request<T>(&self, reply: Reply<T>) -> Result<T, InspectError> {
        let limit = self.settings.session_timeout;
        match tokio::time::timeout(limit, reply).await {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(ErrorKind::Unsupported)) => Err(InspectError::UnknownRequest),
            Ok(Err(error)) => Err(InspectError::Lost(error.to_string())),
            Err(_) => Err(InspectError::Lost(format!("no reply within {limit:?}"))),
        }
    }
}

/// Why a server could not be inspected, or is not usable.
enum InspectError {
    /// The server does not know the request, and has closed the connection. The credentials now include that.
    UnknownRequest,
    /// The server is not usable.
    Refused(ConnectError),
    /// The connection broke.
    Lost(String),
}

impl Ensemble for Apache {
    fn connect(
        &self,
        ticket: Option<ResumeTicket>,
    ) -> BoxFuture<'_, Result<Arc<dyn Transport>, ConnectError>> {
        Box::pin(async move {
            let _descriptors = fd_reserve().lend();
            // The server of a lost connection may hang: its kernel accepts connections, and no request gets a reply.
            if let Some(lost) = self.latest.lock().take() {
                self.dialer.record_failure(lost);
            }
            let server = self.dialer.dial().await?;
            let transport = self.open(&server, ticket).await;
            match &transport {
                Ok(_) => {
                    self.dialer.record_success(server.address);
                    *self.latest.lock() = Some(server.address);
                }
                Err(ConnectError::SessionExpired) => self.dialer.record_success(server.address),
                Err(_) => self.dialer.record_failure(server.address),
            }
            transport.map(|transport| Arc::new(transport) as Arc<dyn Transport>)
        })
    }

    fn name(&self) -> String {
        self.name.clone()
    }

    fn requested_timeout(&self) -> Duration {
        self.settings.session_timeout
    }
}
