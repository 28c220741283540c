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
    pub(crate) servers: usize,
    pub(crate) follower_lag: RangeInclusive<Duration>,
    pub(crate) presents_zxid: bool,
    pub(crate) times: Times,
}

impl Settings {
    /// What every server is set to.
    pub(crate) fn server(&self) -> zk_embedded::machine::Settings {
        let mut server = zk_embedded::machine::Settings::default();
        server.tick_ms = i64::try_from(self.tick.as_millis()).unwrap_or(i64::MAX).max(1);
        server.version = self.version;
        server.event_zxids = self.event_zxids;
        server
    }
}

/// How long things take.
#[derive(Clone, Debug)]
pub(crate) struct Times {
    pub(crate) round_trip: RangeInclusive<Duration>,
    pub(crate) reply_lag: RangeInclusive<Duration>,
    /// How much longer every round trip takes.
    pub(crate) extra: Duration,
}

impl Times {
    /// The first half of a round trip, to the ensemble.
    pub(crate) fn outward(&self, rng: &mut SmallRng) -> Duration {
        let (shortest, longest) = millis(&self.round_trip);
        draw(rng, shortest / 2, longest / 2) + half(self.extra, 0)
    }

    /// The other half.
    pub(crate) fn back(&self, rng: &mut SmallRng) -> Duration {
        let (shortest, longest) = millis(&self.round_trip);
        draw(rng, shortest - shortest / 2, longest - longest / 2) + half(self.extra, 1)
    }

    pub(crate) fn lag(&self, rng: &mut SmallRng) -> Duration {
        drawn(&self.reply_lag, rng)
    }
}

/// A time out of a range.
pub(crate) fn drawn(range: &RangeInclusive<Duration>, rng: &mut SmallRng) -> Duration {
    let (shortest, longest) = millis(range);
    draw(rng, shortest, longest)
}

fn draw(rng: &mut SmallRng, shortest: u64, longest: u64) -> Duration {
    Duration::from_millis(rng.random_range(shortest..=longest.max(shortest)))
}

/// Half of a time in whole milliseconds; where that is odd, with one for `rest`.
fn half(time: Duration, rest: u128) -> Duration {
    Duration::from_millis(u64::try_from((time.as_millis() + rest) / 2).unwrap_or(u64::MAX))
}

/// In whole milliseconds: tokio's timers have no smaller ones.
fn millis(range: &RangeInclusive<Duration>) -> (u64, u64) {
    let millis = |time: &Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    (millis(range.start()), millis(range.end()))
}
