//! A list that was read from a file.

use std::sync::Arc;
use std::time::SystemTime;

use instance::{Endpoint, Instance};

/// What a file says: the instances, sorted by endpoint, and when they were known to be right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SavedList {
    instances: Vec<Arc<Instance>>,
    saved_at: SystemTime,
}

impl SavedList {
    /// Of a repeated endpoint the last instance counts.
    pub(crate) fn new(instances: impl IntoIterator<Item = Instance>, saved_at: SystemTime) -> Self {
        let mut instances: Vec<_> = instances.into_iter().map(Arc::new).collect();
        // Stable: the last one of an endpoint comes first.
        instances.reverse();
        instances.sort_by(|a, b| a.endpoint().cmp(b.endpoint()));
        instances.dedup_by(|a, b| a.endpoint() == b.endpoint());
        Self { instances, saved_at }
    }

    pub(crate) fn saved_at(&self) -> SystemTime {
        self.saved_at
    }

    pub(crate) fn instances(&self) -> &[Arc<Instance>] {
        &self.instances
    }

    pub(crate) fn get(&self, endpoint: &Endpoint) -> Option<&Arc<Instance>> {
        let at = self.instances.binary_search_by(|instance| instance.endpoint().cmp(endpoint)).ok()?;
        self.instances.get(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_sorted_and_of_a_repeated_endpoint_the_last_instance_counts() {
        let instance = |port: u16, weight| {
            Instance::new(format!("127.0.0.1:{port}").parse().unwrap()).with_weight(weight)
        };
        let list = SavedList::new([instance(3, 1), instance(1, 1), instance(3, 2)], SystemTime::UNIX_EPOCH);
        let all: Vec<_> = list.instances().iter().map(|one| (one.endpoint().port(), one.weight())).collect();
        assert_eq!(all, [(1, 1), (3, 2)]);
        assert_eq!(list.get(instance(3, 0).endpoint()).unwrap().weight(), 2);
        assert_eq!(list.get(instance(2, 0).endpoint()), None);
    }
}
