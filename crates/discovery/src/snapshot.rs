//! An immutable set of instances.

use std::sync::Arc;

use instance::{Endpoint, Instance};

/// The set of instances at one moment: immutable, sorted by endpoint, numbered.
// `Eq` makes comparisons of shared snapshots stop at the pointer.
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

    /// Returns the number of this snapshot: 1 for the first, one more for each that differs.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// Returns the instances, sorted by endpoint.
    pub fn instances(&self) -> &[Arc<Instance>] {
        &self.instances
    }

    /// Returns the endpoints, sorted.
    pub fn endpoints(&self) -> impl ExactSizeIterator<Item = &Endpoint> + Clone {
        self.instances.iter().map(|instance| instance.endpoint())
    }

    /// Returns the instance at an endpoint.
    pub fn get(&self, endpoint: &Endpoint) -> Option<&Arc<Instance>> {
        let at = self.instances.binary_search_by(|instance| instance.endpoint().cmp(endpoint)).ok()?;
        self.instances.get(at)
    }

    /// Returns the number of instances.
    pub fn len(&self) -> usize {
        self.instances.len()
    }

    /// Returns whether there are no instances.
    pub fn is_empty(&self) -> bool {
        self.instances.is_empty()
    }
}
