//! The endpoints to pick from, and those that left a while ago.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering, fence};
use std::time::Duration;

use tokio::time::Instant;

use crate::health::{Health, HealthCell, Rules};
use crate::metrics;

/// For how long an endpoint that left is remembered, in case it comes back.
pub const MEMORY: Duration = Duration::from_secs(60);

/// How many endpoints that left are remembered; those that left first are forgotten first.
pub const MAX_ABSENT: usize = 1024;

/// One endpoint and what is known about it.
#[derive(Debug)]
pub(crate) struct Entry<K> {
    pub(crate) key: K,
    pub(crate) health: HealthCell,
    pub(crate) in_flight: AtomicU32,
    pub(crate) rules: Arc<Rules>,
    /// Whether it is in the current set.
    listed: AtomicBool,
    /// Whether the gauge of endpoints out of service counts it.
    counted: AtomicBool,
}

/// What is known about one endpoint at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct EndpointStatus<K> {
    /// The endpoint.
    pub key: K,
    /// Its health.
    pub health: Health,
    /// How many failures in a row led to its ejection; 0 in service.
    pub failures: u32,
    /// How many calls are in flight.
    pub in_flight: u32,
}

impl<K> Entry<K> {
    pub(crate) fn new(key: K, rules: &Arc<Rules>) -> Self {
        Self {
            key,
            health: HealthCell::default(),
            in_flight: AtomicU32::new(0),
            rules: Arc::clone(rules),
            listed: AtomicBool::new(false),
            counted: AtomicBool::new(false),
        }
    }

    fn list(&self, listed: bool) {
        self.listed.store(listed, Ordering::Relaxed);
        self.count();
    }

    /// Updates the gauge after a change of the health or of `listed`.
    pub(crate) fn count(&self) {
        let wanted = || {
            // If two threads have each changed one of the two, one of them sees both changes.
            fence(Ordering::SeqCst);
            self.listed.load(Ordering::Relaxed) && !self.health.in_service()
        };
        loop {
            let count = wanted();
            if self.counted.swap(count, Ordering::SeqCst) != count {
                metrics::out_of_service(count);
            }
            // Another thread may have changed one of them since: the thread that swaps last checks last.
            if wanted() == count {
                return;
            }
        }
    }
}

impl<K> Drop for Entry<K> {
    fn drop(&mut self) {
        if *self.counted.get_mut() {
            metrics::out_of_service(false);
        }
    }
}

/// An immutable set of endpoints, in the order of the update.
#[derive(Debug)]
pub(crate) struct Table<K> {
    pub(crate) entries: Box<[Arc<Entry<K>>]>,
}

impl<K: Clone> Table<K> {
    pub(crate) fn status(&self, now_ms: u64) -> Vec<EndpointStatus<K>> {
        let status = |entry: &Arc<Entry<K>>| {
            let (health, failures) = entry.health.health(now_ms);
            let in_flight = entry.in_flight.load(Ordering::Relaxed);
            EndpointStatus { key: entry.key.clone(), health, failures, in_flight }
        };
        self.entries.iter().map(status).collect()
    }
}

/// The endpoints that left a while ago.
#[derive(Debug)]
pub(crate) struct Absent<K> {
    entries: HashMap<K, Left<K>>,
    /// How many have left so far.
    count: u64,
}

/// An endpoint that left.
#[derive(Debug)]
struct Left<K> {
    at: Instant,
    /// The order in which they left, so that it does not depend on hashes which of them is forgotten.
    number: u64,
    entry: Arc<Entry<K>>,
}

impl<K> Default for Absent<K> {
    fn default() -> Self {
        Self { entries: HashMap::new(), count: 0 }
    }
}

impl<K: Eq + Hash + Clone> Absent<K> {
    /// Makes the next table, with the entries of endpoints that stay or return, and new entries for the others.
    pub(crate) fn next_table(
        &mut self,
        before: Option<&Table<K>>,
        keys: Vec<K>,
        rules: &Arc<Rules>,
        now: Instant,
    ) -> Table<K> {
        // All entries count as absent until the new table takes them.
        for entry in before.iter().flat_map(|table| &table.entries) {
            self.count += 1;
            let left = Left { at: now, number: self.count, entry: Arc::clone(entry) };
            self.entries.insert(entry.key.clone(), left);
        }
        self.entries.retain(|_, left| now.duration_since(left.at) <= MEMORY);
        let mut seen = HashSet::with_capacity(keys.len());
        let mut entries = Vec::with_capacity(keys.len());
        for key in keys {
            if !seen.insert(key.clone()) {
                continue;
            }
            let entry = match self.entries.remove(&key) {
                Some(left) => left.entry,
                None => Arc::new(Entry::new(key, rules)),
            };
            entry.list(true);
            entries.push(entry);
        }
        // Repeated for those that left earlier, which does no harm.
        self.entries.values().for_each(|left| left.entry.list(false));
        self.forget_the_oldest();
        Table { entries: entries.into() }
    }

    fn forget_the_oldest(&mut self) {
        let Some(excess) = self.entries.len().checked_sub(MAX_ABSENT).filter(|excess| *excess > 0) else {
            return;
        };
        let mut numbers: Vec<u64> = self.entries.values().map(|left| left.number).collect();
        let (_, last, _) = numbers.select_nth_unstable(excess - 1);
        let last = *last;
        self.entries.retain(|_, left| left.number > last);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::SharedRng;

    fn rules() -> Arc<Rules> {
        let second = Duration::from_secs(1);
        Arc::new(Rules { start: Instant::now(), base: second, cap: second, rng: SharedRng::new(1) })
    }

    #[test]
    fn an_endpoint_that_returns_in_time_keeps_its_entry() {
        let (rules, now, mut absent) = (rules(), Instant::now(), Absent::default());
        let first = absent.next_table(None, vec!["a", "b"], &rules, now);
        let second = absent.next_table(Some(&first), vec!["b"], &rules, now);
        let third = absent.next_table(Some(&second), vec!["a", "b"], &rules, now + MEMORY);
        assert!(Arc::ptr_eq(&first.entries[0], &third.entries[0]));
        assert!(Arc::ptr_eq(&first.entries[1], &third.entries[1]));
    }

    #[test]
    fn an_endpoint_that_returns_late_has_a_new_entry() {
        let (rules, now, mut absent) = (rules(), Instant::now(), Absent::default());
        let first = absent.next_table(None, vec!["a"], &rules, now);
        let second = absent.next_table(Some(&first), vec![], &rules, now);
        let late = now + MEMORY + Duration::from_millis(1);
        let third = absent.next_table(Some(&second), vec!["a"], &rules, late);
        assert!(!Arc::ptr_eq(&first.entries[0], &third.entries[0]));
    }

    #[test]
    fn a_repeated_key_counts_once() {
        let table = Absent::default().next_table(None, vec!["a", "b", "a"], &rules(), Instant::now());
        assert_eq!(table.entries.iter().map(|entry| entry.key).collect::<Vec<_>>(), ["a", "b"]);
    }

    #[test]
    fn absent_endpoints_are_bounded_and_the_oldest_are_forgotten_first() {
        let (rules, now, mut absent) = (rules(), Instant::now(), Absent::default());
        let early = absent.next_table(None, (0..10).collect(), &rules, now);
        let late = absent.next_table(Some(&early), (10..10 + MAX_ABSENT).collect(), &rules, now);
        absent.next_table(Some(&late), vec![], &rules, now + Duration::from_secs(1));
        assert_eq!(absent.entries.len(), MAX_ABSENT);
        assert!((0..10).all(|key| !absent.entries.contains_key(&key)));
    }

    #[test]
    fn of_endpoints_that_left_together_the_first_of_the_set_are_forgotten() {
        let (rules, mut absent) = (rules(), Absent::default());
        let all = absent.next_table(None, (0..MAX_ABSENT + 10).collect(), &rules, Instant::now());
        absent.next_table(Some(&all), vec![], &rules, Instant::now());
        assert!((0..MAX_ABSENT + 10).all(|key| absent.entries.contains_key(&key) == (key >= 10)));
    }
}
