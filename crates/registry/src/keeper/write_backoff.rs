//! Delays writes on which the server closes the connection.
//!
//! A server does not refuse a request that is larger than its `jute.maxbuffer`: it closes the connection, and with it
//! goes every request that is under way on the link. A keeper that went on writing would take down all registrations of
//! the process.

use std::time::Duration;

use rand::Rng;
use tokio::time::Instant;
use zk_core::time::jittered;

use crate::wish::Record;

/// A connection that ends once may have any cause. After so many in a row during the same write, the write is taken for
/// the cause.
const SUSPECT_AFTER: u32 = 2;
/// The first wait; it doubles with each further connection.
const FIRST_WAIT: Duration = Duration::from_secs(1);

/// How often in a row the connection has ended during the latest write, and the wait that follows from it.
#[derive(Debug, Default)]
pub(super) struct WriteBackoff {
    /// The data of that write.
    record: Option<Record>,
    in_a_row: u32,
    wait: Duration,
    /// Nothing is written before this moment.
    until: Option<Instant>,
}

impl WriteBackoff {
    /// Whether a write may be sent now. Other data may fit.
    pub(super) fn admits(&mut self, record: &Record, now: Instant) -> bool {
        if self.record.as_ref() != Some(record) {
            *self = Self { record: Some(record.clone()), ..Self::default() };
        }
        self.left(now).is_none()
    }

    /// The write has failed, and may have ended the connection. `longest` bounds the wait.
    pub(super) fn cut_off(&mut self, longest: Duration, now: Instant, rng: &mut impl Rng) {
        self.in_a_row += 1;
        if self.in_a_row >= SUSPECT_AFTER {
            self.wait = (self.wait * 2).max(FIRST_WAIT).min(longest.max(FIRST_WAIT));
            // Keepers that lost the same connection write again at different times.
            self.until = Some(now + jittered(self.wait, rng));
        }
    }

    /// The server has replied to the write, or a read has found it carried out.
    pub(super) fn reset(&mut self) {
        *self = Self::default();
    }

    /// The time until the next write, if there is a wait.
    pub(super) fn left(&self, now: Instant) -> Option<Duration> {
        let left = self.until?.saturating_duration_since(now);
        (!left.is_zero()).then_some(left)
    }
}
