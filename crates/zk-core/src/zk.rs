//! The handle of a link, and the stream of its states.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::config::{ZkConfig, ZkHost};
use crate::connection::{Connection, Scope};
use crate::metrics::Metrics;
use crate::path::ZnodePath;
use crate::sources::Sources;
use crate::state::{CloseReason, Lingering, Phase, State};
use crate::supervisor::{Close, Published, Supervisor};
use crate::transport::apache::{Apache, StartError};
use crate::transport::{Ensemble, latest};

/// A supervised link to an ensemble. Cheap to clone; all clones share the link and its session.
///
/// `Drop` of the last clone closes the session in the background, for up to two seconds and only while the runtime
/// runs. A program that is about to exit calls [`close`](Self::close) and waits for it; otherwise its ephemeral znodes
/// stay for a session timeout.
///
/// If the runtime of the link goes away, or its task panics (in an [`Ensemble`] of the caller's, for one), the link is
/// closed: its state says so, and every call that waits returns.
#[derive(Clone, Debug)]
pub struct Zk {
    published: latest::Receiver<Published>,
    close: mpsc::Sender<Close>,
    sources: Sources,
    hosts: Arc<[ZkHost]>,
}

/// The link is closed for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the link to the ensemble is closed")]
pub struct Closed;

/// There was no connection in time, or the link is closed.
///
/// `Display` says why: `no connection to ZooKeeper within 2s: waiting for ZooKeeper: no server reachable (127.0.0.1:2181:
/// Connection refused (os error 111))`.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("no connection to ZooKeeper within {waited:?}: {state}{}", unexplained(.state))]
pub struct NotConnected {
    /// How long the caller waited.
    pub waited: Duration,
    /// The state of the link at the end: its [`trouble`](State::trouble) is the cause, if one is known by then. A server that
    /// does not answer is one after 2 s.
    pub state: Box<State>,
}

fn unexplained(state: &State) -> &'static str {
    match state.trouble {
        None if !state.is_closed() => ", which has neither answered nor refused yet",
        _ => "",
    }
}

/// The longest time that a close may take, so that deadlines do not overflow.
const LONGEST_CLOSE: Duration = Duration::from_secs(24 * 3600);

impl Zk {
    /// Starts a link, which connects and reconnects until it is closed. Returns at once.
    ///
    /// # Errors
    /// If this process has too few file descriptors or threads for a link; see [`prepare`](crate::prepare). An
    /// unreachable ensemble is no error: the link waits for it.
    ///
    /// # Panics
    /// Outside a tokio runtime with time and I/O enabled.
    pub fn start(config: ZkConfig) -> Result<Self, StartError> {
        let ensemble = Arc::new(Apache::new(&config)?);
        let (chroot, limit) = (config.chroot().clone(), config.operation_timeout());
        let link = Self::supervise(ensemble, chroot, limit, Sources::system());
        Ok(Self { hosts: config.hosts().into(), ..link })
    }

    /// Starts a link on another implementation of the traits of [`transport`](crate::transport), such as a simulated
    /// ensemble. Returns at once. What is built on the link takes its randomness and its wall-clock time from `sources`,
    /// too.
    ///
    /// # Panics
    /// Outside a tokio runtime with time enabled.
    pub fn start_on(ensemble: Arc<dyn Ensemble>, sources: Sources) -> Self {
        Self::supervise(ensemble, ZnodePath::root(), None, sources)
    }

    fn supervise(
        ensemble: Arc<dyn Ensemble>,
        chroot: ZnodePath,
        limit: Option<Duration>,
        sources: Sources,
    ) -> Self {
        let scope = Scope::new(chroot, limit, Metrics::new(ensemble.name()));
        let initial = Published { state: State::initial(), connection: None };
        scope.metrics.state(&initial.state, false);
        let (published_tx, published) = latest::channel(initial);
        let (close, close_rx) = mpsc::channel(1);
        // Ends when the session is closed: on request, or because every handle was dropped. Its end of `published` shows
        // that it has, however it did; `close` waits for that.
        let supervisor = Supervisor::new(ensemble, Arc::new(scope), published_tx, close_rx, sources.rng());
        tokio::spawn(supervisor.run());
        Self { published, close, sources, hosts: Arc::default() }
    }

    /// The addresses of the ensemble in the configuration, in its order. None with [`start_on`](Self::start_on).
    pub fn hosts(&self) -> &[ZkHost] {
        &self.hosts
    }

    /// Where everything on this link takes its randomness and its wall-clock time from.
    pub fn sources(&self) -> &Sources {
        &self.sources
    }

    /// The current state.
    pub fn state(&self) -> State {
        self.published.latest().state.clone()
    }

    /// Follows the state. A reader may miss states between two reads, but the counters of [`State`] include them.
    pub fn states(&self) -> States {
        States { published: self.published.clone() }
    }

    /// The connection, if the link is up.
    pub fn connection(&self) -> Option<Connection> {
        self.published.latest().usable().cloned()
    }

    /// Waits for the link to be up, however long that takes: [`state`](Self::state) says why it is not.
    ///
    /// # Errors
    /// [`Closed`] if the link is closed, now or while this waits.
    ///
    /// # Cancel safety
    /// Safe.
    pub async fn connected(&self) -> Result<Connection, Closed> {
        let mut published = self.published.clone();
        let up = published.wait_for(|p| p.usable().is_some() || p.state.is_closed()).await;
        up.and_then(|published| published.usable().cloned()).ok_or(Closed)
    }

    /// Waits for the link to be up, for some time, and says why it is not. With zero it answers at once.
    ///
    /// # Errors
    /// [`NotConnected`] if the link is not up after `timeout`, or is closed before.
    ///
    /// # Cancel safety
    /// Safe.
    pub async fn connected_within(&self, timeout: Duration) -> Result<Connection, NotConnected> {
        let started = Instant::now();
        match tokio::time::timeout(timeout, self.connected()).await {
            Ok(Ok(connection)) => Ok(connection),
            _ => Err(NotConnected { waited: started.elapsed().min(timeout), state: Box::new(self.state()) }),
        }
    }

    /// Closes the session, and waits until the ensemble confirms: when this returns `Ok` the ephemeral znodes are gone.
    /// While the link is down it tries to reconnect and close, for up to `within` (a day at most).
    ///
    /// Further calls, and calls on other clones, wait for the same end. The task of the link has ended then, too: it
    /// refers to nothing any more.
    ///
    /// # Errors
    /// [`Lingering`] if the ensemble did not confirm in time: the ephemeral znodes then stay until it expires the
    /// session.
    ///
    /// # Cancel safety
    /// The close continues if the future is dropped.
    pub async fn close(&self, within: Duration) -> Result<(), Lingering> {
        // An error means that a close is in progress or done.
        let _ = self.close.try_send(Close { within: within.min(LONGEST_CLOSE) });
        let mut published = self.published.clone();
        // The supervisor drops its end of the channel when it ends, after it has published the last state.
        while published.changed().await.is_some() {}
        match &published.latest().state.phase {
            Phase::Closed(CloseReason::Lingering(lingering)) => Err(lingering.clone()),
            _ => Ok(()),
        }
    }
}

/// Follows the published [`State`].
#[derive(Clone, Debug)]
pub struct States {
    published: latest::Receiver<Published>,
}

impl States {
    /// The latest state, which then counts as seen.
    pub fn latest(&mut self) -> State {
        self.published.see().state.clone()
    }

    /// Waits for a state that was not seen yet; `None` when the link is closed and its last state was seen.
    ///
    /// # Cancel safety
    /// No state is lost if the future is dropped.
    pub async fn changed(&mut self) -> Option<State> {
        self.published.changed().await.map(|published| published.state.clone())
    }

    /// Waits for a state that satisfies `wanted`; `None` if the link closes before that.
    ///
    /// # Cancel safety
    /// Safe.
    pub async fn wait_for(&mut self, mut wanted: impl FnMut(&State) -> bool) -> Option<State> {
        let found = self.published.wait_for(|published| wanted(&published.state)).await;
        found.map(|published| published.state.clone())
    }
}
