//! When the list is written: the decision alone.

use std::time::Duration;

use tokio::time::Instant;

/// The shortest time between two writes. A service that changes all the time costs a write every few seconds, and the file lacks a
/// few seconds of changes at most.
const INTERVAL: Duration = Duration::from_secs(5);

/// How long after a write that failed the next one is tried: somebody has to free space or change rights first.
const RETRY: Duration = Duration::from_secs(60);

/// Into how many parts the allowed age is divided: a list that stays the same is written again after one of them, as the file says
/// when the list was last known to be right.
const PARTS: u32 = 24;

/// When the list is written. Lists are told apart by their revision.
#[derive(Debug)]
pub(super) struct Schedule {
    refresh: Duration,
    /// What the file has, and since when.
    written: Option<(u64, Instant)>,
    /// No write before that.
    not_before: Option<Instant>,
}

impl Schedule {
    pub(super) fn new(max_age: Duration) -> Self {
        Self { refresh: (max_age / PARTS).max(INTERVAL), written: None, not_before: None }
    }

    /// Returns when a list is to be written, which may be in the past; `is_live`: whether ZooKeeper still confirms it.
    pub(super) fn due(&self, revision: u64, is_live: bool, now: Instant) -> Option<Instant> {
        let wanted = match self.written {
            Some((written, at)) if written == revision => is_live.then_some(at + self.refresh),
            _ => Some(now),
        };
        wanted.map(|wanted| self.not_before.map_or(wanted, |allowed| wanted.max(allowed)))
    }

    /// Whether the file has this list.
    pub(super) fn has(&self, revision: u64) -> bool {
        self.written.is_some_and(|(written, _)| written == revision)
    }

    /// A write ended.
    pub(super) fn ended(&mut self, revision: u64, is_written: bool, now: Instant) {
        if is_written {
            self.written = Some((revision, now));
        }
        self.not_before = Some(now + if is_written { INTERVAL } else { RETRY });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    #[tokio::test(start_paused = true)]
    async fn changes_are_written_at_once_but_not_more_often_than_the_interval() {
        let mut schedule = Schedule::new(24 * HOUR);
        let start = Instant::now();
        assert_eq!(schedule.due(1, true, start), Some(start));
        schedule.ended(1, true, start);
        assert_eq!(schedule.due(1, true, start), Some(start + HOUR), "it says again that it is right");
        assert_eq!(schedule.due(1, false, start), None, "nobody confirms it");
        let soon = start + INTERVAL / 2;
        for is_live in [true, false] {
            assert_eq!(schedule.due(2, is_live, soon), Some(start + INTERVAL));
        }
        let later = start + 2 * INTERVAL;
        assert_eq!(schedule.due(2, true, later), Some(later));
        assert!(schedule.has(1) && !schedule.has(2));
    }

    #[tokio::test(start_paused = true)]
    async fn a_write_that_failed_is_tried_again_and_leaves_what_was_written() {
        let mut schedule = Schedule::new(24 * HOUR);
        let start = Instant::now();
        schedule.ended(1, true, start);
        schedule.ended(2, false, start + INTERVAL);
        assert!(schedule.has(1));
        assert_eq!(schedule.due(2, true, start + INTERVAL), Some(start + INTERVAL + RETRY));
        assert_eq!(schedule.due(3, true, start + INTERVAL), Some(start + INTERVAL + RETRY));
    }

    #[tokio::test(start_paused = true)]
    async fn a_short_allowed_age_does_not_shorten_the_interval() {
        let mut schedule = Schedule::new(Duration::from_secs(1));
        let start = Instant::now();
        schedule.ended(1, true, start);
        assert_eq!(schedule.due(1, true, start), Some(start + INTERVAL));
    }
}
