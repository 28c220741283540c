//! The endpoints to pick from, as readers see them: immutable, in tiers.

use std::sync::Arc;

use crate::chunked::Chunked;
use crate::endpoint::State;
use crate::entry::Entry;

/// An entry, and beside the pointer what is read of many to choose one: a search by hash, or by calls in flight, reads no entry.
#[derive(Debug)]
pub(crate) struct Slot<K, V> {
    pub(crate) entry: Arc<Entry<K, V>>,
    pub(crate) state: Arc<State>,
    pub(crate) hash: u64,
}

impl<K, V> Slot<K, V> {
    pub(crate) fn new(entry: &Arc<Entry<K, V>>) -> Self {
        Self { entry: Arc::clone(entry), state: Arc::clone(&entry.state), hash: entry.hash() }
    }
}

impl<K, V> Clone for Slot<K, V> {
    fn clone(&self) -> Self {
        Self { entry: Arc::clone(&self.entry), state: Arc::clone(&self.state), hash: self.hash }
    }
}

/// What can be said of the endpoints of one tier. A pick takes the first tier in which one suits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Standing {
    /// In service, of the zone and the subset that the configuration prefers.
    Preferred,
    /// In service.
    InService,
    /// In service, but in the set only because its disappearance is not believed yet.
    Held,
    /// Ejected or on probation, but for those in the next tier.
    Suspect,
    /// Ejected or on probation, and the last call was refused.
    Refused,
}

/// How many tiers there are at most.
pub(crate) const TIERS: usize = Standing::ALL.len();

impl Standing {
    pub(crate) const ALL: [Self; 5] =
        [Self::Preferred, Self::InService, Self::Held, Self::Suspect, Self::Refused];

    pub(crate) fn is_in_service(self) -> bool {
        self <= Self::Held
    }
}

/// Endpoints whose weights have the same number of bits: a draw by weight among them is rejected at most every second time.
#[derive(Debug)]
pub(crate) struct Class<K, V> {
    /// Weights are below this power of two, and at least half of it.
    pub(crate) below: u64,
    /// The sum of the weights.
    pub(crate) total: u64,
    pub(crate) slots: Chunked<Slot<K, V>>,
}

impl<K, V> Clone for Class<K, V> {
    fn clone(&self) -> Self {
        Self { below: self.below, total: self.total, slots: self.slots.clone() }
    }
}

/// The endpoints of a tier, numbered from 0.
#[derive(Debug)]
pub(crate) struct Tier<K, V> {
    pub(crate) standing: Standing,
    /// The class of most entries in most sets: apart, as it is then found with one comparison.
    pub(crate) first: Class<K, V>,
    pub(crate) others: Arc<[Class<K, V>]>,
    pub(crate) len: usize,
    /// The sum of the weights.
    pub(crate) total: u64,
}

impl<K, V> Clone for Tier<K, V> {
    fn clone(&self) -> Self {
        let Self { standing, ref first, ref others, len, total } = *self;
        Self { standing, first: first.clone(), others: Arc::clone(others), len, total }
    }
}

impl<K, V> Default for Tier<K, V> {
    fn default() -> Self {
        let first = Class { below: 1, total: 0, slots: Chunked::default() };
        Self { standing: Standing::Preferred, first, others: Arc::new([]), len: 0, total: 0 }
    }
}

impl<K, V> Tier<K, V> {
    /// Makes a tier of at least one class.
    pub(crate) fn new(standing: Standing, classes: impl IntoIterator<Item = Class<K, V>>) -> Option<Self> {
        let mut classes = classes.into_iter().filter(|class| class.slots.len() > 0);
        let first = classes.next()?;
        let others: Arc<[_]> = classes.collect();
        let len = first.slots.len() + others.iter().map(|class| class.slots.len()).sum::<usize>();
        let total = first.total + others.iter().map(|class| class.total).sum::<u64>();
        Some(Self { standing, first, others, len, total })
    }

    #[inline]
    pub(crate) fn slot(&self, index: usize) -> Option<&Slot<K, V>> {
        match self.first.slots.get(index) {
            Some(slot) => Some(slot),
            None => self.slot_of_others(index),
        }
    }

    #[cold]
    fn slot_of_others(&self, index: usize) -> Option<&Slot<K, V>> {
        let mut index = index.checked_sub(self.first.slots.len())?;
        for class in &*self.others {
            match index.checked_sub(class.slots.len()) {
                None => return class.slots.get(index),
                Some(rest) => index = rest,
            }
        }
        None
    }

    pub(crate) fn classes(&self) -> impl Iterator<Item = &Class<K, V>> {
        std::iter::once(&self.first).chain(&*self.others)
    }

    pub(crate) fn slots(&self) -> impl Iterator<Item = &Slot<K, V>> {
        self.classes().flat_map(|class| class.slots.iter())
    }
}

/// The endpoints at one moment.
#[derive(Debug)]
pub(crate) struct Table<K, V> {
    /// Those that are not empty, the best first.
    pub(crate) tiers: Vec<Tier<K, V>>,
    /// The share of calls that begins with the second tier: the zone's endpoints are too few.
    pub(crate) spill: f64,
    /// When the last slow start ends, in milliseconds of the balancer's clock; 0 if there is none.
    pub(crate) slow_until_ms: u64,
    pub(crate) facts: Facts,
}

/// Why there may be nothing to pick.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Facts {
    pub(crate) is_synced: bool,
    /// How many endpoints there are, those included that are never picked.
    pub(crate) listed: usize,
    /// How many of them do not match the labels.
    pub(crate) mismatched: usize,
}

impl<K, V> Default for Table<K, V> {
    fn default() -> Self {
        Self { tiers: Vec::new(), spill: 0.0, slow_until_ms: 0, facts: Facts::default() }
    }
}
