//! The znodes that stand: by name, and by endpoint.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use instance::{Endpoint, Instance};
use zk_core::Zxid;

/// What the instance of a znode is known from. Where an endpoint has several znodes, the one with the greatest speaks
/// for it: the youngest of those whose record was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Known {
    /// The name alone: the record is still to be read, or not wanted.
    ByName,
    /// The name alone: the record may not be read.
    Denied,
    /// The record of the znode that was created by this transaction.
    ByRecord(Zxid),
}

#[derive(Debug)]
struct Node {
    /// `None` while the endpoint is unknown.
    instance: Option<Arc<Instance>>,
    known: Known,
}

/// All znodes that stand and may be instances.
#[derive(Debug, Default)]
pub(super) struct Nodes {
    by_name: BTreeMap<Arc<str>, Node>,
    /// Those whose endpoint is known.
    by_endpoint: BTreeSet<(Endpoint, Arc<str>)>,
    /// How many endpoints have a znode.
    endpoints: usize,
}

impl Nodes {
    /// A znode was created, perhaps again: what was known of it stays. Returns its name, to be shared.
    pub(super) fn created(&mut self, name: &str) -> Arc<str> {
        if let Some((name, _)) = self.by_name.get_key_value(name) {
            return Arc::clone(name);
        }
        let name: Arc<str> = name.into();
        self.by_name.insert(Arc::clone(&name), Node { instance: None, known: Known::ByName });
        name
    }

    /// Sets what is known of a znode that stands. Returns its endpoint of before, if that was another one, and whether it
    /// is the first znode of its endpoint.
    pub(super) fn set(
        &mut self,
        name: &Arc<str>,
        instance: Arc<Instance>,
        known: Known,
    ) -> (Option<Endpoint>, bool) {
        let Some(node) = self.by_name.get_mut(name) else { return (None, false) };
        let endpoint = instance.endpoint().clone();
        let before = node.instance.replace(instance).map(|before| before.endpoint().clone());
        node.known = known;
        if before.as_ref() == Some(&endpoint) {
            return (None, false);
        }
        if let Some(before) = &before {
            self.unplace(before, name);
        }
        let is_first = !self.stands(&endpoint);
        self.endpoints += usize::from(is_first);
        self.by_endpoint.insert((endpoint, Arc::clone(name)));
        (before, is_first)
    }

    /// The record of a znode may not be read.
    pub(super) fn deny(&mut self, name: &str) {
        if let Some(node) = self.by_name.get_mut(name) {
            node.known = Known::Denied;
        }
    }

    /// A znode was deleted. Returns its name, and its instance as far as that was known; `None` if it did not stand.
    pub(super) fn remove(&mut self, name: &str) -> Option<(Arc<str>, Option<Arc<Instance>>)> {
        let (name, node) = self.by_name.remove_entry(name)?;
        if let Some(instance) = &node.instance {
            self.unplace(instance.endpoint(), &name);
        }
        Some((name, node.instance))
    }

    fn unplace(&mut self, endpoint: &Endpoint, name: &Arc<str>) {
        self.by_endpoint.remove(&(endpoint.clone(), Arc::clone(name)));
        self.endpoints -= usize::from(!self.stands(endpoint));
    }

    /// The znodes of an endpoint.
    fn names(&self, endpoint: &Endpoint) -> impl Iterator<Item = &Arc<str>> {
        let first = (endpoint.clone(), Arc::default());
        self.by_endpoint.range(first..).take_while(move |(other, _)| other == endpoint).map(|(_, name)| name)
    }

    /// Whether a znode of this endpoint stands.
    pub(super) fn stands(&self, endpoint: &Endpoint) -> bool {
        self.names(endpoint).next().is_some()
    }

    /// The instance as the znode that speaks for the endpoint has it.
    pub(super) fn speaker(&self, endpoint: &Endpoint) -> Option<(&Arc<Instance>, Known)> {
        let node =
            self.names(endpoint).filter_map(|name| self.by_name.get(name)).max_by_key(|node| node.known)?;
        Some((node.instance.as_ref()?, node.known))
    }

    /// The name of a znode that stands, to be shared, and its endpoint if that is known.
    pub(super) fn get(&self, name: &str) -> Option<(&Arc<str>, Option<&Endpoint>)> {
        let (name, node) = self.by_name.get_key_value(name)?;
        Some((name, node.instance.as_deref().map(Instance::endpoint)))
    }

    /// The names that these sorted ones lack.
    pub(super) fn missing_in(&self, sorted: &[&str]) -> Vec<Arc<str>> {
        let missing = |name: &&Arc<str>| sorted.binary_search(&&***name).is_err();
        self.by_name.keys().filter(missing).cloned().collect()
    }

    /// How many endpoints have a znode.
    pub(super) fn endpoints(&self) -> usize {
        self.endpoints
    }
}
