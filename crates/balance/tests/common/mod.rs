//! Values with every fact, and what several tests ask.

#![allow(dead_code, reason = "each test uses a part")]

use std::collections::BTreeMap;

use balance::{Balancer, BalancerConfig, EndpointInfo, EndpointStatus, Failure, Picker, Reader};

/// What is known of an endpoint.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Value {
    pub(crate) weight: u32,
    pub(crate) tags: BTreeMap<&'static str, &'static str>,
    pub(crate) draining: bool,
    pub(crate) held: bool,
    pub(crate) incarnation: Option<u128>,
}

impl Default for Value {
    fn default() -> Self {
        Self { weight: 100, tags: BTreeMap::new(), draining: false, held: false, incarnation: None }
    }
}

impl Value {
    pub(crate) fn with_tag(mut self, name: &'static str, value: &'static str) -> Self {
        self.tags.insert(name, value);
        self
    }

    pub(crate) fn weighing(weight: u32) -> Self {
        Self { weight, ..Self::default() }
    }

    pub(crate) fn draining() -> Self {
        Self { draining: true, ..Self::default() }
    }

    pub(crate) fn held() -> Self {
        Self { held: true, ..Self::default() }
    }

    pub(crate) fn of(incarnation: u128) -> Self {
        Self { incarnation: Some(incarnation), ..Self::default() }
    }
}

impl EndpointInfo for Value {
    fn weight(&self) -> u32 {
        self.weight
    }
    fn tag(&self, name: &str) -> Option<&str> {
        self.tags.get(name).copied()
    }
    fn incarnation(&self) -> Option<u128> {
        self.incarnation
    }
    fn is_draining(&self) -> bool {
        self.draining
    }
    fn is_held(&self) -> bool {
        self.held
    }
}

/// A balancer of endpoints that tell nothing.
pub(crate) fn balancer(config: BalancerConfig, keys: impl IntoIterator<Item = u32>) -> Balancer<u32, ()> {
    let balancer = Balancer::new(config.with_seed(7));
    balancer.update(keys.into_iter().map(|key| (key, ())));
    balancer
}

/// Lets one call to an endpoint fail.
pub(crate) fn fail<V: EndpointInfo, P: Picker<u32, V>>(
    reader: &mut Reader<u32, V, P>,
    key: u32,
    failure: Failure,
) {
    let pick = reader.pick_where(|k| *k == key).expect("the key is in the set");
    assert!(!pick.is_trial());
    pick.fail(failure);
}

/// Counts the keys of so many choices.
pub(crate) fn count<V: EndpointInfo, P: Picker<u32, V>>(
    reader: &mut Reader<u32, V, P>,
    choices: usize,
) -> BTreeMap<u32, usize> {
    let mut counts = BTreeMap::new();
    for _ in 0..choices {
        *counts.entry(*reader.choose().expect("there are endpoints").key()).or_default() += 1;
    }
    counts
}

/// The keys of many choices.
pub(crate) fn chosen<V: EndpointInfo, P: Picker<u32, V>>(reader: &mut Reader<u32, V, P>) -> Vec<u32> {
    count(reader, 500).into_keys().collect()
}

pub(crate) fn status<V: EndpointInfo + Send + Sync + 'static>(
    balancer: &Balancer<u32, V>,
    key: u32,
) -> EndpointStatus<u32> {
    balancer.status().into_iter().find(|status| status.key == key).expect("the endpoint is in the set")
}
