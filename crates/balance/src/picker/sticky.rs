//! Always the same endpoint.

use super::{Context, Picker};
use crate::candidates::Candidates;
use crate::rng::Rng;

/// How many are drawn before all are looked at.
const DRAWS: usize = 8;

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

/// Any that may be used. It has to be one: to stay there.
#[inline(never)]
fn any<K, V>(candidates: &Candidates<'_, K, V>, rng: &mut Rng) -> Option<usize> {
    let drawn = (0..DRAWS).map(|_| rng.below(candidates.len())).find(|index| candidates.admits(*index));
    drawn.or_else(|| candidates.any_admitted(rng))
}

impl<K, V> Picker<K, V> for Sticky {
    #[inline]
    fn pick(&mut self, candidates: &Candidates<'_, K, V>, context: &mut Context<'_>) -> Option<usize> {
        let index = match self.home.and_then(|home| home.find(candidates)) {
            Some(index) if candidates.admits(index) => index,
            _ => any(candidates, context.rng)?,
        };
        self.home = candidates.hash(index).map(|hash| Home { hash, index });
        Some(index)
    }

    #[inline]
    fn is_by_key(&self) -> bool {
        true
    }
}
