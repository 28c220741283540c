//! What a picker chooses from.

use std::fmt;
use std::ops::Range;
use std::time::Duration;

use crate::entry::Entry;
use crate::rng::Rng;
use crate::table::Tier;

/// Whether a call may use an endpoint.
type Admits<'a, K, V> = &'a dyn Fn(&Entry<K, V>) -> bool;

/// The endpoints that a [`Picker`](crate::Picker) chooses from, numbered from 0 to `len() - 1`: one tier of a set.
///
/// Most of them may be used; [`admits`](Self::admits) tells. A number means another endpoint when the set has changed.
pub struct Candidates<'a, K, V> {
    tier: &'a Tier<K, V>,
    admits: Option<Admits<'a, K, V>>,
}

impl<K, V> Clone for Candidates<'_, K, V> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<K, V> Copy for Candidates<'_, K, V> {}

impl<'a, K, V> Candidates<'a, K, V> {
    #[inline]
    pub(crate) fn new(tier: &'a Tier<K, V>, admits: Option<Admits<'a, K, V>>) -> Self {
        Self { tier, admits }
    }

    /// Returns how many there are, at least 1.
    #[inline]
    #[must_use]
    #[allow(clippy::len_without_is_empty, reason = "it is never empty")]
    pub fn len(&self) -> usize {
        self.tier.len
    }

    /// Returns which tier of the set they are, 0 to 4, the best first: a picker that keeps a position keeps one for each.
    #[inline]
    #[must_use]
    pub fn tier(&self) -> usize {
        self.tier.standing as usize
    }

    /// Returns one of them.
    #[inline]
    #[must_use]
    pub fn get(&self, index: usize) -> Option<&'a Entry<K, V>> {
        self.tier.entry(index).map(|entry| &**entry)
    }

    /// Returns how many calls of this balancer are in flight to one of them, without reading the entry.
    #[inline]
    #[must_use]
    pub fn in_flight(&self, index: usize) -> Option<u32> {
        self.tier.state(index).map(|state| state.in_flight.count())
    }

    /// Returns the [`latency`](Entry::latency) of one of them, without reading the entry.
    #[inline]
    #[must_use]
    pub fn latency(&self, index: usize, now_ms: u64, decay: Duration) -> Option<f32> {
        self.tier.state(index).map(|state| state.latency.value(now_ms, decay))
    }

    /// Returns whether one of them may be used: the call has not tried it, and it is not at its limit of calls in flight.
    ///
    /// A picker need not ask: if it chooses one that may not be used, it is asked again, a few times.
    #[inline]
    #[must_use]
    pub fn admits(&self, index: usize) -> bool {
        match self.admits {
            None => true,
            Some(admits) => self.get(index).is_some_and(admits),
        }
    }

    /// Any of those that may be used. Takes time in proportion to the set.
    pub(crate) fn any_admitted(&self, rng: &mut Rng) -> Option<usize> {
        let admitted = (0..self.len()).filter(|index| self.admits(*index));
        let nth = rng.below(admitted.clone().count());
        admitted.clone().nth(nth)
    }

    /// Returns the [`stable_hash`](crate::stable_hash) of the key of one of them, without reading the entry.
    #[inline]
    #[must_use]
    pub fn hash(&self, index: usize) -> Option<u64> {
        self.tier.slot(index).map(|slot| slot.hash)
    }

    /// Returns all of them in order: quicker than one by one.
    pub fn iter(&self) -> impl Iterator<Item = &'a Entry<K, V>> + use<'a, K, V> {
        let tier = self.tier;
        tier.slots().map(|slot| &**slot.entry)
    }

    /// Returns the [`stable_hash`](crate::stable_hash) of every key, in order: quicker than to read every entry.
    pub fn hashes(&self) -> impl Iterator<Item = u64> + use<'a, K, V> {
        let tier = self.tier;
        tier.hashes()
    }

    /// Returns the sum of all weights.
    #[inline]
    #[must_use]
    pub fn total_weight(&self) -> u64 {
        self.tier.total
    }

    /// Returns runs of candidates whose weights are nearly the same: at least half of `below`, and below it. There are few runs,
    /// however many candidates.
    #[inline]
    pub fn weight_classes(&self) -> impl Iterator<Item = WeightClass> + use<'a, K, V> {
        let mut end = 0;
        self.tier.classes().map(move |class| {
            let start = end;
            end += class.slots.len();
            WeightClass { below: class.below, total: class.total, indices: start..end }
        })
    }
}

impl<K, V> fmt::Debug for Candidates<'_, K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Candidates").field("len", &self.len()).finish_non_exhaustive()
    }
}

/// A run of candidates with nearly the same weight.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct WeightClass {
    /// A power of two: every weight is below it, and at least half of it.
    pub below: u64,
    /// The sum of their weights.
    pub total: u64,
    /// Which candidates.
    pub indices: Range<usize>,
}
