//! The instances that are shown.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use instance::{Endpoint, Instance};

/// The instances that are shown.
#[derive(Debug, Default)]
pub(crate) struct Shown {
    instances: BTreeMap<Endpoint, Arc<Instance>>,
    /// How often they have changed.
    changes: u64,
}

impl Shown {
    /// Shows an instance. Returns whether its endpoint was not shown before.
    pub(super) fn show(&mut self, instance: Arc<Instance>) -> bool {
        let shown = self.instances.entry(instance.endpoint().clone());
        let is_new = matches!(shown, Entry::Vacant(_));
        if !matches!(&shown, Entry::Occupied(shown) if *shown.get() == instance) {
            shown.insert_entry(instance);
            self.changes += 1;
        }
        is_new
    }

    /// Returns whether it was shown.
    pub(super) fn hide(&mut self, endpoint: &Endpoint) -> bool {
        let was_shown = self.instances.remove(endpoint).is_some();
        self.changes += u64::from(was_shown);
        was_shown
    }

    pub(super) fn has(&self, endpoint: &Endpoint) -> bool {
        self.instances.contains_key(endpoint)
    }

    pub(super) fn len(&self) -> usize {
        self.instances.len()
    }

    /// All of them, sorted by endpoint.
    pub(crate) fn instances(&self) -> Box<[Arc<Instance>]> {
        self.instances.values().cloned().collect()
    }

    /// How often they have changed.
    pub(crate) fn changes(&self) -> u64 {
        self.changes
    }
}
