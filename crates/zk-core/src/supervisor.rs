//! The task that owns the link: connects, counts, waits, and publishes.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, sleep_until, timeout_at};
use tracing::{debug, info, warn};

use crate::backoff::Backoff;
use crate::connection::{Connection, Scope};
use crate::error::{ErrorKind, Outcome};
use crate::session::Session;
use crate::state::{CloseReason, Lingering, Phase, State};
use crate::time::until;
use crate::transport::{ConnectError, Down, Ensemble, Ticket, Transport};

/// How long a link must have held for the waits to start small again. One success says little about a
/// server that accepts and falls over.
const PROOF: Duration = Duration::from_secs(1);

/// How long the session may take to be closed when the last handle is dropped without `close`.
const CLOSE_ON_DROP: Duration = Duration::from_secs(2);

/// What is published: the state, and the connection that goes with it.
#[derive(Clone, Debug)]
pub(crate) struct Published {
    pub(crate) state: State,
    pub(crate) connection: Option<Connection>,
}

impl Published {
    /// The connection, unless it has ended and that is about to be published.
    pub(crate) fn usable(&self) -> Option<&Connection> {
        self.connection.as_ref().filter(|connection| !connection.has_ended())
    }
}

/// Asks the supervisor to close the session within the time given, which is no more than a day.
pub(crate) struct Close {
    pub(crate) within: Duration,
}

/// Where we stand. Every variant says what holds while we are in it.
enum Stage {
    /// No link. The ensemble may hold `held`; the next attempt comes after a wait, unless it is `eager`.
    Down { held: Option<Held>, eager: bool },
    /// A link is up and published.
    Up { link: Arc<dyn Transport>, since: Instant },
    /// Asked to close by `deadline`; the ensemble may hold `held`.
    Closing { held: Option<Held>, deadline: Instant },
}

/// A session that the ensemble may still hold.
struct Held {
    session: Session,
    ticket: Ticket,
    /// When the link went down.
    since: Instant,
}

impl Held {
    /// When it must be presumed gone; the attempts to attach to it go on all the same.
    fn lost_at(&self) -> Instant {
        self.since + self.session.timeout
    }
}

pub(crate) struct Supervisor {
    pub(crate) ensemble: Arc<dyn Ensemble>,
    pub(crate) scope: Arc<Scope>,
    pub(crate) published: watch::Sender<Published>,
    pub(crate) close: mpsc::Receiver<Close>,
    backoff: Backoff,
}

impl Supervisor {
    pub(crate) fn new(
        ensemble: Arc<dyn Ensemble>,
        scope: Arc<Scope>,
        published: watch::Sender<Published>,
        close: mpsc::Receiver<Close>,
    ) -> Self {
        let backoff = Backoff::within(ensemble.requested_timeout());
        Self { ensemble, scope, published, close, backoff }
    }

    /// Runs until closed: by a [`Close`], or because every handle is gone.
    pub(crate) async fn run(mut self) {
        let mut stage = Stage::Down { held: None, eager: true };
        loop {
            stage = match stage {
                Stage::Down { held, eager } => self.connect(held, eager).await,
                Stage::Up { link, since } => self.hold(link, since).await,
                Stage::Closing { held, deadline } => {
                    let reason = self.end_session(held, deadline).await;
                    if let CloseReason::Lingering(lingering) = &reason {
                        warn!(session = %lingering.session, up_to = ?lingering.up_to,
                            "closed without the ensemble's word: the session lingers");
                    }
                    self.publish(Phase::Closed(reason), None, |_| {});
                    return;
                }
            };
        }
    }

    /// Makes attempts until there is a link, publishing `Lost` when the held session must be presumed gone.
    async fn connect(&mut self, mut held: Option<Held>, mut eager: bool) -> Stage {
        loop {
            let wait = if eager { Duration::ZERO } else { self.backoff.next_wait() };
            eager = false;
            let (ensemble, ticket) = (self.ensemble.clone(), held.as_ref().map(|held| held.ticket.clone()));
            let begun = Instant::now() + wait;
            let mut attempt = pin!(async move {
                sleep_until(begun).await;
                ensemble.connect(ticket).await
            });
            let outcome = loop {
                let lost_at = match (&held, &self.published.borrow().state.phase) {
                    (Some(held), Phase::Suspended) => Some(held.lost_at()),
                    _ => None,
                };
                tokio::select! {
                    biased;
                    close = self.close.recv() => {
                        let within = close.map_or(CLOSE_ON_DROP, |close| close.within);
                        let deadline = Instant::now() + within;
                        if Instant::now() < begun {
                            return Stage::Closing { held, deadline };
                        }
                        // It may have a session by now, of which nobody else would know.
                        return match timeout_at(deadline, attempt).await {
                            Ok(Ok(link)) => self.close_link(link, deadline).await,
                            Ok(Err(ConnectError::SessionExpired)) => Stage::Closing { held: None, deadline },
                            Ok(Err(_)) | Err(_) => Stage::Closing { held, deadline },
                        };
                    }
                    outcome = &mut attempt => break outcome,
                    () = until(lost_at) => {
                        warn!(session = %held.as_ref().map(|h| h.session.id.to_string()).unwrap_or_default(),
                            "no contact for the session timeout: presumed lost");
                        publish(&self.published, &self.scope, Phase::Lost, None, |_| {});
                    }
                }
            };
            match outcome {
                Ok(link) => return self.established(link, held.as_ref()),
                Err(ConnectError::SessionExpired) if held.is_some() => {
                    warn!(session = %held.as_ref().map(|h| h.session.id.to_string()).unwrap_or_default(),
                        "session expired");
                    self.scope.metrics.trouble(&ConnectError::SessionExpired);
                    held = None;
                    // The servers are there: the next attempt, for a new session, need not wait.
                    eager = true;
                    self.scope.session_over(self.published.borrow().state.epoch);
                    self.publish(Phase::Lost, None, |_| {});
                }
                Err(error) => self.trouble(error),
            }
        }
    }

    /// An attempt failed. An outage is one line in the log, and another one when its cause changes.
    fn trouble(&self, error: ConnectError) {
        self.scope.metrics.trouble(&error);
        let same_kind =
            |known: &ConnectError| std::mem::discriminant(known) == std::mem::discriminant(&error);
        if self.published.borrow().state.trouble.as_ref().is_some_and(same_kind) {
            debug!(%error, "still not connected");
        } else {
            warn!(%error, retry_within = ?self.backoff.cap(), "cannot connect");
        }
        self.published.send_if_modified(|published| {
            let news = published.state.trouble.as_ref() != Some(&error);
            published.state.trouble = Some(error);
            news
        });
    }

    fn established(&mut self, link: Arc<dyn Transport>, held: Option<&Held>) -> Stage {
        let session = link.session();
        let resumed = held.filter(|held| held.session.id == session.id);
        self.backoff_for(session);
        let before = self.published.borrow().state.clone();
        let epoch = before.epoch + u64::from(resumed.is_none());
        let reconnects = if before.session.is_none() { 0 } else { before.reconnects + 1 };
        let connection = Connection::new(&link, epoch, reconnects, self.scope.clone());
        let requested = self.ensemble.requested_timeout();
        let server = link.server();
        if let Some(held) = resumed {
            info!(session = %session.id, epoch, reconnects, %server, away = ?held.since.elapsed(),
                "connected again, same session");
        } else {
            info!(session = %session.id, epoch, reconnects, %server, ?requested, negotiated = ?session.timeout,
                "connected, new session");
            if requested != session.timeout {
                warn!(?requested, negotiated = ?session.timeout, "the ensemble granted another session timeout");
            }
        }
        self.publish(Phase::Connected, Some(connection), |state| {
            state.session = Some(session);
            state.epoch = epoch;
            state.reconnects = reconnects;
            state.trouble = None;
        });
        Stage::Up { link, since: Instant::now() }
    }

    /// The waits follow the session timeout that was granted; they start anew with a proven link only.
    fn backoff_for(&mut self, session: Session) {
        let granted = Backoff::within(session.timeout);
        if granted.cap() != self.backoff.cap() {
            self.backoff = granted;
        }
    }

    /// Waits until the link ends, or is asked to.
    async fn hold(&mut self, link: Arc<dyn Transport>, since: Instant) -> Stage {
        let session = link.session();
        let mut down = link.down();
        let cause = tokio::select! {
            biased;
            close = self.close.recv() => {
                let within = close.map_or(CLOSE_ON_DROP, |close| close.within);
                return self.close_link(link, Instant::now() + within).await;
            }
            cause = ended(&mut down) => cause,
            () = silence(&*link) => Some(Down::ConnectionLost("no sign of life".into())),
        };
        if since.elapsed() >= PROOF {
            self.backoff = Backoff::within(session.timeout);
        }
        let cause = match cause {
            Some(Down::ConnectionLost(cause)) => cause,
            Some(Down::Closed) | None => "the link ended without a word".into(),
        };
        warn!(session = %session.id, server = link.server(), %cause, "connection lost: suspended");
        self.publish(Phase::Suspended, None, |_| {});
        let held = Held { session, ticket: link.ticket(), since: Instant::now() };
        Stage::Down { held: Some(held), eager: false }
    }

    /// Closes the session over a link that is up.
    async fn close_link(&mut self, link: Arc<dyn Transport>, deadline: Instant) -> Stage {
        let session = link.session();
        let confirmed = timeout_at(deadline, link.close()).await.unwrap_or(false);
        if confirmed {
            info!(session = %session.id, "session closed");
            self.scope.session_over(self.published.borrow().state.epoch);
            return Stage::Closing { held: None, deadline };
        }
        let held = Held { session, ticket: link.ticket(), since: Instant::now() };
        Stage::Closing { held: Some(held), deadline }
    }

    /// Closes the session although there is no link: attaches to it once more, if time allows.
    async fn end_session(&mut self, held: Option<Held>, deadline: Instant) -> CloseReason {
        let Some(held) = held else {
            return CloseReason::Clean;
        };
        let attempts = async {
            loop {
                match self.ensemble.connect(Some(held.ticket.clone())).await {
                    Ok(link) if link.close().await => return,
                    Err(ConnectError::SessionExpired) => return,
                    _ => sleep(self.backoff.next_wait()).await,
                }
            }
        };
        match timeout_at(deadline, attempts).await {
            Ok(()) => {
                self.scope.session_over(self.published.borrow().state.epoch);
                CloseReason::Clean
            }
            Err(_) => {
                CloseReason::Lingering(Lingering { session: held.session.id, up_to: held.session.timeout })
            }
        }
    }

    /// The state after this task: for readers that outlive it.
    fn last_state(&self) -> Option<Phase> {
        let state = &self.published.borrow().state;
        if state.is_closed() {
            return None;
        }
        Some(Phase::Closed(match state.session {
            None => CloseReason::Clean,
            Some(session) => {
                CloseReason::Lingering(Lingering { session: session.id, up_to: session.timeout })
            }
        }))
    }

    fn publish(&self, phase: Phase, connection: Option<Connection>, change: impl FnOnce(&mut State)) {
        publish(&self.published, &self.scope, phase, connection, change);
    }
}

/// Where the runtime ends before the link was closed, nobody may go on believing in it.
impl Drop for Supervisor {
    fn drop(&mut self) {
        if let Some(phase) = self.last_state() {
            self.publish(phase, None, |_| {});
        }
    }
}

/// The one place where the state changes.
fn publish(
    published: &watch::Sender<Published>,
    scope: &Scope,
    phase: Phase,
    connection: Option<Connection>,
    change: impl FnOnce(&mut State),
) {
    published.send_modify(|published| {
        if published.state.phase != phase {
            debug!(from = %published.state.phase, to = %phase, "state");
            published.state.phase = phase;
            published.state.since = Instant::now();
        }
        published.connection = connection;
        let before = published.state.reconnects;
        change(&mut published.state);
        scope.metrics.state(&published.state, published.state.reconnects != before);
    });
}

/// Why the link ended, once it has; `None` if it vanished without a word.
async fn ended(down: &mut watch::Receiver<Option<Down>>) -> Option<Down> {
    down.wait_for(Option::is_some).await.ok().and_then(|cause| cause.clone())
}

/// Resolves when the link, although it does not say so, gives no sign of life: its thread is stuck, or
/// the client on it has come to grief. One request per session timeout.
async fn silence(link: &dyn Transport) {
    let period = link.session().timeout;
    loop {
        sleep(period).await;
        match tokio::time::timeout(period, link.check()).await {
            Ok(Ok(())) => {}
            // The server said no, which is an answer.
            Ok(Err(error)) if error.outcome() == Outcome::NotDone && error != ErrorKind::NotConnected => {}
            _ => return,
        }
    }
}

#[cfg(test)]
mod tests;
