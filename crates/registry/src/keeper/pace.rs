//! How fast a keeper may go.

use std::time::Duration;

use rand::rngs::SmallRng;
use rand::{Rng, RngExt};
use tokio::time::Instant;
use zk_core::time::jittered;
use zk_core::{Backoff, ErrorKind, ZnodePath};

use super::io::Moment;
use crate::status::Trouble;
use crate::wish::Record;

/// Where more registrations than this are pending at once, each waits longer in proportion.
const MANY_PENDING: u32 = 500;
/// The first wait in a conflict, if the watch of the other owner's znode does not fire; it doubles up to the audit
/// interval.
const CONFLICT_FIRST: Duration = Duration::from_secs(1);
/// The wait after another owner's update, which does not free the name.
pub(super) const HOLDER_UPDATED: Duration = Duration::from_millis(500);
/// After so long without a change by another client, the next one is reverted at once again.
const OVERWRITE_RESET: Duration = Duration::from_secs(10);

/// A connection that ends once may have any cause. After so many in a row during the same write, the write is taken for
/// the cause.
const SUSPECT_AFTER: u32 = 2;
/// The first wait; it doubles with each further connection.
const FIRST_WAIT: Duration = Duration::from_secs(1);

/// How fast a keeper may go: the waits before it tries again, looks again, or writes again.
#[derive(Debug)]
pub(super) struct Pace {
    rng: SmallRng,
    audit_interval: Duration,
    /// Writes that ended the connection.
    writes: WriteBackoff,
    retry: Backoff,
    conflict: Backoff,
    overwrite: Backoff,
    /// When another client was last seen to change the znode.
    overwritten_at: Option<Instant>,
    /// Overwritten data was restored since the znode was last found registered.
    restored: bool,
}

impl Pace {
    pub(super) fn new(rng: SmallRng, audit_interval: Duration) -> Self {
        Self {
            rng,
            audit_interval,
            writes: WriteBackoff::default(),
            retry: Backoff::default(),
            conflict: Backoff::new(CONFLICT_FIRST, audit_interval.max(CONFLICT_FIRST)),
            overwrite: Backoff::default(),
            overwritten_at: None,
            restored: false,
        }
    }

    /// The znode is registered, with our data.
    pub(super) fn registered(&mut self) {
        self.retry = Backoff::default();
        self.writes.reset();
        self.restored = false;
        self.conflict = Backoff::new(CONFLICT_FIRST, self.conflict.cap());
    }

    /// Admits a write, after a read has found that the previous one was not carried out.
    ///
    /// # Errors
    /// [`Trouble::cut_off`], if it is too early.
    pub(super) fn admit(&mut self, path: &ZnodePath, record: &Record, now: Instant) -> Result<(), Trouble> {
        if self.writes.admits(record, now) { Ok(()) } else { Err(Trouble::cut_off(path)) }
    }

    /// The server has replied to a write, or not. Counts the writes that ended the connection.
    pub(super) fn wrote(&mut self, error: Option<&ErrorKind>, moment: &Moment) {
        match error {
            Some(ErrorKind::ConnectionLost(_)) => {
                // All such writes of the registrar cost the link about one connection a second, however many they are.
                let one_a_second = Duration::from_secs(1) * moment.cut_off;
                let longest = self.audit_interval.max(one_a_second);
                self.writes.cut_off(longest, moment.now, &mut self.rng);
            }
            _ => self.writes.reset(),
        }
    }

    /// Whether overwritten data may be restored at once: not if it was overwritten again before the look that would have
    /// found it restored.
    pub(super) fn may_restore(&mut self) -> bool {
        self.restored = !self.restored;
        self.restored
    }

    /// The wait after another client has overwritten our data: longer each time.
    pub(super) fn overwritten(&mut self, now: Instant) -> Duration {
        if self.overwritten_at.is_none_or(|at| now.duration_since(at) > OVERWRITE_RESET) {
            self.overwrite = Backoff::default();
        }
        self.overwritten_at = Some(now);
        self.overwrite.next_wait(&mut self.rng)
    }

    /// The wait after a step that failed.
    pub(super) fn pause(&mut self, moment: &Moment) -> Duration {
        let factor = moment.pending / MANY_PENDING + 1;
        let left = self.writes.left(moment.now);
        left.unwrap_or_else(|| self.retry.next_wait(&mut self.rng) * factor)
    }

    /// The longest wait for the name of another owner's znode.
    pub(super) fn conflict(&mut self) -> Duration {
        self.conflict.next_wait(&mut self.rng).max(HOLDER_UPDATED)
    }

    /// The wait before an audit. Registrations that were made at the same time have theirs at different times, from the
    /// first one on.
    pub(super) fn audit(&mut self, is_first: bool, shared: Option<Duration>) -> Duration {
        let interval = shared.unwrap_or(self.audit_interval);
        if is_first {
            interval.mul_f64(self.rng.random_range(0.25..1.25))
        } else {
            jittered(interval, &mut self.rng)
        }
    }
}

/// Delays a write on which the server closes the connection: how often in a row it has ended during the latest write, and
/// the wait that follows from it.
///
/// A server does not refuse a request that is larger than its `jute.maxbuffer`: it closes the connection, and with it goes
/// every request that is under way on the link. A keeper that went on writing would take down all registrations of the
/// process.
#[derive(Debug, Default)]
struct WriteBackoff {
    /// The data of that write.
    record: Option<Record>,
    in_a_row: u32,
    wait: Duration,
    /// Nothing is written before this moment.
    until: Option<Instant>,
}

impl WriteBackoff {
    /// Whether a write may be sent now. Other data may fit.
    fn admits(&mut self, record: &Record, now: Instant) -> bool {
        if self.record.as_ref() != Some(record) {
            *self = Self { record: Some(record.clone()), ..Self::default() };
        }
        self.left(now).is_none()
    }

    /// The write has failed, and may have ended the connection. `longest` bounds the wait.
    fn cut_off(&mut self, longest: Duration, now: Instant, rng: &mut impl Rng) {
        self.in_a_row += 1;
        if self.in_a_row >= SUSPECT_AFTER {
            self.wait = (self.wait * 2).max(FIRST_WAIT).min(longest.max(FIRST_WAIT));
            // Keepers that lost the same connection write again at different times.
            self.until = Some(now + jittered(self.wait, rng));
        }
    }

    /// The server has replied to the write, or a read has found it carried out.
    fn reset(&mut self) {
        *self = Self::default();
    }

    /// The time until the next write, if there is a wait.
    fn left(&self, now: Instant) -> Option<Duration> {
        let left = self.until?.saturating_duration_since(now);
        (!left.is_zero()).then_some(left)
    }
}
