//! Publishes the view: the one place where it changes.

use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::membership::Membership;
use crate::metrics::Metrics;
use crate::snapshot::Snapshot;
use crate::view::{Freshness, View};

pub(crate) struct Publisher {
    /// The published view, or the next one while the first snapshot is incomplete.
    view: View,
    /// The changes of the shown instances that the snapshot contains.
    shown_changes: u64,
    /// The held removals that the metrics count.
    total_held: u64,
    latest: Arc<ArcSwap<View>>,
    views: watch::Sender<Arc<View>>,
    pub(crate) metrics: Metrics,
}

impl Publisher {
    pub(crate) fn new(latest: Arc<ArcSwap<View>>, views: watch::Sender<Arc<View>>, metrics: Metrics) -> Self {
        let view = View::clone(&latest.load());
        metrics.show(&view);
        Self { view, shown_changes: 0, total_held: 0, latest, views, metrics }
    }

    pub(crate) fn is_live(&self) -> bool {
        self.view.is_live()
    }

    pub(crate) fn trouble(&self) -> Option<&str> {
        self.view.trouble.as_deref()
    }

    /// The root is followed from now on.
    pub(crate) fn live(&mut self, membership: &Membership) {
        self.view.freshness = Freshness::Live { since: Instant::now() };
        self.view.trouble = None;
        self.publish(membership);
    }

    /// The root is not followed any more; the set stays.
    pub(crate) fn stale(&mut self, membership: &Membership) {
        self.view.freshness = Freshness::Stale { since: Instant::now() };
        self.publish(membership);
    }

    /// Publishes why the root cannot be followed; the set stays.
    pub(crate) fn report_trouble(&mut self, trouble: String) {
        self.view.trouble = Some(trouble.into());
        self.send();
    }

    /// Publishes the current instances. Called after the first list.
    pub(crate) fn publish(&mut self, membership: &Membership) {
        // The first set waits for its records.
        if self.view.snapshot.is_none() && membership.awaits_records() {
            return;
        }
        let shown_changes = membership.set.changes();
        if self.view.snapshot.is_none() || shown_changes != self.shown_changes {
            self.shown_changes = shown_changes;
            let instances = membership.set.instances();
            let revision = match &self.view.snapshot {
                None => Some(1),
                // An instance went and came back between two views.
                Some(old) if old.instances().eq(&instances) => None,
                Some(old) => Some(old.revision() + 1),
            };
            if let Some(revision) = revision {
                self.view.snapshot = Some(Arc::new(Snapshot::new(revision, instances)));
            }
        }
        self.view.held = membership.set.held();
        self.view.skipped = membership.skipped();
        self.view.unreadable = membership.unreadable();
        self.metrics.removals_held.increment(membership.set.total_held() - self.total_held);
        self.total_held = membership.set.total_held();
        self.send();
    }

    fn send(&mut self) {
        if self.view != **self.latest.load() {
            let view = Arc::new(self.view.clone());
            self.metrics.show(&view);
            self.latest.store(view.clone());
            self.views.send_replace(view);
        }
    }

    /// Waits until all handles are dropped.
    pub(crate) fn closed(&self) -> impl Future<Output = ()> + use<> {
        let views = self.views.clone();
        async move { views.closed().await }
    }
}
