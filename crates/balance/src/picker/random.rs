//! Each endpoint with the same probability.

use super::{Context, Picker};
use crate::candidates::Candidates;

/// Picks each endpoint with the same probability.
#[derive(Clone, Copy, Debug, Default)]
pub struct Random;

impl<K, V> Picker<K, V> for Random {
    #[inline]
    fn pick(&mut self, candidates: &Candidates<'_, K, V>, context: &mut Context<'_>) -> Option<usize> {
        Some(context.rng.below(candidates.len()))
    }
}
