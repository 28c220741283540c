//! What a service registers besides its addresses.

use std::collections::BTreeMap;

use instance::{DEFAULT_WEIGHT, Endpoint, Instance};

/// What the instances of a service register besides their endpoints: the same for all of its listeners.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServiceRecord {
    /// The share of the calls relative to the weights of others: 100 unless it is set, a million at most; 0 asks callers
    /// that go by weight to send nothing.
    pub weight: u32,
    /// The tags, as `zone`.
    pub tags: BTreeMap<String, String>,
}

impl Default for ServiceRecord {
    fn default() -> Self {
        Self { weight: DEFAULT_WEIGHT, tags: BTreeMap::new() }
    }
}

impl ServiceRecord {
    /// Sets a tag, or replaces its value.
    pub fn set_tag(&mut self, key: impl Into<String>, value: impl Into<String>) {
        self.tags.insert(key.into(), value.into());
    }

    pub(super) fn instance(&self, endpoint: Endpoint, draining: bool) -> Instance {
        Instance::new(endpoint).with_weight(self.weight).with_tags(self.tags.clone()).with_draining(draining)
    }
}
