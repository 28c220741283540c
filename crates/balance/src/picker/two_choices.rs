//! Two endpoints at random, and the better of them.

use crate::candidates::Candidates;
use crate::rng::Rng;

/// Draws two different candidates, each pair with the same probability, and chooses the one that costs less; of equals the first
/// drawn, which is any of them. One that may not be used loses.
///
/// Two choices are enough for an even load (Mitzenmacher 2001), and cost the same in a set of any size. Many readers that
/// all see the same endpoint idle do not all go there, as they would if each looked at the whole set.
#[inline]
pub(super) fn cheaper_of_two<K, V, C: PartialOrd>(
    candidates: &Candidates<'_, K, V>,
    rng: &mut Rng,
    cost: impl Fn(usize) -> Option<C>,
) -> Option<usize> {
    let len = candidates.len();
    let first = rng.below(len);
    if len < 2 {
        return Some(first);
    }
    let second = rng.below(len - 1);
    let second = second + usize::from(second >= first);
    let is_second = if !candidates.admits(first) {
        true
    } else if !candidates.admits(second) {
        false
    } else {
        cost(second)? < cost(first)?
    };
    Some(if is_second { second } else { first })
}
