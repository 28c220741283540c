//! The task behind a link: connects, retries, counts sessions and connections, and publishes the state.

mod arrows;

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use rand::rngs::SmallRng;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until, timeout_at};
use tracing::{debug, error, info, warn};

use crate::backoff::Backoff;
use crate::connection::{Connection, Scope};
use crate::error::{ErrorKind, Outcome};
use crate::session::Session;
use crate::state::{CloseReason, Lingering, Phase, State};
use crate::time::until;
use crate::transport::{ConnectError, Ensemble, ResumeTicket, Transport, TransportEnd, latest};
use arrows::On;

/// How long a connection must have lasted to reset the backoff. One success says little about a server that accepts
/// connections and then fails.
const PROOF: Duration = Duration::from_secs(1);

/// How long closing the session may take when the last handle is dropped without `close`.
const CLOSE_ON_DROP: Duration = Duration::from_secs(2);

/// The published state, and the connection that belongs to it.
#[derive(Clone, Debug)]
pub(crate) struct Published {
    pub(crate) state: State,
    pub(crate) connection: Option<Connection>,
}

impl Published {
    /// The connection, unless it has ended, which the supervisor is about to publish.
    pub(crate) fn usable(&self) -> Option<&Connection> {
        self.connection.as_ref().filter(|connection| !connection.has_ended())
    }
}

/// Asks the supervisor to close the session within this time, which is a day at most.
pub(crate) struct Close {
    pub(crate) within: Duration,
}

/// The stage of the supervisor. Every variant says what is true in it.
enum Stage {
    /// No connection. The ensemble may still keep `resumable`; the next attempt follows after a wait, unless `eager`.
    Down { resumable: Option<Resumable>, eager: bool },
    /// A connection is up and published.
    Up { transport: Arc<dyn Transport>, since: Instant },
    /// Closing by `deadline`; the ensemble may still keep `resumable`.
    Closing { resumable: Option<Resumable>, deadline: Instant },
}

impl Stage {
    /// Without a session to resume, a link that is down waits for its first one, or for one after an expiry.
    fn name(&self) -> &'static str {
        match self {
            Self::Down { resumable: None, .. } => "down",
            Self::Down { resumable: Some(_), .. } => "resuming",
            Self::Up { .. } => "up",
            Self::Closing { resumable: None, .. } => "closing",
            Self::Closing { resumable: Some(_), .. } => "closing_session",
        }
    }
}

/// What has happened, and the stage that it leads to.
type Step = (On, Stage);

/// A session that the ensemble may still keep, so that a new connection can resume it.
struct Resumable {
    session: Session,
    ticket: ResumeTicket,
    /// When its connection ended.
    since: Instant,
}

impl Resumable {
    /// When the session is presumed lost; the attempts to resume it continue all the same.
    fn lost_at(&self) -> Instant {
        self.since + self.session.timeout
    }
}

pub(crate) struct Supervisor {
    pub(crate) ensemble: Arc<dyn Ensemble>,
    pub(crate) scope: Arc<Scope>,
    pub(crate) published: latest::Sender<Published>,
    pub(crate) close: mpsc::Receiver<Close>,
    backoff: Backoff,
    rng: SmallRng,
}

impl Supervisor {
    pub(crate) fn new(
        ensemble: Arc<dyn Ensemble>,
        scope: Arc<Scope>,
        published: latest::Sender<Published>,
        close: mpsc::Receiver<Close>,
        rng: SmallRng,
    ) -> Self {
        let backoff = Backoff::within(ensemble.requested_timeout());
        Self { ensemble, scope, published, close, backoff, rng }
    }

    /// Runs until the link is closed: by a [`Close`], or because every handle was dropped.
    pub(crate) async fn run(mut self) {
        let mut stage = Stage::Down { resumable: None, eager: true };
        loop {
            let from = stage.name();
            let (on, next) = match stage {
                Stage::Down { resumable, eager } => self.connect(resumable, eager).await,
                Stage::Up { transport, since } => self.until_down(transport, since).await,
                Stage::Closing { resumable, deadline } => {
                    let reason = self.end_session(resumable, deadline).await;
                    let mut on = On::SessionEnded;
                    if let CloseReason::Lingering(lingering) = &reason {
                        warn!(session = %lingering.session, up_to = ?lingering.up_to,
                            "session not closed: ZooKeeper did not confirm in time; its znodes stay until it expires");
                        on = On::Lingering;
                    }
                    arrows::stage(from, on, "closed");
                    self.publish(Phase::Closed(reason), on, None, |_| {});
                    return;
                }
            };
            arrows::stage(from, on, next.name());
            stage = next;
        }
    }

    /// Attempts to connect until one succeeds; publishes `Lost` when the session must be presumed lost.
    async fn connect(&mut self, resumable: Option<Resumable>, mut eager: bool) -> Step {
        loop {
            let wait = if eager { Duration::ZERO } else { self.backoff.next_wait(&mut self.rng) };
            eager = false;
            let ensemble = self.ensemble.clone();
            let ticket = resumable.as_ref().map(|resumable| resumable.ticket.clone());
            let begun = Instant::now() + wait;
            let mut attempt = pin!(async move {
                sleep_until(begun).await;
                ensemble.connect(ticket).await
            });
            let outcome = loop {
                let lost_at = match (&resumable, &self.published.latest().state.phase) {
                    (Some(resumable), Phase::Suspended) => Some(resumable.lost_at()),
                    _ => None,
                };
                tokio::select! {
                    biased;
                    close = self.close.recv() => {
                        let (on, within) = asked_to_close(close);
                        let deadline = Instant::now() + within;
                        if Instant::now() < begun {
                            return (on, Stage::Closing { resumable, deadline });
                        }
                        // The attempt may have been granted a session, which only it can close.
                        return (on, match timeout_at(deadline, attempt).await {
                            Ok(Ok(transport)) => self.close_session(transport, deadline).await,
                            Ok(Err(ConnectError::SessionExpired)) => Stage::Closing { resumable: None, deadline },
                            Ok(Err(_)) | Err(_) => Stage::Closing { resumable, deadline },
                        });
                    }
                    outcome = &mut attempt => break outcome,
                    () = until(lost_at) => {
                        if let Some(Resumable { session, .. }) = &resumable {
                            warn!(session = %session.id, timeout = ?session.timeout, "session presumed lost");
                        }
                        arrows::stage("resuming", On::PresumedLost, "resuming");
                        publish((&self.published, &self.scope), (Phase::Lost, On::PresumedLost), None, |_| {});
                    }
                }
            };
            match outcome {
                Ok(transport) => return self.established(transport, resumable.as_ref()),
                Err(ConnectError::SessionExpired) if let Some(expired) = &resumable => {
                    warn!(session = %expired.session.id, "session expired");
                    self.scope.metrics.connect_failure(&ConnectError::SessionExpired);
                    self.scope.session_ended(self.published.latest().state.epoch);
                    self.publish(Phase::Lost, On::Expired, None, |_| {});
                    // A server replied: the next attempt, for a new session, need not wait.
                    return (On::Expired, Stage::Down { resumable: None, eager: true });
                }
                Err(error) => {
                    let at = if resumable.is_some() { "resuming" } else { "down" };
                    arrows::stage(at, On::ConnectFailed, at);
                    self.connect_failed(error);
                }
            }
        }
    }

    /// Logs and publishes a failed attempt. At level warn an outage is one line, and another one when its cause
    /// changes.
    fn connect_failed(&self, error: ConnectError) {
        self.scope.metrics.connect_failure(&error);
        let same_kind =
            |known: &ConnectError| std::mem::discriminant(known) == std::mem::discriminant(&error);
        if self.published.latest().state.trouble.as_ref().is_some_and(same_kind) {
            debug!(%error, "cannot connect, for the same cause");
        } else {
            warn!(%error, retry_within = ?self.backoff.cap(), "cannot connect");
        }
        self.published.send_if_modified(|published| {
            let is_new = published.state.trouble.as_ref() != Some(&error);
            published.state.trouble = Some(error);
            is_new
        });
    }

    fn established(&mut self, transport: Arc<dyn Transport>, resumable: Option<&Resumable>) -> Step {
        let session = transport.session();
        let resumed = resumable.filter(|resumable| resumable.session.id == session.id);
        self.backoff_for(session);
        let before = self.published.latest().state.clone();
        let epoch = before.epoch + u64::from(resumed.is_none());
        let reconnects = if before.session.is_none() { 0 } else { before.reconnects + 1 };
        let connection = Connection::new(&transport, epoch, reconnects, self.scope.clone());
        let requested = self.ensemble.requested_timeout();
        let server = transport.server();
        if let Some(resumable) = resumed {
            info!(session = %session.id, epoch, reconnects, %server, down_for = ?resumable.since.elapsed(),
                "session resumed");
        } else {
            info!(session = %session.id, epoch, reconnects, %server, ?requested, negotiated = ?session.timeout,
                "connected");
            if requested != session.timeout {
                warn!(?requested, negotiated = ?session.timeout, "session timeout clamped by ZooKeeper");
            }
        }
        let on = if resumed.is_some() { On::Resumed } else { On::Granted };
        self.publish(Phase::Connected, on, Some(connection), |state| {
            state.session = Some(session);
            state.epoch = epoch;
            state.reconnects = reconnects;
            state.trouble = None;
        });
        (on, Stage::Up { transport, since: Instant::now() })
    }

    /// Adapts the backoff to the negotiated session timeout. Only a connection that has lasted for [`PROOF`] resets it.
    fn backoff_for(&mut self, session: Session) {
        let granted = Backoff::within(session.timeout);
        if granted.cap() != self.backoff.cap() {
            self.backoff = granted;
        }
    }

    /// Waits until the connection ends, or the link is to be closed.
    async fn until_down(&mut self, transport: Arc<dyn Transport>, since: Instant) -> Step {
        let session = transport.session();
        let mut down = transport.down();
        let (on, cause) = tokio::select! {
            biased;
            close = self.close.recv() => {
                let (on, within) = asked_to_close(close);
                return (on, self.close_session(transport, Instant::now() + within).await);
            }
            cause = ended(&mut down) => (On::ConnectionLost, cause),
            () = unresponsive(&*transport) => {
                let cause = TransportEnd::ConnectionLost("no reply to the periodic check".into());
                (On::Unresponsive, Some(cause))
            }
        };
        if since.elapsed() >= PROOF {
            self.backoff = Backoff::within(session.timeout);
        }
        let cause = match cause {
            Some(TransportEnd::ConnectionLost(cause)) => cause,
            Some(TransportEnd::Closed) | None => "the transport ended and gave no cause".into(),
        };
        warn!(session = %session.id, server = transport.server(), %cause, "connection lost");
        self.publish(Phase::Suspended, on, None, |_| {});
        let resumable = Resumable { session, ticket: transport.ticket(), since: Instant::now() };
        (on, Stage::Down { resumable: Some(resumable), eager: false })
    }

    /// Closes the session over a connection that is up.
    async fn close_session(&mut self, transport: Arc<dyn Transport>, deadline: Instant) -> Stage {
        let session = transport.session();
        let confirmed = timeout_at(deadline, transport.close()).await.unwrap_or(false);
        if confirmed {
            info!(session = %session.id, "session closed");
            self.scope.session_ended(self.published.latest().state.epoch);
            return Stage::Closing { resumable: None, deadline };
        }
        let resumable = Resumable { session, ticket: transport.ticket(), since: Instant::now() };
        Stage::Closing { resumable: Some(resumable), deadline }
    }

    /// Closes the session although the connection has ended: attaches to it once more, if time allows.
    async fn end_session(&mut self, resumable: Option<Resumable>, deadline: Instant) -> CloseReason {
        let Some(resumable) = resumable else {
            return CloseReason::Clean;
        };
        let attempts = async {
            loop {
                match self.ensemble.connect(Some(resumable.ticket.clone())).await {
                    Ok(transport) if transport.close().await => {
                        return info!(session = %resumable.session.id, "session closed");
                    }
                    Err(ConnectError::SessionExpired) => {
                        return warn!(session = %resumable.session.id, "session expired");
                    }
                    _ => sleep(self.backoff.next_wait(&mut self.rng)).await,
                }
            }
        };
        match timeout_at(deadline, attempts).await {
            Ok(()) => {
                self.scope.session_ended(self.published.latest().state.epoch);
                CloseReason::Clean
            }
            Err(_) => CloseReason::Lingering(Lingering {
                session: resumable.session.id,
                up_to: resumable.session.timeout,
            }),
        }
    }

    /// The phase to publish when this task ends early, for readers that outlive it.
    fn last_phase(&self) -> Option<Phase> {
        let state = &self.published.latest().state;
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

    fn publish(&self, phase: Phase, on: On, connection: Option<Connection>, change: impl FnOnce(&mut State)) {
        publish((&self.published, &self.scope), (phase, on), connection, change);
    }
}

/// If the task ends before the link is closed, with its runtime or by a panic, no reader may keep seeing a live link.
impl Drop for Supervisor {
    fn drop(&mut self) {
        if let Some(phase) = self.last_phase() {
            if std::thread::panicking() {
                error!("the supervisor of the link panicked, the link is closed");
            }
            self.publish(phase, On::TaskEnded, None, |_| {});
        }
    }
}

/// Why the link is to be closed, and within which time.
fn asked_to_close(close: Option<Close>) -> (On, Duration) {
    close.map_or((On::Dropped, CLOSE_ON_DROP), |close| (On::Close, close.within))
}

/// The one place where the state changes.
fn publish(
    (published, scope): (&latest::Sender<Published>, &Scope),
    (phase, on): (Phase, On),
    connection: Option<Connection>,
    change: impl FnOnce(&mut State),
) {
    published.send_modify(|published| {
        arrows::phase(&published.state.phase, on, &phase);
        if published.state.phase != phase {
            debug!(from = %published.state.phase, to = %phase, "link state changed");
            published.state.phase = phase;
            published.state.since = Instant::now();
        }
        published.connection = connection;
        let before = published.state.reconnects;
        change(&mut published.state);
        scope.metrics.state(&published.state, published.state.reconnects != before);
    });
}

/// Waits until the transport has ended, and returns the cause; `None` if it was dropped without one.
async fn ended(down: &mut latest::Receiver<Option<TransportEnd>>) -> Option<TransportEnd> {
    down.wait_for(Option::is_some).await.and_then(|cause| (*cause).clone())
}

/// Resolves when the transport does not reply although it has not ended: its thread is stuck, or the client on it is
/// broken. Sends one request per session timeout.
async fn unresponsive(transport: &dyn Transport) {
    let period = transport.session().timeout;
    loop {
        sleep(period).await;
        match tokio::time::timeout(period, transport.check()).await {
            Ok(Ok(())) => {}
            // A refusal is a reply, too.
            Ok(Err(error)) if error.outcome() == Outcome::NotDone && error != ErrorKind::NotConnected => {}
            _ => return,
        }
    }
}

#[cfg(test)]
mod tests;
