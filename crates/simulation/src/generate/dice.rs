use rand::RngExt;
use rand::rngs::Xoshiro256PlusPlus;

/// Random numbers that are the same on every machine.
pub(super) struct Dice(pub(super) Xoshiro256PlusPlus);

impl Dice {
    /// A number between both, which may be either.
    pub(super) fn range(&mut self, least: u64, most: u64) -> u64 {
        self.0.random_range(least..=most.max(least))
    }

    /// True in so many of a hundred cases.
    pub(super) fn chance(&mut self, percent: u64) -> bool {
        self.range(1, 100) <= percent
    }

    /// One of them.
    pub(super) fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.range(0, of.len() as u64 - 1) as usize]
    }

    /// One of them, by their weights.
    pub(super) fn weighted<T: Copy>(&mut self, of: &[(u64, T)]) -> T {
        let all = of.iter().map(|(weight, _)| weight).sum::<u64>();
        let mut left = self.range(0, all - 1);
        for (weight, one) in of {
            if left < *weight {
                return *one;
            }
            left -= weight;
        }
        unreachable!("less than the sum of all weights")
    }
}
