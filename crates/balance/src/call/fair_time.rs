//! From when on an attempt without an answer is evidence, whoever's clock ran out.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// How many times the average an attempt may take: of latencies that are spread exponentially, 1 in 55 takes longer. A false alarm
/// costs the endpoint an ejection of 200 ms, a missed one costs each of its callers their whole time.
const FACTOR: u32 = 4;

/// Of latencies that are spread exponentially, 1 in 7 is longer than so many times the average: one such attempt says little, five in
/// a row do not happen to who is well.
const DOUBTFUL_FACTOR: u32 = 2;

/// A scheduler, a garbage collection or a lost packet takes so long, and says nothing.
const LEAST: Duration = Duration::from_millis(50);

/// One sample is this part of the average, as in TCP's round-trip time (RFC 6298).
const WEIGHT: u64 = 8;

/// Learns what an answered attempt takes, to tell which of the unanswered ones are the endpoint's fault.
///
/// An attempt that has its full time is a failure when that is over. Many do not get it: the call has less left, or its future is
/// dropped by a caller with a deadline of its own. If such an attempt said nothing, a caller whose time is never longer than an attempt
/// would pick a hung endpoint for ever. If each said something, a caller that gives up early by design would eject the healthy. So it
/// counts after a *fair time*: four times the average of an answered attempt, at least 50 ms, at most half the time of an attempt,
/// and that half as long as nothing has answered.
///
/// With that alone, a caller whose deadline is below the fair time, but above what answers take, would stay with a hung endpoint for
/// ever. So half of it, and the 50 ms as long as nothing has answered, is a *doubtful time*: an attempt that is cut short after it
/// counts as a soft failure, of which it takes five in a row, and which eject at most half of a set.
#[derive(Debug)]
pub(super) struct FairTime {
    /// In nanoseconds; 0 before the first answer.
    average: AtomicU64,
    most: Duration,
}

impl FairTime {
    pub(super) fn new(attempt: Duration) -> Self {
        Self { average: AtomicU64::new(0), most: attempt / 2 }
    }

    /// Notes how long an answered attempt took.
    pub(super) fn answered(&self, took: Duration) {
        let sample = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX).max(1);
        // A sample that another thread overwrites is no loss.
        let average = match self.average.load(Ordering::Relaxed) {
            0 => sample,
            average => average - average / WEIGHT + sample / WEIGHT,
        };
        self.average.store(average.max(1), Ordering::Relaxed);
    }

    /// How long an attempt that begins now has to last to be evidence.
    pub(super) fn get(&self) -> Fair {
        let times =
            |average, factor| Duration::from_nanos(average).saturating_mul(factor).max(LEAST).min(self.most);
        match self.average.load(Ordering::Relaxed) {
            0 => Fair { full: self.most, doubtful: LEAST.min(self.most) },
            average => Fair { full: times(average, FACTOR), doubtful: times(average, DOUBTFUL_FACTOR) },
        }
    }
}

/// From when on no answer is evidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fair {
    /// A timeout.
    pub(super) full: Duration,
    /// A soft failure; not longer.
    pub(super) doubtful: Duration,
}

impl Fair {
    /// For attempts that nobody but the end of all cuts short.
    pub(super) fn only(full: Duration) -> Self {
        Self { full, doubtful: full }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn it_is_four_times_the_average_within_its_bounds() {
        let of = |full, doubtful| Fair { full: ms(full), doubtful: ms(doubtful) };
        let fair = FairTime::new(ms(1000));
        assert_eq!(fair.get(), of(500, 50));
        fair.answered(ms(20));
        assert_eq!(fair.get(), of(80, 50));
        fair.answered(ms(100));
        assert_eq!(fair.get(), of(120, 60));
        (0..100).for_each(|_| fair.answered(Duration::ZERO));
        assert_eq!(fair.get(), of(50, 50));
        (0..100).for_each(|_| fair.answered(Duration::MAX));
        assert_eq!(fair.get(), of(500, 500));
        let fair = FairTime::new(ms(60));
        assert_eq!(fair.get(), of(30, 30));
        fair.answered(ms(20));
        assert_eq!(fair.get(), of(30, 30));
    }
}
