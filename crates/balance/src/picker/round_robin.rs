//! One endpoint after the other.

use super::{Context, Picker};
use crate::candidates::Candidates;

/// Picks one endpoint after the other, beginning anywhere: N picks in a row of one reader choose each of N endpoints once,
/// while all are in service and the set stays the same. Weights play no part.
///
/// A clone begins anywhere, too: readers that are clones of one do not walk in step.
#[derive(Debug, Default)]
pub struct RoundRobin {
    /// The next index; `None` before the first pick.
    next: Option<usize>,
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
        let index = match self.next {
            Some(next) if next < len => next,
            // Past the end. The set may have shrunk: to begin anew at 0 is right for both.
            Some(_) => 0,
            None => context.rng.below(len),
        };
        self.next = Some(index + 1);
        Some(index)
    }
}
