//! Always the same endpoint.

use super::{Context, Picker};
use crate::candidates::Candidates;

/// Picks a random endpoint, and stays with it as long as it is in service and may be used; then another random one.
///
/// Each reader has an endpoint of its own; a clone of a reader begins with the same one. Keys of calls play no part: for them there is
/// [`Rendezvous`](crate::Rendezvous).
#[derive(Clone, Debug, Default)]
pub struct Sticky {
    home: Option<Home>,
}

/// Where a reader stays.
#[derive(Clone, Copy, Debug)]
struct Home {
    /// The hash of its key: what it is.
    hash: u64,
    /// Where it was at the last pick: a change of the set may move it.
    index: usize,
}

impl Home {
    /// Where it is now. Takes time in proportion to the set, but only at the first pick after it has moved.
    #[inline]
    fn find<K, V>(self, candidates: &Candidates<'_, K, V>) -> Option<usize> {
        if candidates.hash(self.index) == Some(self.hash) {
            return Some(self.index);
        }
        candidates.hashes().position(|hash| hash == self.hash)
    }
}

impl<K, V> Picker<K, V> for Sticky {
    #[inline]
    fn pick(&mut self, candidates: &Candidates<'_, K, V>, context: &mut Context<'_>) -> Option<usize> {
        let index = match self.home.and_then(|home| home.find(candidates)) {
            Some(index) if candidates.admits(index) => index,
            // Any but this one.
            Some(index) if candidates.len() > 1 => {
                let other = context.rng.below(candidates.len() - 1);
                other + usize::from(other >= index)
            }
            _ => context.rng.below(candidates.len()),
        };
        self.home = candidates.hash(index).map(|hash| Home { hash, index });
        Some(index)
    }

    #[inline]
    fn is_by_key(&self) -> bool {
        true
    }
}
