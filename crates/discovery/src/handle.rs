//! The handle that a program keeps to read the view.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use futures_util::future::{BoxFuture, Shared};
use futures_util::stream::{self, BoxStream};
use futures_util::{FutureExt, StreamExt};
use instance::{Endpoint, Format, Plain};
use tokio::sync::watch;
use tokio::time::Instant;
use zk_core::{State, States, Zk};

use crate::change::Changes;
use crate::config::DiscoveryConfig;
use crate::metrics::Metrics;
use crate::publisher::Publisher;
use crate::snapshot::Snapshot;
use crate::view::View;
use crate::watcher::{Controls, Driver, Machine, commands};

/// Follows one root. Cheap to clone; clones share the view.
///
/// `Drop` of the last clone stops following and removes the watch from the server; on a server before
/// ZooKeeper 3.6 the watches end with the connection. [`shutdown`](Self::shutdown) does so at once, and waits.
///
/// Following also ends when the link is closed, when the runtime of [`start`](Self::start) ends, and with a panic, for
/// example of a [`Format`]. Then the last view is stale, its [`trouble`](View::trouble) is the reason, and everything
/// that waits for another returns.
#[derive(Clone, Debug)]
pub struct Discovery {
    latest: Arc<ArcSwap<View>>,
    views: watch::Receiver<Arc<View>>,
    controls: Controls,
    /// Only for the reasons of those who wait: it does not keep the link open.
    links: States,
    /// The end of the task.
    task: Shared<BoxFuture<'static, ()>>,
}

/// There were too few instances when the time was over, or discovery has ended.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
///
/// `Display` says why: `no reply from ZooKeeper within 2s; wanted at least 1: waiting for ZooKeeper: no server reachable
/// (127.0.0.1:2181: Connection refused (os error 111))`.
#[error("{} within {waited:?}; wanted at least {wanted}{}", known(.view), cause(.view, .link))]
pub struct NotReady {
    /// How many instances the caller wanted.
    pub wanted: usize,
    /// How long the caller waited.
    pub waited: Duration,
    /// The view at the end: its [`trouble`](View::trouble) is why the root cannot be followed, for example missing rights.
    pub view: Arc<View>,
    /// The state of the link at the end: its [`trouble`](State::trouble) is why there is no connection, if a cause is known by
    /// then. A server that does not answer is one after 2 s.
    pub link: Box<State>,
}

fn known(view: &View) -> String {
    match &view.snapshot {
        None => "no reply from ZooKeeper".into(),
        Some(snapshot) => format!("{} instances listed", snapshot.len()),
    }
}

fn cause(view: &View, link: &State) -> String {
    match &view.trouble {
        Some(trouble) => format!(": {trouble}"),
        None if link.is_connected() => String::new(),
        None => format!(": {link}"),
    }
}

impl Discovery {
    /// Starts to follow the root of `config`, whose records have the `plain` format. Returns at once, and keeps a clone of
    /// the link.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn start(zk: &Zk, config: DiscoveryConfig) -> Self {
        Self::start_with_format(zk, config, Arc::new(Plain))
    }

    /// Starts like [`start`](Self::start), with records in another format.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn start_with_format(zk: &Zk, config: DiscoveryConfig, format: Arc<dyn Format>) -> Self {
        let view = View::not_synced();
        let latest = Arc::new(ArcSwap::from_pointee(view.clone()));
        let (views_tx, views) = watch::channel(latest.load_full());
        let (controls, commands) = commands();
        let publisher = Publisher::new(latest.clone(), views_tx, Metrics::new(config.root()));
        let machine = Machine::new(config.clone(), format, view, zk.sources().rng());
        let driver = Driver::new(zk, &config, machine, commands, publisher);
        // Its owners are the handles.
        let task = tokio::spawn(driver.run(config)).map(drop).boxed().shared();
        Self { latest, views, controls, links: zk.states(), task }
    }

    /// Stops following, for all clones, and waits until the task has ended. The clones keep the last view, which is stale
    /// for good. The server removes the watch soon after.
    ///
    /// # Cancel safety
    /// Once polled, following ends though the future is dropped.
    pub async fn shutdown(self) {
        self.controls.stop();
        self.task.await;
    }

    /// Returns the current view. Takes no lock.
    pub fn view(&self) -> Arc<View> {
        self.latest.load_full()
    }

    /// Returns a channel with the latest view: it may skip views, but never the last one.
    pub fn views(&self) -> watch::Receiver<Arc<View>> {
        self.views.clone()
    }

    /// Returns the views as a stream, from the present one on; it may skip views, but never the last one, after which it ends.
    pub fn view_stream(&self) -> BoxStream<'static, Arc<View>> {
        let mut views = self.views.clone();
        views.mark_changed();
        let next = |mut views: watch::Receiver<Arc<View>>| async move {
            views.changed().await.ok()?;
            let view = views.borrow_and_update().clone();
            Some((view, views))
        };
        stream::unfold(views, next).boxed()
    }

    /// Returns the changes from now on, beginning with the whole set: a stream.
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
        let (started, mut views) = (Instant::now(), self.views.clone());
        // An error means that discovery has ended.
        if views.has_changed().is_ok() {
            let enough = views.wait_for(|view| view.snapshot.as_ref().is_some_and(|s| s.len() >= min));
            if let Ok(Ok(view)) = tokio::time::timeout(timeout, enough).await
                && let Some(snapshot) = &view.snapshot
            {
                return Ok(snapshot.clone());
            }
        }
        let (waited, link) = (started.elapsed().min(timeout), Box::new(self.links.clone().latest()));
        Err(NotReady { wanted: min, waited, view: self.view(), link })
    }

    /// Reports that an instance refused a connection. If the instance is held and there is a link, the view
    /// drops it at once; otherwise nothing happens.
    pub fn report_refused(&self, endpoint: &Endpoint) {
        if self.latest.load().held > 0 {
            self.controls.report_refused(endpoint);
        }
    }

    /// Removes all held instances: the operator confirms that they are gone.
    pub fn release_held(&self) {
        self.controls.release();
    }
}
