//! The set of instances: those with a znode, those that are shown, and the difference.

use std::sync::Arc;
use std::time::Duration;

use instance::{Endpoint, Instance};
use tokio::time::Instant;

use super::arrows::{self, On, Place, arrow};
use super::nodes::{Known, Nodes};
use super::removals::Removals;
use super::shown::Shown;
use crate::config::{DiscoveryConfig, Records};

/// The set of instances. Every instance has a znode or a removal; all are shown but those that wait for their records.
#[derive(Debug)]
pub(crate) struct Set {
    /// Whether an instance waits for its record.
    by_record: bool,
    pub(super) nodes: Nodes,
    pub(crate) shown: Shown,
    removals: Removals,
}

impl Set {
    pub(super) fn new(config: &DiscoveryConfig) -> Self {
        Self {
            by_record: config.records() == Records::Read,
            nodes: Nodes::default(),
            shown: Shown::default(),
            removals: Removals::new(config.settle(), config.mass_disappearance()),
        }
    }

    /// The endpoint of a znode is known from now on, or what is known about it has changed; `after_gap` if nobody knows
    /// since when.
    pub(super) fn place(
        &mut self,
        name: &Arc<str>,
        instance: Instance,
        known: Known,
        after_gap: bool,
        now: Instant,
    ) {
        let endpoint = instance.endpoint().clone();
        let (before, is_first) = self.nodes.set(name, instance.into(), known);
        let was = is_first.then(|| self.removals.came(&endpoint, after_gap, now));
        if let Some(before) = before {
            self.lost(before, name.clone(), false, now);
        }
        let Some(was) = was else { return self.refresh(&endpoint, On::Record) };
        let is_new = self.show_speaker(&endpoint);
        let place = || if is_new || self.shows(&endpoint) { Place::Listed } else { Place::Awaiting };
        arrow(was, On::Created, place);
    }

    /// A znode with this record does not stand any more.
    pub(super) fn left(&mut self, instance: &Instance, name: Arc<str>, now: Instant) {
        self.lost(instance.endpoint().clone(), name, instance.is_draining(), now);
    }

    /// A znode of this endpoint does not stand any more; its record may have said that it was draining.
    fn lost(&mut self, endpoint: Endpoint, name: Arc<str>, was_draining: bool, now: Instant) {
        if self.nodes.stands(&endpoint) {
            self.refresh(&endpoint, On::Deleted);
        } else if self.shows(&endpoint) {
            self.removals.begin(endpoint, name, was_draining, now);
        } else {
            arrow(Place::Awaiting, On::Deleted, || Place::Absent);
            self.removals.went(&endpoint, now);
        }
    }

    /// A znode of this endpoint, which was known to stand or not, does not stand any more, as was meant.
    pub(super) fn left_as_told(&mut self, endpoint: &Endpoint, stood: bool) {
        if self.nodes.stands(endpoint) {
            self.refresh(endpoint, On::Told);
        } else {
            self.remove(endpoint, On::Told, if stood { Place::Awaiting } else { Place::Absent });
        }
    }

    /// The endpoint whose last znode had this name, if it is shown still.
    pub(super) fn endpoint_of_removal(&self, name: &str) -> Option<Endpoint> {
        self.removals.endpoint_of(name)
    }

    /// Shows an endpoint that is listed as its youngest znode has it, unless the record of that is still to be read.
    pub(super) fn refresh(&mut self, endpoint: &Endpoint, on: On) {
        let is_new = self.show_speaker(endpoint);
        arrows::listed(is_new, on, || self.shows(endpoint));
    }

    /// The same. Returns whether it was not shown before.
    fn show_speaker(&mut self, endpoint: &Endpoint) -> bool {
        match self.nodes.speaker(endpoint) {
            Some((instance, known)) if known > Known::ByName || !self.by_record => {
                let instance = Arc::clone(instance);
                self.shown.show(instance)
            }
            _ => false,
        }
    }

    /// Shows the instance of a znode, if its endpoint is known, with what is known.
    pub(super) fn show_as_known(&mut self, name: &str) {
        if let Some((_, Some(endpoint))) = self.nodes.get(name)
            && !self.shows(endpoint)
            && let Some((instance, _)) = self.nodes.speaker(endpoint)
        {
            let instance = Arc::clone(instance);
            self.shown.show(instance);
            arrow(Place::Awaiting, On::Unread, || Place::Listed);
        }
    }

    pub(super) fn shows(&self, endpoint: &Endpoint) -> bool {
        self.shown.has(endpoint)
    }

    /// Whether no instance that is shown has a znode.
    pub(super) fn would_be_empty(&self) -> bool {
        self.removals.len() == self.shown.len()
    }

    /// Removes those that have settled or were held for long enough.
    pub(super) fn remove_due(&mut self, now: Instant) {
        for endpoint in self.removals.take_due(self.len(), now) {
            self.shown.hide(&endpoint);
        }
    }

    /// When [`remove_due`](Self::remove_due) is due next.
    pub(super) fn next_removal(&self) -> Option<Instant> {
        self.removals.next_deadline()
    }

    /// Holds all removals, if they are too large a share.
    pub(super) fn hold_after_new_session(&mut self) {
        self.removals.hold_after_new_session(self.len());
    }

    /// An instance is gone for a reason of its own; it was at `hidden` if it was not shown.
    fn remove(&mut self, endpoint: &Endpoint, on: On, hidden: Place) {
        let removal = self.removals.believe(endpoint);
        let was = if self.shown.hide(endpoint) { Place::Listed } else { hidden };
        arrow(removal.unwrap_or(was), on, || Place::Absent);
    }

    /// Sets for how long a mass disappearance is held.
    pub(crate) fn set_hold(&mut self, hold: Duration) {
        self.removals.set_hold(hold);
    }

    /// The link is up.
    pub(crate) fn link_up(&mut self, now: Instant) {
        self.removals.link_up(now);
    }

    /// The link is down.
    pub(crate) fn link_down(&mut self, now: Instant) {
        self.removals.link_down(now);
    }

    /// An endpoint refused a connection. Removes the instance if it is held; returns whether it was.
    pub(crate) fn refused(&mut self, endpoint: &Endpoint) -> bool {
        let held = self.removals.is_held(endpoint);
        if held {
            self.remove(endpoint, On::Refused, Place::Absent);
        }
        held
    }

    /// Removes all held instances.
    pub(crate) fn release_held(&mut self) {
        let held: Vec<_> = self.held_endpoints().cloned().collect();
        for endpoint in held {
            self.remove(&endpoint, On::Released, Place::Absent);
        }
    }

    /// How many shown instances are held.
    pub(crate) fn held(&self) -> usize {
        self.removals.held()
    }

    /// The endpoints of the shown instances that are held, sorted.
    pub(crate) fn held_endpoints(&self) -> impl Iterator<Item = &Endpoint> + Clone {
        self.removals.held_endpoints()
    }

    /// How many removals were held so far.
    pub(crate) fn total_held(&self) -> u64 {
        self.removals.total_held()
    }

    /// How many instances are shown, or wait for their records.
    pub(crate) fn len(&self) -> usize {
        self.nodes.endpoints() + self.removals.len()
    }
}
