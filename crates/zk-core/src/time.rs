//! Timers that everything built on a link needs: a deadline that may be missing, an interval that is jittered.

use std::time::Duration;

use rand::RngExt;
use tokio::time::{Instant, sleep_until};

/// Waits until a deadline; for ever where there is none. For an arm of `tokio::select!`.
///
/// # Cancel safety
/// Safe: a new call waits for the same moment.
pub async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

/// An interval, made longer or shorter by up to a quarter at random: processes that started at the same moment do not
/// send their periodic requests at the same moment.
pub fn jittered(interval: Duration) -> Duration {
    interval.mul_f64(rand::rng().random_range(0.75..1.25))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jitter_uses_a_quarter_in_both_directions() {
        let second = Duration::from_secs(1);
        let mut waits: Vec<_> = (0..400).map(|_| jittered(second)).collect();
        waits.sort();
        assert!(waits[0] >= second * 3 / 4 && waits[399] <= second * 5 / 4, "{waits:?}");
        assert!(waits[40] < second * 9 / 10 && waits[360] > second * 11 / 10, "{waits:?}");
    }
}
