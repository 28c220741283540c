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

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::{BoxFuture, ConnectError, Ensemble, Link, Ticket};
use crate::config::{Auth, Config};

mod dial;
mod errors;
mod session;

use dial::Dialer;

/// Apache ZooKeeper servers.
#[derive(Debug)]
pub struct Apache {
    dialer: Dialer,
    session_timeout: Duration,
    auth: Vec<Auth>,
    /// The server of the latest connection.
    latest: Mutex<Option<SocketAddr>>,
}

impl Apache {
    /// The servers of a configuration. Nothing is contacted yet.
    pub fn new(config: &Config) -> Self {
        Self {
            dialer: Dialer::new(config.hosts().to_vec()),
            session_timeout: config.session_timeout(),
            auth: config.auth().to_vec(),
            latest: Mutex::default(),
        }
    }
}

impl Apache {
    fn latest(&self) -> MutexGuard<'_, Option<SocketAddr>> {
        self.latest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ensemble for Apache {
    fn connect(&self, ticket: Option<Ticket>) -> BoxFuture<'_, Result<Arc<dyn Link>, ConnectError>> {
        Box::pin(async move {
            // A server that we have lost may be hung: its kernel accepts while it answers nobody.
            if let Some(lost) = self.latest().take() {
                self.dialer.blame(lost);
            }
            let server = self.dialer.dial().await?;
            let link = session::open(server, ticket, self.session_timeout, &self.auth).await;
            match &link {
                Ok(_) => {
                    self.dialer.praise(server);
                    *self.latest() = Some(server);
                }
                Err(ConnectError::SessionExpired) => self.dialer.praise(server),
                Err(_) => self.dialer.blame(server),
            }
            link.map(|link| Arc::new(link) as Arc<dyn Link>)
        })
    }

    fn requested_timeout(&self) -> Duration {
        self.session_timeout
    }
}
