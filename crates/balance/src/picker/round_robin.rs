//! One endpoint after the other.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counts picks. The counters are unsigned, and an index is a counter modulo the current length, so it is never out of
/// range, whatever the counter is and however the table shrank.
///
/// After 2^64 picks a counter starts again at 0; unless the length divides 2^64, that turn is cut short.
#[derive(Debug, Default)]
pub(crate) struct RoundRobin {
    among_all: AtomicU64,
    /// A counter of its own: the picks that need it have moved the other counter by a fixed number, and would choose
    /// the same endpoint again and again if the length divides that number.
    among_usable: AtomicU64,
}

impl RoundRobin {
    pub(super) fn propose(&self, len: usize) -> usize {
        next(&self.among_all, len)
    }

    pub(super) fn choose(&self, count: usize) -> usize {
        next(&self.among_usable, count)
    }
}

fn next(counter: &AtomicU64, len: usize) -> usize {
    // `fetch_add` wraps around. The remainder is below a usize.
    (counter.fetch_add(1, Ordering::Relaxed) % len as u64) as usize
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_counter_that_wraps_around_stays_in_range() {
        let counter = AtomicU64::new(u64::MAX - 3);
        let picks: Vec<usize> = (0..9).map(|_| next(&counter, 3)).collect();
        // 2^64 - 4 is 0 modulo 3: the turn that wraps is cut short after its first, all others are whole.
        assert_eq!(picks, [0, 1, 2, 0, 0, 1, 2, 0, 1]);
    }

    proptest! {
        #[test]
        fn no_index_is_out_of_range_whatever_the_lengths(
            start: u64,
            lens in prop::collection::vec(1..100_usize, 1..100),
        ) {
            let counter = AtomicU64::new(start);
            for len in lens {
                prop_assert!(next(&counter, len) < len);
            }
        }
    }
}
