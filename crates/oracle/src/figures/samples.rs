//! Times that were measured.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Times that were measured, in any order.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Samples(Vec<Duration>);

impl Samples {
    /// Adds a time.
    pub fn push(&mut self, time: Duration) {
        self.0.push(time);
    }

    /// Adds those of another run.
    pub fn add(&mut self, other: &Self) {
        self.0.extend_from_slice(&other.0);
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// The time that this share of them does not exceed: the median for 0.5, the longest for 1. `None` if there are none.
    #[must_use]
    pub fn quantile(&self, share: f64) -> Option<Duration> {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "a place"
        )]
        let place = (share.clamp(0.0, 1.0) * sorted.len() as f64).ceil() as usize;
        sorted.get(place.saturating_sub(1)).copied()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Samples;

    #[test]
    fn a_quantile_is_the_least_that_so_many_do_not_exceed() {
        let mut samples = Samples::default();
        assert_eq!(samples.quantile(0.5), None);
        for ms in (1..=100).rev() {
            samples.push(Duration::from_millis(ms));
        }
        for (share, ms) in [(0.0, 1), (0.5, 50), (0.95, 95), (0.99, 99), (1.0, 100)] {
            assert_eq!(samples.quantile(share), Some(Duration::from_millis(ms)), "{share}");
        }
    }
}
