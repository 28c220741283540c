//! The endpoints to pick from, as readers see them: immutable, in tiers.

use std::sync::Arc;

use crate::chunked::{CHUNK, Chunked, Columns};
use crate::endpoint::State;
use crate::entry::Entry;

/// An entry, and beside the pointer what is read of many to choose one: a search by hash, or by calls in flight, reads no entry.
pub(crate) struct Row<K, V> {
    entry: Arc<Entry<K, V>>,
    state: Arc<State>,
    hash: u64,
}

impl<K, V> Row<K, V> {
    pub(crate) fn new(entry: &Arc<Entry<K, V>>) -> Self {
        Self { entry: Arc::clone(entry), state: Arc::clone(&entry.state), hash: entry.hash() }
    }

    pub(crate) fn entry(&self) -> &Entry<K, V> {
        &self.entry
    }

    #[cfg(test)]
    pub(crate) fn slot(&self) -> Slot<'_, K, V> {
        Slot { entry: &self.entry, state: &self.state, hash: self.hash }
    }
}

/// A row in its place.
#[derive(Debug)]
pub(crate) struct Slot<'a, K, V> {
    pub(crate) entry: &'a Arc<Entry<K, V>>,
    pub(crate) state: &'a State,
    pub(crate) hash: u64,
}

impl<K, V> Clone for Slot<'_, K, V> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<K, V> Copy for Slot<'_, K, V> {}

/// Some rows. A pick that reads the pointers of entries only, or of states only, has three times as many of them in its cache as if
/// they were side by side.
#[derive(Debug)]
pub(crate) struct Slots<K, V> {
    entries: [Option<Arc<Entry<K, V>>>; CHUNK],
    states: [Option<Arc<State>>; CHUNK],
    hashes: [u64; CHUNK],
}

impl<K, V> Clone for Slots<K, V> {
    fn clone(&self) -> Self {
        Self { entries: self.entries.clone(), states: self.states.clone(), hashes: self.hashes }
    }
}

impl<K, V> Columns for Slots<K, V> {
    type Row = Row<K, V>;
    type Ref<'a>
        = Slot<'a, K, V>
    where
        Self: 'a;

    fn new() -> Self {
        Self { entries: [const { None }; CHUNK], states: [const { None }; CHUNK], hashes: [0; CHUNK] }
    }

    #[inline]
    fn get(&self, at: usize) -> Option<Slot<'_, K, V>> {
        let (entry, state) = (self.entries[at].as_ref()?, self.states[at].as_ref()?);
        Some(Slot { entry, state, hash: self.hashes[at] })
    }

    fn replace(&mut self, at: usize, row: Option<Row<K, V>>) -> Option<Row<K, V>> {
        let (entry, state, hash) = match row {
            Some(Row { entry, state, hash }) => (Some(entry), Some(state), hash),
            None => (None, None, 0),
        };
        let entry = std::mem::replace(&mut self.entries[at], entry);
        let state = std::mem::replace(&mut self.states[at], state);
        let hash = std::mem::replace(&mut self.hashes[at], hash);
        Some(Row { entry: entry?, state: state?, hash })
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
    pub(crate) slots: Chunked<Slots<K, V>>,
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
    pub(crate) fn slot(&self, index: usize) -> Option<Slot<'_, K, V>> {
        self.read(index, |slots, at| slots.get(at))
    }

    /// As [`slot`](Self::slot), for who reads nothing else of it.
    #[inline]
    pub(crate) fn entry(&self, index: usize) -> Option<&Arc<Entry<K, V>>> {
        self.read(index, |slots, at| slots.entries[at].as_ref())
    }

    /// As [`slot`](Self::slot), for who reads nothing else of it.
    #[inline]
    pub(crate) fn state(&self, index: usize) -> Option<&State> {
        self.read(index, |slots, at| slots.states[at].as_deref())
    }

    /// Reads a slot, where there is one: the others of a chunk are empty.
    #[inline]
    fn read<'a, T>(&'a self, index: usize, read: impl Fn(&'a Slots<K, V>, usize) -> Option<T>) -> Option<T> {
        match self.first.slots.at(index).and_then(|(slots, at)| read(slots, at)) {
            Some(found) => Some(found),
            None => self.read_others(index, read),
        }
    }

    #[cold]
    fn read_others<'a, T>(
        &'a self,
        index: usize,
        read: impl Fn(&'a Slots<K, V>, usize) -> Option<T>,
    ) -> Option<T> {
        let mut index = index.checked_sub(self.first.slots.len())?;
        for class in &*self.others {
            match index.checked_sub(class.slots.len()) {
                None => return class.slots.at(index).and_then(|(slots, at)| read(slots, at)),
                Some(rest) => index = rest,
            }
        }
        None
    }

    /// The hashes, in order.
    pub(crate) fn hashes(&self) -> impl Iterator<Item = u64> {
        let chunks = self.classes().flat_map(|class| class.slots.chunks());
        chunks.flat_map(|(slots, len)| slots.hashes[..len].iter().copied())
    }

    pub(crate) fn classes(&self) -> impl Iterator<Item = &Class<K, V>> {
        std::iter::once(&self.first).chain(&*self.others)
    }

    pub(crate) fn slots(&self) -> impl Iterator<Item = Slot<'_, K, V>> {
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
