use std::ops::RangeInclusive;
use std::time::Duration;

use rand::RngExt;
use rand::rngs::SmallRng;
use zk_embedded::Version;

/// What can be set when an ensemble is built.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) seed: u64,
    pub(crate) version: Version,
    pub(crate) tick: Duration,
    pub(crate) session_timeout: Duration,
    pub(crate) refuses_recursive_watches: bool,
    pub(crate) event_zxids: bool,
    pub(crate) event_capacity: usize,
    pub(crate) times: Times,
}

/// How long things take.
#[derive(Clone, Debug)]
pub(crate) struct Times {
    pub(crate) round_trip: RangeInclusive<Duration>,
    pub(crate) reply_lag: RangeInclusive<Duration>,
}

impl Times {
    /// The first half of a round trip, to the ensemble.
    pub(crate) fn outward(&self, rng: &mut SmallRng) -> Duration {
        let (shortest, longest) = millis(&self.round_trip);
        draw(rng, shortest / 2, longest / 2)
    }

    /// The other half.
    pub(crate) fn back(&self, rng: &mut SmallRng) -> Duration {
        let (shortest, longest) = millis(&self.round_trip);
        draw(rng, shortest - shortest / 2, longest - longest / 2)
    }

    pub(crate) fn lag(&self, rng: &mut SmallRng) -> Duration {
        let (shortest, longest) = millis(&self.reply_lag);
        draw(rng, shortest, longest)
    }
}

fn draw(rng: &mut SmallRng, shortest: u64, longest: u64) -> Duration {
    Duration::from_millis(rng.random_range(shortest..=longest.max(shortest)))
}

/// In whole milliseconds: tokio's timers have no smaller ones.
fn millis(range: &RangeInclusive<Duration>) -> (u64, u64) {
    let millis = |time: &Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    (millis(range.start()), millis(range.end()))
}
