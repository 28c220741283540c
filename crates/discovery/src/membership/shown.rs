//! The instances that the view shows.

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::sync::Arc;

use instance::{Endpoint, Instance};

/// One instance for each endpoint.
#[derive(Debug, Default)]
pub(super) struct Shown {
    instances: BTreeSet<ByEndpoint>,
    /// How often they have changed.
    changes: u64,
}

impl Shown {
    /// Shows an instance in place of that with the same endpoint.
    pub(super) fn show(&mut self, instance: Arc<Instance>) {
        if self.instances.get(instance.endpoint()).is_none_or(|shown| shown.0 != instance) {
            self.instances.replace(ByEndpoint(instance));
            self.changes += 1;
        }
    }

    pub(super) fn remove(&mut self, endpoint: &Endpoint) {
        self.changes += u64::from(self.instances.remove(endpoint));
    }

    pub(super) fn contains(&self, endpoint: &Endpoint) -> bool {
        self.instances.contains(endpoint)
    }

    pub(super) fn len(&self) -> usize {
        self.instances.len()
    }

    pub(super) fn changes(&self) -> u64 {
        self.changes
    }

    /// The instances, sorted by endpoint.
    pub(super) fn instances(&self) -> Box<[Arc<Instance>]> {
        self.instances.iter().map(|shown| Arc::clone(&shown.0)).collect()
    }
}

/// An instance that is found by its endpoint: a map would keep each endpoint twice.
#[derive(Debug)]
struct ByEndpoint(Arc<Instance>);

impl Borrow<Endpoint> for ByEndpoint {
    fn borrow(&self) -> &Endpoint {
        self.0.endpoint()
    }
}

impl Ord for ByEndpoint {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.endpoint().cmp(other.0.endpoint())
    }
}

impl PartialOrd for ByEndpoint {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for ByEndpoint {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for ByEndpoint {}
