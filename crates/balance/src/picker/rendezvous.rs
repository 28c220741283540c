//! Each key at the same endpoint.

use std::cell::LazyCell;

use super::{Context, Picker};
use crate::candidates::Candidates;
use crate::hash::mix;

/// How many calls in flight an endpoint may have whatever the others have: a few calls at a time are no load, and do not
/// have to leave the endpoint that knows their key.
const FREE: u32 = 2;

/// Picks for each key the endpoint with the highest hash of key and endpoint: *rendezvous hashing*, or highest random weight
/// (Thaler and Ravishankar 1998). Calls say their key with [`Reader::pick_for`](crate::Reader::pick_for); one without a key goes to a random
/// endpoint.
///
/// Processes that see the same set agree on the owner of every key, in whatever order they came to know its endpoints. An endpoint
/// that leaves, or is ejected, gives its keys to all others evenly, and no other key moves; one that comes takes its share.
/// Weights play no part.
///
/// The load is bounded (Mirrokni, Thorup, Zadimoghaddam 2016): an owner that would have more calls in flight than
/// [`load_bound`](Self::load_bound) times the mean is passed over for the next highest. An owner with fewer than 2 calls in flight is not.
///
/// This is the one strategy whose pick takes longer in a larger set, as it hashes every endpoint: 34 µs of 10,000, 3.4 ns each, measured on a
/// shared virtual machine, where a plain loop over an array of the hashes takes 3.2 ns each.
/// With a larger set, put a [subset](crate::BalancerConfig::with_subset) in front.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rendezvous {
    /// How many times the mean of calls in flight an endpoint may have, rounded up; 1.25 by default. The lower, the more even the load and the
    /// more calls away from their key's owner. [`f64::INFINITY`] switches the bound off; below 1 it is out of reach of some
    /// calls, and those go to the owner.
    pub load_bound: f64,
}

impl Default for Rendezvous {
    fn default() -> Self {
        Self { load_bound: 1.25 }
    }
}

impl<K, V> Picker<K, V> for Rendezvous {
    #[inline]
    fn pick(&mut self, candidates: &Candidates<'_, K, V>, context: &mut Context<'_>) -> Option<usize> {
        match context.key {
            Some(key) => self.owner(candidates, key),
            None => Some(context.rng.below(candidates.len())),
        }
    }

    #[inline]
    fn is_by_key(&self) -> bool {
        true
    }
}

impl Rendezvous {
    // Its loop is not to weigh on the picks of other strategies.
    #[inline(never)]
    fn owner<K, V>(self, candidates: &Candidates<'_, K, V>, key: u64) -> Option<usize> {
        let owner = highest(candidates, key, |_| true)?;
        let in_flight = |index| candidates.in_flight(index).unwrap_or(0);
        // It reads every entry: not for an owner that is as good as idle.
        let bound = LazyCell::new(|| self.bound(candidates));
        let is_within = |in_flight| in_flight < FREE || in_flight < *bound;
        let may_take = |index| candidates.admits(index) && is_within(in_flight(index));
        if may_take(owner) {
            return Some(owner);
        }
        highest(candidates, key, may_take)
            .or_else(|| highest(candidates, key, |index| candidates.admits(index)))
    }

    /// How many calls in flight an endpoint may have, one more included.
    fn bound<K, V>(self, candidates: &Candidates<'_, K, V>) -> u32 {
        if self.load_bound == f64::INFINITY {
            return u32::MAX;
        }
        let total: u64 = candidates.iter().map(|entry| u64::from(entry.in_flight())).sum();
        let mean = (total + 1) as f64 / candidates.len() as f64;
        (self.load_bound * mean).ceil() as u32
    }
}

/// The candidate that ranks highest for a key, of those that may take a call. Equal hashes of two keys are as good as
/// impossible: ranks differ.
///
/// Whether one may is asked only of those that rank higher than all before that may, about ln(N) times if most may.
#[inline]
fn highest<K, V>(
    candidates: &Candidates<'_, K, V>,
    key: u64,
    may_take: impl Fn(usize) -> bool,
) -> Option<usize> {
    let higher = |best: Option<(u64, usize)>, (index, hash)| {
        let rank = mix(key, hash);
        let is_higher = best.is_none_or(|(best, _)| rank > best);
        if is_higher && may_take(index) { Some((rank, index)) } else { best }
    };
    // `fold` is one loop over each run of memory.
    candidates.hashes().enumerate().fold(None, higher).map(|(_, index)| index)
}
