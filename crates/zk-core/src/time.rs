//! Timers for code that is built on a link: an optional deadline, and a jittered interval.

use std::time::Duration;

use rand::{Rng, RngExt};
use tokio::time::{Instant, sleep_until};

/// Waits until a deadline; for ever if there is none. For a branch of `tokio::select!`.
///
/// # Cancel safety
/// Safe: a new call waits for the same moment.
pub async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

/// Lengthens or shortens an interval by up to a quarter at random: processes that started at the same moment do not
/// send their periodic requests at the same moment.
pub fn jittered(interval: Duration, rng: &mut impl Rng) -> Duration {
    interval.mul_f64(rng.random_range(0.75..1.25))
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand::rngs::SmallRng;

    use super::*;

    #[test]
    fn jitter_lengthens_and_shortens_an_interval_by_up_to_a_quarter() {
        let (second, mut rng) = (Duration::from_secs(1), SmallRng::seed_from_u64(7));
        let mut waits: Vec<_> = (0..400).map(|_| jittered(second, &mut rng)).collect();
        waits.sort();
        assert!(waits[0] >= second * 3 / 4 && waits[399] <= second * 5 / 4, "{waits:?}");
        assert!(waits[40] < second * 9 / 10 && waits[360] > second * 11 / 10, "{waits:?}");
    }
}
