//! The handle.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};

use crate::config::Config;
use crate::connection::{Connection, Scope};
use crate::metrics::Metrics;
use crate::path::ZnodePath;
use crate::state::{CloseReason, Lingering, Phase, State};
use crate::supervisor::{Close, Published, Supervisor};
use crate::transport::Ensemble;
use crate::transport::apache::{Apache, StartError};

/// A supervised link to an ensemble. Cheap to clone; all clones share the link and its session.
///
/// `Drop` of the last clone closes the session in the background, for up to two seconds and only while
/// the runtime lives. A program that is about to exit calls [`close`](Self::close) and waits for it, or
/// its ephemeral znodes stay for a session timeout.
#[derive(Clone, Debug)]
pub struct Zk {
    published: watch::Receiver<Published>,
    close: mpsc::Sender<Close>,
}

/// The link was closed: nothing can be done with it any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the link to the ensemble is closed")]
pub struct Closed;

/// The longest that a close may take: a bound that keeps clocks from overflowing.
const LONGEST_CLOSE: Duration = Duration::from_secs(24 * 3600);

impl Zk {
    /// Starts to connect, and keeps at it for ever. Returns at once.
    ///
    /// # Errors
    /// If this process cannot have what every link needs, because file descriptors or threads are short; see
    /// [`prepare`](crate::prepare). That the ensemble cannot be reached is no error: it is waited for.
    ///
    /// # Panics
    /// Outside a tokio runtime with time and I/O enabled.
    pub fn start(config: Config) -> Result<Self, StartError> {
        let ensemble = Arc::new(Apache::new(&config)?);
        Ok(Self::supervise(ensemble, config.chroot().clone(), config.operation_timeout()))
    }

    /// The same on another implementation of the seam below: a simulated ensemble, say.
    ///
    /// # Panics
    /// Outside a tokio runtime with time enabled.
    pub fn start_on(ensemble: Arc<dyn Ensemble>) -> Self {
        Self::supervise(ensemble, ZnodePath::root(), None)
    }

    fn supervise(ensemble: Arc<dyn Ensemble>, chroot: ZnodePath, limit: Option<Duration>) -> Self {
        let scope = Scope::new(chroot, limit, Metrics::new(ensemble.name()));
        let initial = Published { state: State::initial(), connection: None };
        scope.metrics.state(&initial.state, false);
        let (published_tx, published) = watch::channel(initial);
        let (close, close_rx) = mpsc::channel(1);
        // Ends when the session is closed: on request, or because every handle is gone.
        tokio::spawn(Supervisor::new(ensemble, Arc::new(scope), published_tx, close_rx).run());
        Self { published, close }
    }

    /// The state now.
    pub fn state(&self) -> State {
        self.published.borrow().state.clone()
    }

    /// Follows the state. States that come and go between two looks are not seen; their counters are.
    pub fn states(&self) -> States {
        States { published: self.published.clone() }
    }

    /// The connection, if the link is up.
    pub fn connection(&self) -> Option<Connection> {
        self.published.borrow().usable().cloned()
    }

    /// Waits for the link to be up.
    ///
    /// # Errors
    /// [`Closed`] if the link is closed, or becomes it.
    ///
    /// # Cancel safety
    /// Safe.
    pub async fn connected(&self) -> Result<Connection, Closed> {
        let mut published = self.published.clone();
        let up = published.wait_for(|p| p.usable().is_some() || p.state.is_closed()).await;
        up.ok().and_then(|published| published.usable().cloned()).ok_or(Closed)
    }

    /// Ends the session, and waits for the ensemble's word: when this returns `Ok` the ephemeral znodes
    /// are gone. While the link is down it tries to come through for as long as `within`.
    ///
    /// Further calls, and calls on other clones, wait for the same end.
    ///
    /// # Errors
    /// [`Lingering`] if the ensemble could not be told in time: the ephemeral znodes then stay until it
    /// expires the session.
    ///
    /// # Cancel safety
    /// The close goes on if the future is dropped.
    pub async fn close(&self, within: Duration) -> Result<(), Lingering> {
        // An error means that a close is under way or done.
        let _ = self.close.try_send(Close { within: within.min(LONGEST_CLOSE) });
        let mut published = self.published.clone();
        // An error means that the supervisor is gone; it has told how things stand before.
        let _ = published.wait_for(|published| published.state.is_closed()).await;
        match &published.borrow().state.phase {
            Phase::Closed(CloseReason::Lingering(lingering)) => Err(lingering.clone()),
            _ => Ok(()),
        }
    }
}

/// Follows the published [`State`].
#[derive(Clone, Debug)]
pub struct States {
    published: watch::Receiver<Published>,
}

impl States {
    /// The latest state, marked as seen.
    pub fn latest(&mut self) -> State {
        self.published.borrow_and_update().state.clone()
    }

    /// Waits for a state that was not seen yet; `None` when the link is closed and that was seen.
    ///
    /// # Cancel safety
    /// No state is lost if the future is dropped.
    pub async fn changed(&mut self) -> Option<State> {
        self.published.changed().await.ok()?;
        Some(self.latest())
    }

    /// Waits for a state that satisfies `wanted`; `None` if the link is closed before one does.
    ///
    /// # Cancel safety
    /// Safe.
    pub async fn wait_for(&mut self, mut wanted: impl FnMut(&State) -> bool) -> Option<State> {
        let found = self.published.wait_for(|published| wanted(&published.state)).await;
        found.ok().map(|published| published.state.clone())
    }
}
