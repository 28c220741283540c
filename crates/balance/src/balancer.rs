//! Picks from a set that is swapped as a whole.

use std::cell::OnceCell;
use std::fmt;
use std::hash::Hash;
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use parking_lot::Mutex;
use thiserror::Error;
use tokio::time::Instant;

use crate::health::Rules;
use crate::picker::Picker;
use crate::rng::SharedRng;
use crate::table::{Absent, Entry, Table};
use crate::{Config, EndpointStatus, Pick};

/// How many proposals of the picker are looked at before all endpoints are counted.
const PROPOSALS: usize = 4;

/// Chooses which of a set of endpoints to call, under any key. Clones share everything.
///
/// The key is what a caller needs for a call; endpoints with equal keys are the same endpoint. See the
/// [crate documentation](crate) for how it treats those that fail.
pub struct Balancer<K> {
    shared: Arc<Shared<K>>,
}

struct Shared<K> {
    /// `None` until the first update.
    table: ArcSwapOption<Table<K>>,
    picker: Picker,
    rules: Arc<Rules>,
    /// Also makes updates happen one after the other; picks do not touch it.
    absent: Mutex<Absent<K>>,
}

impl<K: Eq + Hash + Clone> Balancer<K> {
    /// Makes a balancer that has no endpoints yet and says so with [`PickError::NotSynced`].
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

    /// Replaces the set of endpoints; an empty one is a set, too.
    ///
    /// What is known about endpoints that stay is kept, and for those that leave it is remembered for
    /// [`MEMORY`](crate::MEMORY). Round robin goes in the order given. A key named twice counts once.
    ///
    /// Takes time and memory in proportion to the set. Calls of picks made earlier are not disturbed.
    pub fn update(&self, keys: impl IntoIterator<Item = K>) {
        // The iterator is the caller's code: it runs before the lock is taken.
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

    /// Chooses an endpoint that is not among the given few.
    ///
    /// # Errors
    /// As [`pick`](Self::pick), and [`PickError::AllExcluded`] if the set holds no other.
    pub fn pick_excluding(&self, excluded: &[K]) -> Result<Pick<K>, PickError> {
        self.pick_where(|key| !excluded.contains(key))
    }

    /// Chooses an endpoint for which `wanted` says true; it is asked about one or two
    /// of them, in the worst case about all, repeatedly.
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
        // The clock costs more than all the rest: it is read once, and only if an endpoint is not in service.
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
        // Another thread may have been faster, and is trying the only one that could be tried.
        if let Some(pick) = entries.iter().find_map(admit) {
            return Ok(pick);
        }
        let wanted = entries.iter().filter(|entry| wanted(&entry.key));
        let entry = although_all_look_bad(wanted, choose).ok_or(PickError::AllExcluded)?;
        Ok(Pick::new(entry, entry.health.admit_anyway()))
    }

    /// Lists what is known about each endpoint, in the order given to [`update`](Self::update).
    ///
    /// For people to look at: it allocates, and each line is of a slightly different moment. Empty also
    /// before the first update.
    #[must_use]
    pub fn status(&self) -> Vec<EndpointStatus<K>> {
        let table = self.shared.table.load();
        table.as_ref().map(|table| table.status(self.shared.rules.now_ms())).unwrap_or_default()
    }

    pub(crate) fn rng(&self) -> &SharedRng {
        &self.shared.rules.rng
    }
}

/// Counts the entries, and returns the one that is chosen by number.
fn one_of<'a, K>(
    entries: impl Iterator<Item = &'a Arc<Entry<K>>> + Clone,
    choose: impl Fn(usize) -> usize,
) -> Option<&'a Arc<Entry<K>>> {
    let count = entries.clone().count();
    // Fewer than were counted may be left by now; then the first will do.
    if count == 0 { None } else { entries.clone().nth(choose(count)).or_else(|| entries.clone().next()) }
}

/// Chooses among those that did not refuse, or else takes the one to return soonest.
fn although_all_look_bad<'a, K>(
    entries: impl Iterator<Item = &'a Arc<Entry<K>>> + Clone,
    choose: impl Fn(usize) -> usize,
) -> Option<&'a Arc<Entry<K>>> {
    let silent = entries.clone().filter(|entry| entry.health.refused_until_ms().is_none());
    one_of(silent, choose).or_else(|| entries.min_by_key(|entry| entry.health.refused_until_ms()))
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

/// Says why there is nothing to pick.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PickError {
    /// The set of endpoints is not known yet.
    #[error("the endpoints are not known yet")]
    NotSynced,
    /// The set of endpoints is known, and empty.
    #[error("there are no endpoints")]
    NoInstances,
    /// The caller wants none of the endpoints.
    #[error("all endpoints are excluded")]
    AllExcluded,
}
