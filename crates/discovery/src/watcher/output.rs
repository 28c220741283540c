//! What comes out of the machine: the effects, and the view that is published next among them.

use std::collections::VecDeque;
use std::sync::Arc;

use tokio::time::Instant;

use super::effect::{Effect, Published};
use crate::membership::Membership;
use crate::metrics::Count;
use crate::snapshot::Snapshot;
use crate::view::{Freshness, View};

#[derive(Debug)]
pub(super) struct Output {
    effects: VecDeque<Effect>,
    next: View,
    published: View,
    /// The changes of the shown instances that the snapshot contains.
    shown_changes: u64,
    /// The held removals that were counted.
    removals_held: u64,
}

impl Output {
    pub(super) fn new(published: View) -> Self {
        let (effects, next) = (VecDeque::new(), published.clone());
        Self { effects, next, published, shown_changes: 0, removals_held: 0 }
    }

    pub(super) fn push(&mut self, effect: Effect) {
        self.effects.push_back(effect);
    }

    pub(super) fn count(&mut self, kind: Count) {
        self.push(Effect::Count(kind, 1));
    }

    pub(super) fn pop(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    pub(super) fn is_live(&self) -> bool {
        self.next.is_live()
    }

    /// Whether the root was followed before.
    pub(super) fn is_synced(&self) -> bool {
        self.is_live() || self.next.snapshot.is_some()
    }

    /// The root is followed from now on. Nothing is published yet.
    pub(super) fn set_live(&mut self, now: Instant) {
        self.next.freshness = Freshness::Live { since: now };
        self.next.trouble = None;
    }

    /// The root is not followed any more; the set stays. Nothing is published yet.
    pub(super) fn set_stale(&mut self, now: Instant) {
        self.next.freshness = Freshness::Stale { since: now };
    }

    /// Publishes why the root cannot be followed; the set stays. Returns whether the reason is new.
    pub(super) fn publish_trouble(&mut self, trouble: String) -> bool {
        let is_new = self.next.trouble.as_deref() != Some(&trouble);
        if is_new {
            self.next.trouble = Some(trouble.into());
            self.publish();
        }
        is_new
    }

    /// Publishes the current instances. Called after the first list.
    pub(super) fn show(&mut self, membership: &Membership) {
        // The first set waits for its records, and not for those of instances that come meanwhile.
        let (Freshness::Live { since } | Freshness::Stale { since }) = self.next.freshness;
        if self.next.snapshot.is_none() && membership.awaits_records(since) {
            return;
        }
        let shown_changes = membership.set.shown.changes();
        if self.next.snapshot.is_none() || shown_changes != self.shown_changes {
            self.shown_changes = shown_changes;
            let instances = membership.set.shown.instances();
            let revision = match &self.next.snapshot {
                None => Some(1),
                // An instance went and came back between two views.
                Some(old) if old.instances().eq(&instances) => None,
                Some(old) => Some(old.revision() + 1),
            };
            if let Some(revision) = revision {
                self.next.snapshot = Some(Arc::new(Snapshot::new(revision, instances)));
            }
        }
        self.next.set_held(membership.set.held_endpoints());
        self.next.skipped = membership.skipped();
        self.next.unreadable = membership.unreadable();
        let held_since = membership.set.total_held() - self.removals_held;
        if held_since > 0 {
            self.removals_held += held_since;
            self.push(Effect::Count(Count::RemovalsHeld, held_since));
        }
        self.publish();
    }

    fn publish(&mut self) {
        if self.next != self.published {
            self.published = self.next.clone();
            self.push(Effect::Publish(Published(Arc::new(self.next.clone()))));
        }
    }
}
