use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

/// The clock of the machine: the wall clock at the start, and a monotonic one from then on.
///
/// The machine must never see time run backwards, which the wall clock does when it is set.
#[derive(Debug)]
pub(super) struct Clock {
    /// What it was at `since`, in milliseconds since 1970.
    then_ms: i64,
    /// `None` while it stands still.
    since: Option<Instant>,
}

impl Clock {
    pub(super) fn start() -> Self {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { then_ms: millis(wall), since: Some(Instant::now()) }
    }

    /// Returns the time in milliseconds since 1970.
    pub(super) fn now(&self) -> i64 {
        self.then_ms.saturating_add(self.since.map_or(0, |since| millis(since.elapsed())))
    }

    /// Returns when it will be this late; `None` while the clock stands still.
    pub(super) fn when(&self, ms: i64) -> Option<Instant> {
        let wait = u64::try_from(ms.saturating_sub(self.then_ms)).unwrap_or(0);
        self.since.and_then(|since| since.checked_add(Duration::from_millis(wait)))
    }

    pub(super) fn freeze(&mut self) {
        self.then_ms = self.now();
        self.since = None;
    }

    pub(super) fn release(&mut self) {
        self.since.get_or_insert_with(Instant::now);
    }

    pub(super) fn step(&mut self, by: Duration) {
        self.then_ms = self.then_ms.saturating_add(millis(by));
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_frozen_clock_moves_by_steps_alone_and_goes_on_from_there() {
        let mut clock = Clock::start();
        let start = clock.now();
        tokio::time::advance(Duration::from_millis(10)).await;
        assert_eq!(clock.now(), start + 10);

        clock.freeze();
        tokio::time::advance(Duration::from_secs(9)).await;
        assert_eq!(clock.now(), start + 10);
        assert_eq!(clock.when(start + 20), None);
        clock.step(Duration::from_millis(5));
        assert_eq!(clock.now(), start + 15);

        clock.release();
        tokio::time::advance(Duration::from_millis(1)).await;
        assert_eq!(clock.now(), start + 16);
    }

    #[tokio::test(start_paused = true)]
    async fn a_deadline_is_reached_when_its_instant_is() {
        let clock = Clock::start();
        let deadline = clock.now() + 1234;
        tokio::time::sleep_until(clock.when(deadline).expect("it runs")).await;
        assert!(clock.now() >= deadline);
    }
}
