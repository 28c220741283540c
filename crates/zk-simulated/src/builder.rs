use std::ops::RangeInclusive;
use std::time::Duration;

use zk_embedded::Version;

use crate::ensemble::SimulatedEnsemble;
use crate::settings::{Settings, Times};

/// Builds a [`SimulatedEnsemble`].
#[derive(Clone, Debug)]
pub struct Builder(Settings);

/// Begins with the defaults: ZooKeeper 3.8, round trips of 1 to 3 ms.
pub fn builder(seed: u64) -> Builder {
    let ms = Duration::from_millis;
    Builder(Settings {
        seed,
        version: Version::default(),
        tick: ms(2000),
        session_timeout: Duration::from_secs(10),
        refuses_recursive_watches: false,
        event_zxids: false,
        event_capacity: 16_384,
        servers: 1,
        follower_lag: Duration::ZERO..=Duration::ZERO,
        presents_zxid: false,
        times: Times {
            round_trip: ms(1)..=ms(3),
            reply_lag: Duration::ZERO..=Duration::ZERO,
            extra: Duration::ZERO,
        },
    })
}

impl SimulatedEnsemble {
    /// Begins with an empty tree, as ZooKeeper 3.8. See [`builder`] for more.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn new(seed: u64) -> Self {
        builder(seed).build()
    }
}

impl Builder {
    /// Behaves as this release. Before 3.6 there are no recursive watches.
    #[must_use]
    pub fn version(mut self, version: Version) -> Self {
        self.0.version = version;
        self
    }

    /// The tick, 2 s by default: session timeouts are 2 to 20 of it, and sessions end at whole ones.
    #[must_use]
    pub fn tick(mut self, tick: Duration) -> Self {
        self.0.tick = tick;
        self
    }

    /// The session timeout that clients request, 10 s by default.
    #[must_use]
    pub fn session_timeout(mut self, timeout: Duration) -> Self {
        self.0.session_timeout = timeout;
        self
    }

    /// Whether the server knows recursive watches but refuses them, as ZooKeeper's `WatchManagerOptimized` does.
    #[must_use]
    pub fn refuse_recursive_watches(mut self, refuse: bool) -> Self {
        self.0.refuses_recursive_watches = refuse;
        self
    }

    /// Whether events carry the zxid of their transaction, as from ZooKeeper 3.9 on.
    #[must_use]
    pub fn event_zxids(mut self, carried: bool) -> Self {
        self.0.event_zxids = carried;
        self
    }

    /// How many events wait for the reader of a recursive watch, 16,384 by default; one more ends the watch.
    #[must_use]
    pub fn event_capacity(mut self, events: usize) -> Self {
        self.0.event_capacity = events;
        self
    }

    /// How many servers there are: 1 by default. Of several, one leads and the others follow.
    ///
    /// # Panics
    /// If there are none.
    #[must_use]
    pub fn servers(mut self, servers: usize) -> Self {
        assert!(servers > 0, "an ensemble has a server");
        self.0.servers = servers;
        self
    }

    /// How much later than the leader a follower applies a transaction, in whole milliseconds: 0 by default.
    #[must_use]
    pub fn follower_lag(mut self, lag: RangeInclusive<Duration>) -> Self {
        self.0.follower_lag = lag;
        self
    }

    /// Whether clients say, when they attach to a session again, which transaction they have seen last: a server that is behind
    /// it then refuses them, as Apache ZooKeeper does. Off by default, as zk-core's link to Apache ZooKeeper does not:
    /// what its clients see can go back, until they call `sync`.
    #[must_use]
    pub fn present_zxids(mut self, present: bool) -> Self {
        self.0.presents_zxid = present;
        self
    }

    /// How long a request and its reply take together, in whole milliseconds: 1 to 3 by default.
    #[must_use]
    pub fn round_trip(mut self, time: RangeInclusive<Duration>) -> Self {
        self.0.times.round_trip = time;
        self
    }

    /// For how long a reply lies at its client while events overtake it: 0 by default.
    #[must_use]
    pub fn reply_lag(mut self, lag: RangeInclusive<Duration>) -> Self {
        self.0.times.reply_lag = lag;
        self
    }

    /// Begins.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn build(self) -> SimulatedEnsemble {
        SimulatedEnsemble::begin(self.0)
    }
}
