//! Picks from a set that is swapped as a whole.

use std::cell::OnceCell;
use std::fmt;
use std::hash::Hash;
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use parking_lot::Mutex;
use thiserror::Error;
use tokio::time::Instant;

use crate::config::Config;
use crate::health::Rules;
use crate::pick::Pick;
use crate::picker::Picker;
use crate::rng::SharedRng;
use crate::table::{Absent, EndpointStatus, Entry, Table};

/// How many proposals of the picker are tried before all usable endpoints are counted.
const PROPOSALS: usize = 4;

/// Chooses which of a set of endpoints to call. Clones share everything.
///
/// The key is what a caller needs for a call; endpoints with equal keys are the same endpoint. The
/// [crate documentation](crate) says how endpoints that fail are treated.
pub struct Balancer<K> {
    shared: Arc<Shared<K>>,
}

struct Shared<K> {
    /// `None` until the first update.
    table: ArcSwapOption<Table<K>>,
    picker: Picker,
    rules: Arc<Rules>,
    /// The lock also serialises updates; picks do not take it.
    absent: Mutex<Absent<K>>,
}

impl<K: Eq + Hash + Clone> Balancer<K> {
    /// Makes a balancer without endpoints, whose picks fail with [`PickError::NotSynced`].
    #[must_use]
    pub fn new(config: Config) -> Self {
        let rules = Rules {
            start: Instant::now(),
            base: config.base,
            cap: config.cap,
            rng: SharedRng::new(config.seed.unwrap_or_else(rand::random)),
        };
        let shared = Shared {
            table: ArcSwapOption::empty(),
            picker: Picker::new(config.strategy),
            rules: Arc::new(rules),
            absent: Mutex::default(),
        };
        Self { shared: Arc::new(shared) }
    }

    /// Replaces the set of endpoints, which may be empty.
    ///
    /// Endpoints that stay keep their health; that of endpoints that leave is remembered for
    /// [`MEMORY`](crate::MEMORY). Round robin goes in the order of `keys`. A repeated key counts once.
    ///
    /// Takes time and memory in proportion to the set. Earlier picks are not disturbed.
    pub fn update(&self, keys: impl IntoIterator<Item = K>) {
        // The iterator is the caller's code, and runs without the lock.
        let keys: Vec<K> = keys.into_iter().collect();
        let mut absent = self.shared.absent.lock();
        let before = self.shared.table.load_full();
        let table = absent.next_table(before.as_deref(), keys, &self.shared.rules, Instant::now());
        self.shared.table.store(Some(Arc::new(table)));
    }

    /// Chooses an endpoint. Takes no lock and allocates nothing, but for a thread's very first pick.
    ///
    /// # Errors
    /// [`PickError::NotSynced`] before the first [`update`](Self::update), [`PickError::NoInstances`] if the
    /// set is empty. Ejected endpoints are no error: when all look bad, one of them is picked.
    pub fn pick(&self) -> Result<Pick<K>, PickError> {
        self.pick_where(|_| true)
    }

    /// Chooses an endpoint that is not among a few excluded ones.
    ///
    /// # Errors
    /// As [`pick`](Self::pick), and [`PickError::AllExcluded`] if the set has no other.
    pub fn pick_excluding(&self, excluded: &[K]) -> Result<Pick<K>, PickError> {
        self.pick_where(|key| !excluded.contains(key))
    }

    /// Chooses an endpoint for which `wanted` returns true. It is called for one or two endpoints, in the worst case
    /// for all, repeatedly.
    ///
    /// # Errors
    /// As [`pick_excluding`](Self::pick_excluding).
    pub fn pick_where(&self, wanted: impl Fn(&K) -> bool) -> Result<Pick<K>, PickError> {
        let Shared { table, picker, rules, .. } = &*self.shared;
        let table = table.load();
        let entries = &*table.as_ref().ok_or(PickError::NotSynced)?.entries;
        let len = entries.len();
        if len == 0 {
            return Err(PickError::NoInstances);
        }
        // The clock costs more than everything else: it is read once, and only if an endpoint is out of service.
        let now_ms = OnceCell::new();
        let now_ms = || *now_ms.get_or_init(|| rules.now_ms());
        let admit = |entry: &Arc<Entry<K>>| {
            if !wanted(&entry.key) {
                return None;
            }
            entry.health.admit(now_ms).map(|ticket| Pick::new(entry, ticket))
        };
        for _ in 0..PROPOSALS {
            if let Some(pick) = admit(&entries[picker.propose(len, &rules.rng)]) {
                return Ok(pick);
            }
        }
        let choose = |count| picker.choose(count, &rules.rng);
        let usable = |entry: &&Arc<Entry<K>>| wanted(&entry.key) && entry.health.would_admit(now_ms);
        if let Some(entry) = one_of(entries.iter().filter(usable), choose)
            && let Some(pick) = admit(entry)
        {
            return Ok(pick);
        }
        // Another thread may have started the only trial in between.
        if let Some(pick) = entries.iter().find_map(admit) {
            return Ok(pick);
        }
        let wanted = entries.iter().filter(|entry| wanted(&entry.key));
        let entry = when_all_look_bad(wanted, choose).ok_or(PickError::AllExcluded)?;
        Ok(Pick::new(entry, entry.health.admit_anyway()))
    }

    /// Returns the status of each endpoint, in the order of [`update`](Self::update); empty before the first update.
    ///
    /// Meant for people: it allocates, and each status is of a slightly different moment.
    #[must_use]
    pub fn status(&self) -> Vec<EndpointStatus<K>> {
        let table = self.shared.table.load();
        table.as_ref().map(|table| table.status(self.shared.rules.now_ms())).unwrap_or_default()
    }

    pub(crate) fn rng(&self) -> &SharedRng {
        &self.shared.rules.rng
    }
}

/// Counts the entries, and returns the one with the chosen index.
fn one_of<'a, K>(
    entries: impl Iterator<Item = &'a Arc<Entry<K>>> + Clone,
    choose: impl Fn(usize) -> usize,
) -> Option<&'a Arc<Entry<K>>> {
    let count = entries.clone().count();
    // Fewer entries than counted may be usable by now: then the first one is taken.
    if count == 0 { None } else { entries.clone().nth(choose(count)).or_else(|| entries.clone().next()) }
}

/// Chooses among the endpoints that did not refuse, or else the one whose ejection ends soonest.
fn when_all_look_bad<'a, K>(
    entries: impl Iterator<Item = &'a Arc<Entry<K>>> + Clone,
    choose: impl Fn(usize) -> usize,
) -> Option<&'a Arc<Entry<K>>> {
    let not_refused = entries.clone().filter(|entry| entry.health.refused_until_ms().is_none());
    one_of(not_refused, choose).or_else(|| entries.min_by_key(|entry| entry.health.refused_until_ms()))
}

impl<K> Clone for Balancer<K> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared) }
    }
}

impl<K> fmt::Debug for Balancer<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let endpoints = self.shared.table.load().as_ref().map(|table| table.entries.len());
        f.debug_struct("Balancer")
            .field("picker", &self.shared.picker)
            .field("endpoints", &endpoints)
            .finish_non_exhaustive()
    }
}

/// Why there is nothing to pick.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PickError {
    /// The set of endpoints is not known yet.
    #[error("the endpoints are not known yet")]
    NotSynced,
    /// The set of endpoints is known, and empty.
    #[error("there are no endpoints")]
    NoInstances,
    /// The caller excludes all endpoints.
    #[error("all endpoints are excluded")]
    AllExcluded,
}
