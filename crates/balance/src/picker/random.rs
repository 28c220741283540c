//! Each endpoint with the same probability.

use crate::dice::Dice;

#[derive(Debug)]
pub(crate) struct Random;

impl Random {
    pub(super) fn propose(&self, len: usize, dice: &Dice) -> usize {
        dice.below(len)
    }
}
