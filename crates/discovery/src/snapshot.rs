//! An immutable set of instances.

use std::iter::FusedIterator;
use std::slice;
use std::sync::Arc;

use instance::{Endpoint, Instance};

/// The set of instances at one moment: immutable, sorted by endpoint, numbered. With the feature `serde` it is written as
/// `{"revision":7,"instances":[{"endpoint":"10.0.0.7:80", ...}]}`.
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
// `Eq` makes comparisons of shared snapshots stop at the pointer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    revision: u64,
    #[cfg_attr(feature = "serde", serde(serialize_with = "in_order"))]
    instances: Box<[Arc<Instance>]>,
}

#[cfg(feature = "serde")]
fn in_order<S: serde::Serializer>(instances: &[Arc<Instance>], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(instances.iter().map(|instance| &**instance))
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
    pub fn instances(&self) -> Instances<'_> {
        Instances(self.instances.iter())
    }

    /// Returns the endpoints, sorted.
    pub fn endpoints(&self) -> impl ExactSizeIterator<Item = &Endpoint> + DoubleEndedIterator + Clone {
        self.instances().map(|instance| instance.endpoint())
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

/// The instances of a [`Snapshot`], sorted by endpoint.
#[derive(Clone, Debug)]
pub struct Instances<'a>(slice::Iter<'a, Arc<Instance>>);

impl<'a> Iterator for Instances<'a> {
    type Item = &'a Arc<Instance>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

impl DoubleEndedIterator for Instances<'_> {
    fn next_back(&mut self) -> Option<Self::Item> {
        self.0.next_back()
    }
}

impl ExactSizeIterator for Instances<'_> {}

impl FusedIterator for Instances<'_> {}

impl<'a> IntoIterator for &'a Snapshot {
    type Item = &'a Arc<Instance>;
    type IntoIter = Instances<'a>;

    fn into_iter(self) -> Instances<'a> {
        self.instances()
    }
}
