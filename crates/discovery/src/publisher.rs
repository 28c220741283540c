//! Publishes the view: the one place where it changes.

use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::metrics::Metrics;
use crate::view::{Freshness, View};

/// `Drop` publishes that the last view is stale for good, and why: however the task that owns this ends.
pub(crate) struct Publisher {
    latest: Arc<ArcSwap<View>>,
    views: watch::Sender<Arc<View>>,
    pub(crate) metrics: Metrics,
    /// Why following has ended, unless the task was dropped.
    ended: Option<&'static str>,
}

impl Publisher {
    pub(crate) fn new(latest: Arc<ArcSwap<View>>, views: watch::Sender<Arc<View>>, metrics: Metrics) -> Self {
        metrics.show(&latest.load());
        Self { latest, views, metrics, ended: None }
    }

    pub(crate) fn publish(&self, view: Arc<View>) {
        self.metrics.show(&view);
        self.latest.store(view.clone());
        self.views.send_replace(view);
    }

    /// Following ends now.
    pub(crate) fn ended(&mut self, reason: &'static str) {
        self.ended = Some(reason);
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        let reason = self.ended.unwrap_or("the runtime of discovery has ended");
        let mut view = View::clone(&self.latest.load());
        if view.is_live() {
            view.freshness = Freshness::Stale { since: Instant::now() };
        }
        view.trouble = Some(reason.into());
        self.publish(Arc::new(view));
    }
}
