//! Random numbers that threads share without a lock.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// A SplitMix64 generator (Steele, Lea, Flood 2014): its state only grows by a constant, which takes one atomic
/// addition.
#[derive(Debug)]
pub(crate) struct SharedRng(AtomicU64);

impl SharedRng {
    pub(crate) fn new(seed: u64) -> Self {
        Self(AtomicU64::new(seed))
    }

    fn next(&self) -> u64 {
        const GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;
        let mut z = self.0.fetch_add(GAMMA, Ordering::Relaxed).wrapping_add(GAMMA);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Draws a number below `end`, which is at least 1.
    pub(crate) fn below(&self, end: usize) -> usize {
        // The high half of the product. The bias is below `end` in 2^64.
        ((u128::from(self.next()) * end as u128) >> 64) as usize
    }

    /// Varies a delay by up to a quarter, so that callers that failed at the same time retry at different times.
    pub(crate) fn jitter(&self, delay: Duration) -> Duration {
        let unit = (self.next() >> 11) as f64 / (1_u64 << 53) as f64;
        delay.mul_f64(0.75 + unit / 2.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_draws_the_same_numbers() {
        // From the reference implementation of SplitMix64, seed 1234567.
        let rng = SharedRng::new(1_234_567);
        assert_eq!([rng.next(), rng.next()], [6_457_827_717_110_365_317, 3_203_168_211_198_807_973]);
    }

    #[test]
    fn numbers_below_an_end_are_spread_evenly() {
        let rng = SharedRng::new(7);
        let mut counts = [0_u32; 7];
        for _ in 0..70_000 {
            counts[rng.below(7)] += 1;
        }
        assert!(counts.iter().all(|count| (9_500..10_500).contains(count)), "{counts:?}");
    }

    #[test]
    fn jitter_varies_by_up_to_a_quarter() {
        let rng = SharedRng::new(7);
        let drawn: Vec<u128> = (0..1000).map(|_| rng.jitter(Duration::from_secs(1)).as_millis()).collect();
        assert!(drawn.iter().all(|ms| (750..=1250).contains(ms)));
        assert!(drawn.iter().any(|ms| *ms < 800) && drawn.iter().any(|ms| *ms > 1200));
    }
}
