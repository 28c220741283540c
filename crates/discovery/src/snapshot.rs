//! The set of instances at one moment.

use std::sync::Arc;

use instance::{Endpoint, Instance};

/// The set of instances at one moment: immutable, sorted by endpoint, numbered.
// `Eq` lets comparisons of shared snapshots stop at the pointer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    revision: u64,
    instances: Box<[Arc<Instance>]>,
}

impl Snapshot {
    /// Instances sorted by endpoint, one for each.
    pub(crate) fn new(revision: u64, instances: Box<[Arc<Instance>]>) -> Self {
        Self { revision, instances }
    }

    /// The number of this snapshot: 1 for the first, one more for each that differs.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// The instances, sorted by endpoint.
    pub fn instances(&self) -> &[Arc<Instance>] {
        &self.instances
    }

    /// The endpoints, sorted.
    pub fn endpoints(&self) -> impl ExactSizeIterator<Item = &Endpoint> + Clone {
        self.instances.iter().map(|instance| instance.endpoint())
    }

    /// The instance at an endpoint.
    pub fn get(&self, endpoint: &Endpoint) -> Option<&Arc<Instance>> {
        let at = self.instances.binary_search_by(|instance| instance.endpoint().cmp(endpoint)).ok()?;
        self.instances.get(at)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.instances.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.instances.is_empty()
    }
}
