//! The real ensemble: Apache ZooKeeper, through the crate `zookeeper-client`.
//!
//! One client of that crate serves one TCP connection here and is given up when the connection breaks;
//! the next connection is made by a new client that attaches to the same session. That takes the sting
//! out of what the crate (0.11.2) does on a reconnect of its own:
//!
//! * D1: it never sets persistent watches again. A watch here ends with its connection, visibly.
//! * D2: it can send so many watches that it kills its own connection. It never sends any.
//! * D3: it can spin for ever when there is no route. We dial ourselves first (so every attempt is two TCP
//!   connections, the first of which closes without a word); its first connect makes a single sweep
//!   (`fail_eagerly`), and its reconnect loop ends with its thread before it comes round. What is left: a
//!   process that was stopped for 1.4 session timeouts and wakes up without a route. The supervisor's
//!   check notices, and gives that thread up.
//! * D4: its reconnect waits double without a cap, and it ends the session by itself after 1.4 timeouts.
//!   Both never come to pass: the supervisor waits and counts.
//! * D5: a lost connection has many error values. `errors.rs` maps them by what they mean.
//! * D6: some of its watchers panic, others hang, after the session's end. They are polled in one place,
//!   `session.rs`, and never after the end.
//! * D7: a watcher may know more than the server it is connected to next. `sync` is among the verbs, and
//!   who reads after a reconnect calls it first.
//! * D8: its I/O reactor is spoilt for good where file descriptors are short when it is first used.
//!   `reactor.rs` brings it up before anything is connected, or says that it cannot.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use super::{BoxFuture, ConnectError, Ensemble, Ticket, Transport};
use crate::config::Config;
use crate::error::ErrorKind;
use crate::fd_reserve::fd_reserve;
use crate::path::ZnodePath;

mod abilities;
mod dial;
mod errors;
mod reactor;
mod session;
mod settings;
#[cfg(feature = "tls")]
mod tls;

use dial::{Dialer, Dialled};
use session::{Pass, SessionThread};
use settings::Settings;

/// A server may cut the connection at each of two questions that it does not know: what it understands,
/// and whom it takes us for.
const INTRODUCTIONS: usize = 3;

/// Why a link could not be started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// Connections need a reactor for their I/O, one for the process, and it could not be made.
    #[error("the I/O reactor of the ZooKeeper client cannot be started")]
    Reactor(#[source] io::Error),
    /// The file descriptors that are [kept back](crate::FdReserve) for the link are not to be had.
    #[error("no file descriptors can be kept back for the connection to ZooKeeper")]
    Reserve(#[source] io::Error),
}

/// Makes what all links of a process share: the reactor of their I/O, and the [reserve](crate::FdReserve) of file
/// descriptors. [`Zk::start`](crate::Zk::start) does it, too; who accepts connections calls it before that, while
/// descriptors are free. Quick, and nothing at all once it has been done.
///
/// # Errors
/// If file descriptors or threads are short. Nothing is spoilt by that: it can be called again. If somebody else in the
/// process has used the crate `async-io` before, when descriptors were short: its reactor is dead, for good.
pub fn prepare() -> Result<(), StartError> {
    reactor::start().map_err(StartError::Reactor)?;
    fd_reserve().fill().map_err(StartError::Reserve)
}

/// Apache ZooKeeper servers.
#[derive(Debug)]
pub struct Apache {
    dialer: Dialer,
    settings: Settings,
    name: String,
    /// The server of the latest connection.
    latest: Mutex<Option<SocketAddr>>,
}

impl Apache {
    /// The servers of a configuration. Nothing is contacted yet.
    ///
    /// # Errors
    /// As [`prepare`].
    pub fn new(config: &Config) -> Result<Self, StartError> {
        prepare()?;
        Ok(Self {
            dialer: Dialer::new(config.hosts().to_vec()),
            settings: Settings::of(config),
            name: config.connect_string(),
            latest: Mutex::default(),
        })
    }

    /// Opens a connection to a server, and gets to know it.
    async fn open(&self, server: &Dialled, ticket: Option<Ticket>) -> Result<SessionThread, ConnectError> {
        let known = ticket.and_then(|ticket| ticket.get::<Pass>().cloned());
        let mut pass = known.clone();
        for _ in 0..INTRODUCTIONS {
            let link = session::open(server, pass.as_ref(), &self.settings).await?;
            match self.introduce(&link, known.is_none()).await {
                Ok(()) => return Ok(link),
                Err(Introduction::Refused(error)) => {
                    // It would linger until it expires; the server has granted it a moment ago.
                    if known.is_none() {
                        link.close().await;
                    }
                    return Err(error);
                }
                // We know now, and the session waits for us.
                Err(Introduction::Unknown) => pass = link.ticket().get::<Pass>().cloned(),
                Err(Introduction::Lost(cause)) => {
                    let (server, wanted) = (server.address.to_string(), "introduce itself");
                    return Err(ConnectError::Handshake { server, wanted, cause });
                }
            }
        }
        let (server, wanted) = (server.address.to_string(), "introduce itself");
        Err(ConnectError::Handshake { server, wanted, cause: "it closes every connection".into() })
    }

    /// Asks a server whom it takes us for, where that matters: it may let us in as nobody without a word.
    /// And asks a new session's server what it understands, before anybody else has a request on the way.
    async fn introduce(&self, link: &SessionThread, new_session: bool) -> Result<(), Introduction> {
        let schemes = self.settings.schemes();
        if !schemes.is_empty() && link.can_tell_identities() {
            let identities = self.ask(link.identities()).await?;
            if let Some(scheme) =
                schemes.into_iter().find(|scheme| !identities.iter().any(|known| known.scheme == *scheme))
            {
                let server = link.server();
                return Err(Introduction::Refused(ConnectError::NotAuthenticated { server, scheme }));
            }
        } else if !schemes.is_empty() {
            tracing::warn!(server = link.server(), "too old to be asked whether it has authenticated us");
        }
        if new_session && self.settings.detect() && link.is_modern() {
            // Whether it may be read does not matter.
            self.ask(link.read_many(&[ZnodePath::root()])).await?;
        }
        Ok(())
    }

    async fn ask<T>(&self, answer: super::Reply<T>) -> Result<T, Introduction> {
        match tokio::time::timeout(self.settings.session_timeout, answer).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(ErrorKind::Unsupported)) => Err(Introduction::Unknown),
            Ok(Err(error)) => Err(Introduction::Lost(error.to_string())),
            Err(_) => Err(Introduction::Lost("no answer".into())),
        }
    }
}

/// Why a server could not be got to know.
enum Introduction {
    /// It does not know the question, and has cut the connection. The session knows that now.
    Unknown,
    /// It is not for us.
    Refused(ConnectError),
    /// The connection broke.
    Lost(String),
}

impl Ensemble for Apache {
    fn connect(&self, ticket: Option<Ticket>) -> BoxFuture<'_, Result<Arc<dyn Transport>, ConnectError>> {
        Box::pin(async move {
            let _descriptors = fd_reserve().lend();
            // A server that we have lost may be hung: its kernel accepts while it answers nobody.
            if let Some(lost) = self.latest.lock().take() {
                self.dialer.blame(lost);
            }
            let server = self.dialer.dial().await?;
            let link = self.open(&server, ticket).await;
            match &link {
                Ok(_) => {
                    self.dialer.praise(server.address);
                    *self.latest.lock() = Some(server.address);
                }
                Err(ConnectError::SessionExpired) => self.dialer.praise(server.address),
                Err(_) => self.dialer.blame(server.address),
            }
            link.map(|link| Arc::new(link) as Arc<dyn Transport>)
        })
    }

    fn name(&self) -> String {
        self.name.clone()
    }

    fn requested_timeout(&self) -> Duration {
        self.settings.session_timeout
    }
}
