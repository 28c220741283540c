//! The set of endpoints that readers pick from.

use std::fmt;
use std::hash::Hash;
use std::sync::Arc;

use indexmap::IndexMap;

use crate::config::BalancerConfig;
use crate::entry::Entry;
use crate::info::EndpointInfo;
use crate::into_pair::IntoPair;
use crate::members::{EntryChange, Health};
use crate::shared::Shared;

/// A set of endpoints, and the health of each. Clones share everything.
///
/// A key is what a caller needs for a call; endpoints with equal keys are the same endpoint. The value is what is known about
/// it, and may change. [`reader`](crate::Reader) picks; the [crate documentation](crate) says how endpoints that fail are treated.
pub struct Balancer<K, V> {
    pub(crate) shared: Arc<Shared<K, V>>,
}

impl<K, V> Balancer<K, V>
where
    K: Eq + Hash + Clone + Send + Sync + 'static,
    V: EndpointInfo + Send + Sync + 'static,
{
    /// Makes a balancer without endpoints, whose picks fail with [`PickError::NotSynced`](crate::PickError::NotSynced).
    #[must_use]
    pub fn new(config: BalancerConfig) -> Self {
        Self { shared: Shared::new(config) }
    }

    /// Replaces the set of endpoints, which may be empty: pairs of key and value, or references to them ([`IntoPair`]). Of a
    /// repeated key the last value counts.
    ///
    /// Endpoints that stay keep their health; that of endpoints that leave is remembered for [`MEMORY`](crate::MEMORY). One whose
    /// [incarnation](EndpointInfo::incarnation) is another is another endpoint.
    ///
    /// Takes time in proportion to the set; [`apply`](Self::apply) does not. Earlier picks are not disturbed.
    pub fn update(&self, set: impl IntoIterator<Item = impl IntoPair<K, V>>) {
        // The iterator is the caller's code, and so is what drops the values that do not count: they run without the lock.
        let set: IndexMap<K, V> = set.into_iter().map(IntoPair::into_pair).collect();
        self.shared.change(|members, now_ms| members.replace(set, now_ms));
    }

    /// Makes some changes to the set, in order, of which picks see all or nothing. The first changes also make the set known, as
    /// [`update`](Self::update) does.
    ///
    /// A change takes microseconds, in a set of 100,000, too.
    pub fn apply(&self, changes: impl IntoIterator<Item = EntryChange<K, V>>) {
        let changes: Vec<_> = changes.into_iter().collect();
        self.shared.change(|members, now_ms| members.apply(changes, now_ms));
    }

    /// Returns the status of each endpoint; empty before the first update.
    ///
    /// Meant for people: it allocates and takes the lock.
    #[must_use]
    pub fn status(&self) -> Vec<EndpointStatus<K>> {
        let status = |(entry, health, ejections): (&Arc<Entry<K, V>>, _, _)| EndpointStatus {
            key: entry.key().clone(),
            weight: entry.weight(),
            health,
            ejections,
            in_flight: entry.in_flight(),
        };
        self.shared.look(|members, now_ms| members.healths(now_ms).map(status).collect())
    }
}

impl<K, V> Clone for Balancer<K, V> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared) }
    }
}

impl<K, V> fmt::Debug for Balancer<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let facts = self.shared.table().facts;
        f.debug_struct("Balancer")
            .field("strategy", &self.shared.config.strategy)
            .field("endpoints", &facts.is_synced.then_some(facts.listed))
            .finish_non_exhaustive()
    }
}

/// What is known about one endpoint at one moment. `Display` is one line for an operator: `10.0.0.7:80: ejected for another
/// 1.2s (ejection 2 in a row), weight 100, 3 calls in flight`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct EndpointStatus<K> {
    /// The endpoint.
    pub key: K,
    /// Its weight; 0 wants no new calls.
    pub weight: u32,
    /// Its health.
    pub health: Health,
    /// How many ejections in a row there were; 0 in service.
    pub ejections: u32,
    /// How many calls are in flight.
    pub in_flight: u32,
}

impl<K: fmt::Display> fmt::Display for EndpointStatus<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key, weight, health, ejections, in_flight } = self;
        write!(f, "{key}: {health}")?;
        if *ejections > 0 {
            write!(f, " (ejection {ejections} in a row)")?;
        }
        write!(f, ", weight {weight}, {in_flight} calls in flight")
    }
}
