//! Each endpoint with the same probability.

use crate::rng::SharedRng;

#[derive(Debug)]
pub(crate) struct Random;

impl Random {
    pub(super) fn propose(&self, len: usize, rng: &SharedRng) -> usize {
        rng.below(len)
    }
}
