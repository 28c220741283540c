//! The one place where the view changes.

use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::membership::Membership;
use crate::metrics::Metrics;
use crate::snapshot::Snapshot;
use crate::view::{Freshness, View};

pub(crate) struct Publisher {
    /// The view as it is published, but for a first snapshot that is not complete yet.
    view: View,
    /// The membership's steps that the snapshot shows.
    shown: u64,
    held: u64,
    latest: Arc<ArcSwap<View>>,
    views: watch::Sender<Arc<View>>,
    pub(crate) metrics: Metrics,
}

impl Publisher {
    pub(crate) fn new(latest: Arc<ArcSwap<View>>, views: watch::Sender<Arc<View>>, metrics: Metrics) -> Self {
        let view = View::clone(&latest.load());
        metrics.show(&view);
        Self { view, shown: 0, held: 0, latest, views, metrics }
    }

    pub(crate) fn is_live(&self) -> bool {
        self.view.is_live()
    }

    pub(crate) fn trouble(&self) -> Option<&str> {
        self.view.trouble.as_deref()
    }

    /// Follows from now on.
    pub(crate) fn live(&mut self, membership: &Membership) {
        self.view.freshness = Freshness::Live { since: Instant::now() };
        self.view.trouble = None;
        self.publish(membership);
    }

    /// Follows no more: the set stays as it is.
    pub(crate) fn stale(&mut self, membership: &Membership) {
        self.view.freshness = Freshness::Stale { since: Instant::now() };
        self.publish(membership);
    }

    /// Cannot follow, and why. What is known of the members is what it was.
    pub(crate) fn in_trouble(&mut self, trouble: String) {
        self.view.trouble = Some(trouble.into());
        self.send();
    }

    /// Shows what there is by now, once there was a list.
    pub(crate) fn publish(&mut self, membership: &Membership) {
        // The first set is shown whole: with what records there are by then.
        if self.view.snapshot.is_none() && membership.is_arriving() {
            return;
        }
        let steps = membership.steps();
        if self.view.snapshot.is_none() || steps != self.shown {
            self.shown = steps;
            let instances = membership.instances();
            let revision = match &self.view.snapshot {
                None => Some(1),
                // Gone and come again between two views: not news.
                Some(old) if *old.instances() == *instances => None,
                Some(old) => Some(old.revision() + 1),
            };
            if let Some(revision) = revision {
                self.view.snapshot = Some(Arc::new(Snapshot::new(revision, instances)));
            }
        }
        self.view.held = membership.held();
        self.view.skipped = membership.skipped();
        self.view.unreadable = membership.unreadable();
        self.metrics.removals_held.increment(membership.ever_held() - self.held);
        self.held = membership.ever_held();
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

    /// Waits until nobody follows the view any more.
    pub(crate) fn closed(&self) -> impl Future<Output = ()> + use<> {
        let views = self.views.clone();
        async move { views.closed().await }
    }
}
