//! The waits between attempts: exponential backoff with full jitter.

use std::time::Duration;

use rand::{Rng, RngExt};

/// Exponential backoff with full jitter: each wait is drawn between zero and a ceiling that doubles up to a cap.
///
/// Full jitter spreads the reconnects of clients that lost the same server at the same moment.
#[derive(Clone, Debug)]
pub struct Backoff {
    ceiling: Duration,
    cap: Duration,
}

const FIRST_CEILING: Duration = Duration::from_millis(50);
const CAP: Duration = Duration::from_secs(1);

impl Default for Backoff {
    /// For retries of a request while the link is up: a ceiling of 50 ms at first, and of 1 s at most.
    fn default() -> Self {
        Self::new(FIRST_CEILING, CAP)
    }
}

impl Backoff {
    /// A ceiling that starts at `first` and doubles up to `cap`.
    pub fn new(first: Duration, cap: Duration) -> Self {
        Self { ceiling: first.min(cap), cap }
    }

    /// For reconnects: waits of at most 1 s and at most a third of the session timeout, so that several
    /// attempts fall into the time for which the ensemble keeps a session.
    pub fn within(session_timeout: Duration) -> Self {
        Self::new(FIRST_CEILING, CAP.min(session_timeout / 3))
    }

    /// The next wait.
    pub fn next_wait(&mut self, rng: &mut impl Rng) -> Duration {
        let ceiling = self.ceiling;
        self.ceiling = (ceiling * 2).min(self.cap);
        Duration::from_micros(rng.random_range(0..=ceiling.as_micros() as u64))
    }

    /// The longest wait.
    pub fn cap(&self) -> Duration {
        self.cap
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand::rngs::SmallRng;

    use super::*;

    /// Clients that lost the same server at the same moment reconnect at different moments.
    #[test]
    fn waits_are_spread_over_the_whole_ceiling() {
        let mut rng = SmallRng::seed_from_u64(7);
        let mut waits: Vec<_> = (0..400)
            .map(|_| {
                let mut backoff = Backoff::new(CAP, CAP);
                backoff.next_wait(&mut rng)
            })
            .collect();
        waits.sort();
        assert!(waits[40] < CAP / 4 && waits[360] > CAP * 3 / 4, "{waits:?}");
        assert!(waits.windows(2).all(|pair| pair[1] - pair[0] < CAP / 8), "{waits:?}");
    }

    #[test]
    fn waits_never_exceed_a_third_of_the_session_timeout_or_a_second() {
        let mut rng = SmallRng::seed_from_u64(7);
        for timeout in [400, 1_500, 4_000, 40_000] {
            let timeout = Duration::from_millis(timeout);
            let mut backoff = Backoff::within(timeout);
            let waits: Vec<_> = (0..200).map(|_| backoff.next_wait(&mut rng)).collect();
            assert!(waits.iter().all(|w| *w <= timeout / 3 && *w <= CAP), "{timeout:?}: {waits:?}");
            assert!(waits.iter().any(|w| *w > backoff.cap() / 2), "never grows: {waits:?}");
        }
    }
}
