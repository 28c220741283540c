//! How long to wait before the next attempt.

use std::time::Duration;

use rand::RngExt;

/// Growing waits with full jitter: each is drawn between nothing and a ceiling that doubles up to a cap.
///
/// Full jitter spreads a fleet that lost the same server at the same moment over the whole ceiling.
#[derive(Clone, Debug)]
pub struct Backoff {
    ceiling: Duration,
    cap: Duration,
}

const FIRST_CEILING: Duration = Duration::from_millis(50);
const CAP: Duration = Duration::from_secs(1);

impl Default for Backoff {
    /// Waits for a request that failed on a link that is up: 50 ms at first, and a second at most.
    fn default() -> Self {
        Self::new(FIRST_CEILING, CAP)
    }
}

impl Backoff {
    /// Waits whose ceiling starts at `first` and doubles up to `cap`.
    pub fn new(first: Duration, cap: Duration) -> Self {
        Self { ceiling: first.min(cap), cap }
    }

    /// Waits of at most a second, and of at most a third of the session timeout, so that several
    /// attempts fall into the time for which the ensemble keeps a session.
    pub fn within(session_timeout: Duration) -> Self {
        Self::new(FIRST_CEILING, CAP.min(session_timeout / 3))
    }

    /// The next wait.
    pub fn next_wait(&mut self) -> Duration {
        let ceiling = self.ceiling;
        self.ceiling = (ceiling * 2).min(self.cap);
        Duration::from_micros(rand::rng().random_range(0..=ceiling.as_micros() as u64))
    }

    /// The longest wait there will ever be.
    pub fn cap(&self) -> Duration {
        self.cap
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What lost the same server at the same moment does not come back at the same moment.
    #[test]
    fn waits_are_drawn_from_the_whole_range() {
        let mut waits: Vec<_> = (0..400)
            .map(|_| {
                let mut backoff = Backoff::new(CAP, CAP);
                backoff.next_wait()
            })
            .collect();
        waits.sort();
        assert!(waits[40] < CAP / 4 && waits[360] > CAP * 3 / 4, "{waits:?}");
        assert!(waits.windows(2).all(|pair| pair[1] - pair[0] < CAP / 8), "{waits:?}");
    }

    #[test]
    fn stays_below_a_third_of_the_session_timeout_and_a_second() {
        for timeout in [400, 1_500, 4_000, 40_000] {
            let timeout = Duration::from_millis(timeout);
            let mut backoff = Backoff::within(timeout);
            let waits: Vec<_> = (0..200).map(|_| backoff.next_wait()).collect();
            assert!(waits.iter().all(|w| *w <= timeout / 3 && *w <= CAP), "{timeout:?}: {waits:?}");
            assert!(waits.iter().any(|w| *w > backoff.cap() / 2), "never grows: {waits:?}");
        }
    }
}
