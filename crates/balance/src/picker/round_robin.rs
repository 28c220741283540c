//! One endpoint after the other.

use super::{Context, Picker};
use crate::candidates::Candidates;
use crate::table::TIERS;

/// Picks one endpoint after the other, beginning anywhere: N picks in a row of one reader choose each of N endpoints once,
/// while all are in service and the set stays the same. Weights play no part.
///
/// A clone begins anywhere, too: readers that are clones of one do not walk in step.
#[derive(Debug)]
pub struct RoundRobin {
    /// The next index in each tier, as a part of the calls may spill over from one to the next.
    next: [u32; TIERS],
}

/// What is next before the first pick.
const ANY: u32 = u32::MAX;

impl Default for RoundRobin {
    fn default() -> Self {
        Self { next: [ANY; TIERS] }
    }
}

impl Clone for RoundRobin {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl<K, V> Picker<K, V> for RoundRobin {
    #[inline]
    fn pick(&mut self, candidates: &Candidates<'_, K, V>, context: &mut Context<'_>) -> Option<usize> {
        let len = candidates.len();
        let next = &mut self.next[candidates.tier()];
        let index = match *next {
            next if (next as usize) < len => next as usize,
            ANY => context.rng.below(len),
            // Past the end. The set may have shrunk: to begin anew at 0 is right for both.
            _ => 0,
        };
        // No set is that large.
        *next = index as u32 + 1;
        Some(index)
    }
}
