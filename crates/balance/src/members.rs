//! The set of endpoints and their health: a machine without clock, under the balancer's lock.

mod absent;
mod counts;
mod health;
mod known;
mod listed;
mod member;
mod report;
mod subset;
#[cfg(test)]
mod tests;
mod tiers;
mod trials;

use std::hash::Hash;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};

use indexmap::IndexMap;
use tracing::trace;

use crate::config::BalancerConfig;
use crate::endpoint::State;
use crate::entry::{Entry, Reports};
use crate::hash::stable_hash;
use crate::info::EndpointInfo;
use crate::rng::Rng;
use crate::table::{Facts, Standing, Table};
use health::{Identity, UNKNOWN};
use known::{Known, millis};
use member::{Member, Traits};

pub use absent::{MAX_ABSENT, MEMORY};
pub use health::Health;

pub(crate) use report::HealthReport;
pub(crate) use trials::QueuePlace;

/// A change of the set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EntryChange<K, V> {
    /// The endpoint is in the set, with this value: a new one, or a new value of one that is there.
    Insert(K, V),
    /// The endpoint is not in the set any more.
    Remove(K),
}

/// The set, the health of its endpoints, and what is remembered of those that left.
///
/// Times are milliseconds of the balancer's clock, and never go backwards.
pub(crate) struct Members<K, V> {
    config: Arc<BalancerConfig>,
    reports: Weak<dyn Reports<K>>,
    pub(crate) known: Known<K, V>,
    is_synced: bool,
    /// Whether the set is not that of the last table any more.
    is_changed: bool,
    slow_until_ms: u64,
}

impl<K: Eq + Hash + Clone, V: EndpointInfo> Members<K, V> {
    pub(crate) fn new(config: Arc<BalancerConfig>, reports: Weak<dyn Reports<K>>, rng: Rng) -> Self {
        let known = Known::new(&config, rng);
        Self { config, reports, known, is_synced: false, is_changed: false, slow_until_ms: 0 }
    }

    /// Replaces the whole set.
    pub(crate) fn replace(&mut self, set: IndexMap<K, V>, now_ms: u64) {
        // In the order of the set, not of a hash: what a seed does must not depend on it.
        let gone = self.known.listed.members().keys().filter(|key| !set.contains_key(*key));
        let gone: Vec<_> = gone.cloned().map(EntryChange::Remove).collect();
        self.apply(
            gone.into_iter().chain(set.into_iter().map(|(key, value)| EntryChange::Insert(key, value))),
            now_ms,
        );
    }

    /// Makes some changes, in order.
    pub(crate) fn apply(&mut self, changes: impl IntoIterator<Item = EntryChange<K, V>>, now_ms: u64) {
        self.known.absent.forget_old(now_ms);
        // Nobody is new where all are.
        let is_in_use = self.is_synced && !self.known.listed.members().is_empty();
        (self.is_synced, self.is_changed) = (true, true);
        for change in changes {
            match change {
                EntryChange::Insert(key, value) => self.insert(key, value, is_in_use, now_ms),
                EntryChange::Remove(key) => {
                    if let Some(identity) = self.known.listed.remove(&key) {
                        let from = || identity.name(now_ms);
                        trace!(target: "arrow", machine = "endpoint", from = from(), on = "left", to = UNKNOWN);
                        self.known.absent.remember(key, identity, now_ms);
                    }
                }
            }
        }
    }

    /// Whether the table has changed since the last question.
    pub(crate) fn take_changed(&mut self) -> bool {
        self.known.listed.take_changed() | std::mem::take(&mut self.is_changed)
    }

    /// Makes the table that readers pick from.
    pub(crate) fn table(&self, now_ms: u64) -> Table<K, V> {
        let tiers = self.known.listed.tiers();
        let count = |is_counted: fn(Standing) -> bool| -> usize {
            Standing::ALL.into_iter().filter(|s| is_counted(*s)).map(|s| tiers.count(s)).sum()
        };
        let (in_service, all) = (count(Standing::is_in_service), count(|_| true));
        let panics = (in_service as f64) < self.config.panic_threshold * all as f64;
        // A call can spill only from the zone to others that are in service: behind them come those that are not.
        let can_spill = self.config.zone.is_some()
            && !panics
            && tiers.count(Standing::Preferred) > 0
            && tiers.count(Standing::InService) > 0;
        let counts = self.known.listed.counts();
        Table {
            tiers: tiers.snapshot(panics),
            spill: if can_spill { counts.spill() } else { 0.0 },
            slow_until_ms: if self.slow_until_ms > now_ms { self.slow_until_ms } else { 0 },
            facts: Facts {
                is_synced: self.is_synced,
                listed: self.known.listed.members().len(),
                mismatched: counts.mismatched,
            },
        }
    }

    /// All endpoints, with their health and the number of ejections in a row.
    pub(crate) fn healths(
        &self,
        now_ms: u64,
    ) -> impl ExactSizeIterator<Item = (&Arc<Entry<K, V>>, Health, u32)> {
        self.known.listed.members().values().map(move |Member { entry, identity, .. }| {
            let (health, ejections) = identity.health(now_ms);
            (entry, health, ejections)
        })
    }

    fn insert(&mut self, key: K, value: V, is_in_use: bool, now_ms: u64) {
        let incarnation = value.incarnation();
        let kept = match self.known.listed.identity(&key) {
            Some(identity) if identity.is_same(incarnation) => {
                identity.incarnation = incarnation.or(identity.incarnation);
                let state = Arc::clone(&identity.state);
                let (entry, traits) = self.entry(key, value, state);
                self.known.listed.set_value(entry, traits);
                return;
            }
            // Another process: nothing that is known of the one before is true of it.
            Some(identity) => {
                let from = || identity.name(now_ms);
                trace!(target: "arrow", machine = "endpoint", from = from(), on = "replaced", to = UNKNOWN);
                self.known.listed.remove(&key);
                None
            }
            None => self.known.absent.take(&key).filter(|identity| identity.is_same(incarnation)),
        };
        let is_new = kept.is_none();
        let mut identity = kept.unwrap_or_else(|| Identity::new(incarnation));
        identity.incarnation = incarnation.or(identity.incarnation);
        if is_in_use && is_new && !self.config.slow_start.is_zero() {
            identity.state.newcomer_since_ms.store(now_ms.max(1), Ordering::Relaxed);
            self.slow_until_ms = now_ms.saturating_add(millis(self.config.slow_start));
        }
        let on = if is_new { "came" } else { "came_back" };
        trace!(target: "arrow", machine = "endpoint", from = UNKNOWN, on, to = identity.name(now_ms));
        let (entry, traits) = self.entry(key, value, Arc::clone(&identity.state));
        self.known.listed.insert(entry, traits, identity);
    }

    fn entry(&self, key: K, value: V, state: Arc<State>) -> (Arc<Entry<K, V>>, Traits) {
        let hash = stable_hash(&key);
        let entry = Entry::new(key, value, hash, state, self.reports.clone());
        let traits = Traits::new(&self.config, &entry);
        (Arc::new(entry), traits)
    }
}
