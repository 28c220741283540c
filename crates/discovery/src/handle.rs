//! The handle that a program keeps to read the view.

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
use crate::watcher::{Commands, Watcher};

/// Follows one root. Cheap to clone; clones share the view.
///
/// `Drop` of the last clone stops following and removes the watch from the server; on a server before
/// ZooKeeper 3.6 the watches end with the connection.
#[derive(Clone, Debug)]
pub struct Discovery {
    latest: Arc<ArcSwap<View>>,
    views: watch::Receiver<Arc<View>>,
    refused: mpsc::Sender<Endpoint>,
    release: Arc<Notify>,
}

/// There were too few instances when the time was over.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{} within {waited:?}; wanted at least {wanted}", known(.view))]
pub struct NotReady {
    /// How many instances the caller wanted.
    pub wanted: usize,
    /// How long the caller waited.
    pub waited: Duration,
    /// The view at the end.
    pub view: Arc<View>,
}

fn known(view: &View) -> String {
    match &view.snapshot {
        None => "no reply from ZooKeeper".into(),
        Some(snapshot) => format!("{} instances listed", snapshot.len()),
    }
}

/// How many reports of refused connections may wait; further ones are dropped, as the next attempt reports again.
const REPORTS: usize = 64;

impl Discovery {
    /// Starts to follow the root of `config`, whose records have the `plain` format. Returns at once.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn start(zk: Zk, config: Config) -> Self {
        Self::start_with_format(zk, config, Box::new(Plain))
    }

    /// Starts like [`start`](Self::start), with records in another format.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn start_with_format(zk: Zk, config: Config, format: Box<dyn Format>) -> Self {
        let view = Arc::new(View::not_synced());
        let latest = Arc::new(ArcSwap::new(view.clone()));
        let (views_tx, views) = watch::channel(view);
        let (refused, refused_rx) = mpsc::channel(REPORTS);
        let release = Arc::new(Notify::new());
        let commands = Commands { refused: refused_rx, release: release.clone() };
        let publisher = Publisher::new(latest.clone(), views_tx, Metrics::new(config.root()));
        // Ends when every handle is dropped, or the link is closed.
        tokio::spawn(Watcher::new(zk, config, format, publisher, commands).run());
        Self { latest, views, refused, release }
    }

    /// Returns the current view. Takes no lock.
    pub fn view(&self) -> Arc<View> {
        self.latest.load_full()
    }

    /// Returns a channel with the latest view: it may skip views, but never the last one.
    pub fn views(&self) -> watch::Receiver<Arc<View>> {
        self.views.clone()
    }

    /// Returns the changes from now on, beginning with the whole set.
    pub fn changes(&self) -> Changes {
        Changes::new(self.views.clone())
    }

    /// Waits until at least `min` instances are known, stale or not.
    ///
    /// # Errors
    /// [`NotReady`] if there are fewer after `timeout`, or if discovery has ended.
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

    /// Reports that an instance refused a connection. If the instance is held and there is a link, the view
    /// drops it at once; otherwise nothing happens.
    pub fn report_refused(&self, endpoint: &Endpoint) {
        if self.latest.load().held > 0 {
            let _ = self.refused.try_send(endpoint.clone());
        }
    }

    /// Removes all held instances: the operator confirms that they are gone.
    pub fn release_held(&self) {
        self.release.notify_one();
    }
}
