//! The handle that a program keeps.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use instance::{Endpoint, Format, Plain};
use tokio::sync::{Notify, mpsc, watch};
use zk_core::Zk;

use crate::change::Changes;
use crate::config::Config;
use crate::metrics::Metrics;
use crate::publisher::Publisher;
use crate::snapshot::Snapshot;
use crate::view::View;
use crate::watcher::{Orders, Watcher};

/// Follows one root. Cheap to clone; clones share the view.
///
/// `Drop` of the last clone ends the following, and takes the watch off the server; from a server before
/// ZooKeeper 3.6 its watches go with the connection.
#[derive(Clone, Debug)]
pub struct Discovery {
    latest: Arc<ArcSwap<View>>,
    views: watch::Receiver<Arc<View>>,
    refused: mpsc::Sender<Endpoint>,
    release: Arc<Notify>,
}

/// There were not as many instances as asked for, in time.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{} within {waited:?}; wanted at least {wanted}", told(.view))]
pub struct NotReady {
    /// How many were wanted.
    pub wanted: usize,
    /// How long was waited.
    pub waited: Duration,
    /// The view at the end.
    pub view: Arc<View>,
}

fn told(view: &View) -> String {
    match &view.snapshot {
        None => "no answer from ZooKeeper".into(),
        Some(snapshot) => format!("{} instances listed", snapshot.len()),
    }
}

/// Reports that may wait; more are dropped, as the next attempt reports again.
const REPORTS: usize = 64;

impl Discovery {
    /// Starts to follow the root of `config`, in the `plain` format. Returns at once.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn start(zk: Zk, config: Config) -> Self {
        Self::start_with_format(zk, config, Box::new(Plain))
    }

    /// The same in another format.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn start_with_format(zk: Zk, config: Config, format: Box<dyn Format>) -> Self {
        let view = Arc::new(View::not_synced());
        let latest = Arc::new(ArcSwap::new(view.clone()));
        let (views_tx, views) = watch::channel(view);
        let (refused, refused_rx) = mpsc::channel(REPORTS);
        let release = Arc::new(Notify::new());
        let orders = Orders { refused: refused_rx, release: release.clone() };
        let publisher = Publisher::new(latest.clone(), views_tx, Metrics::new(config.root()));
        // Ends when every handle is dropped, or the link is closed.
        tokio::spawn(Watcher::new(zk, config, format, publisher, orders).run());
        Self { latest, views, refused, release }
    }

    /// The view now. Takes no lock.
    pub fn view(&self) -> Arc<View> {
        self.latest.load_full()
    }

    /// Follows the view: a latest-value channel, which may skip views but never the last one.
    pub fn views(&self) -> watch::Receiver<Arc<View>> {
        self.views.clone()
    }

    /// Follows the changes, beginning with all that is there.
    pub fn changes(&self) -> Changes {
        Changes::new(self.views.clone())
    }

    /// Waits until at least `min` instances are known, stale or not.
    ///
    /// # Errors
    /// [`NotReady`] if there are fewer after `timeout`, or following ended.
    ///
    /// # Cancel safety
    /// Safe.
    pub async fn ready(&self, min: usize, timeout: Duration) -> Result<Arc<Snapshot>, NotReady> {
        let mut views = self.views.clone();
        let enough = views.wait_for(|view| view.snapshot.as_ref().is_some_and(|s| s.len() >= min));
        if let Ok(Ok(view)) = tokio::time::timeout(timeout, enough).await
            && let Some(snapshot) = &view.snapshot
        {
            return Ok(snapshot.clone());
        }
        Err(NotReady { wanted: min, waited: timeout, view: self.view() })
    }

    /// Tells that a connection to an instance was refused. If it is only shown because a mass
    /// disappearance is held, it goes at once; otherwise nothing happens.
    pub fn report_refused(&self, endpoint: &Endpoint) {
        if self.latest.load().held > 0 {
            let _ = self.refused.try_send(endpoint.clone());
        }
    }

    /// Believes a mass disappearance that is held: the operator's word.
    pub fn release_held(&self) {
        self.release.notify_one();
    }
}
