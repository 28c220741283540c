//! The time of a walk: that of CLOCK_MONOTONIC, which all processes of a machine share, since the walk began.

use std::time::Duration;

use nix::time::{ClockId, clock_gettime};
use tokio::time::Instant;

/// The time since the beginning of the walk.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    began: Duration,
}

impl Clock {
    /// A walk begins now.
    pub(crate) fn start() -> Self {
        Self { began: read(ClockId::CLOCK_MONOTONIC) }
    }

    /// A walk that another process has begun.
    pub(crate) fn began_at(nanos: u64) -> Self {
        Self { began: Duration::from_nanos(nanos) }
    }

    /// When it began, for another process.
    pub(crate) fn nanos(self) -> u64 {
        u64::try_from(self.began.as_nanos()).unwrap_or(u64::MAX)
    }

    pub(crate) fn now(self) -> Duration {
        read(ClockId::CLOCK_MONOTONIC).saturating_sub(self.began)
    }

    /// A moment of this process.
    pub(crate) fn at(self, moment: Instant) -> Duration {
        self.now().saturating_sub(moment.elapsed())
    }

    /// The beginning of the walk by the wall clock, as that stands now.
    pub(crate) fn began_by_the_wall(self) -> Duration {
        read(ClockId::CLOCK_REALTIME).saturating_sub(self.now())
    }
}

fn read(clock: ClockId) -> Duration {
    clock_gettime(clock).expect("Linux has both clocks").into()
}
