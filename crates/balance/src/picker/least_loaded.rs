//! Of two endpoints the one with fewer calls in flight.

use super::two_choices::cheaper_of_two;
use super::{Context, Picker};
use crate::candidates::Candidates;

/// Draws two endpoints at random, and picks the one with fewer calls in flight from this balancer; of equals any. While nothing
/// is in flight, this is [`Random`](crate::Random).
///
/// Only picks that are kept as long as the call ([`Pick`](crate::Pick)) count. Weights play no part.
#[derive(Clone, Copy, Debug, Default)]
pub struct LeastLoaded;

impl<K, V> Picker<K, V> for LeastLoaded {
    #[inline]
    fn pick(&mut self, candidates: &Candidates<'_, K, V>, context: &mut Context<'_>) -> Option<usize> {
        cheaper_of_two(candidates, context.rng, |index| candidates.in_flight(index))
    }
}
