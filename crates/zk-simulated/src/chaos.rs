use std::time::Duration;

use rand::rngs::SmallRng;
use rand::{Rng, RngExt};
use zk_core::ErrorKind;

use crate::rule::Fault;

/// How often which fault happens to a request at random, each as a share between 0 and 1. Together at most 1.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Chaos {
    /// [`Fault::Delay`], up to [`longest_delay`](Self::longest_delay).
    pub delay: f64,
    /// The longest delay.
    pub longest_delay: Duration,
    /// [`Fault::LoseReply`].
    pub lose_reply: f64,
    /// [`Fault::Ignore`].
    pub ignore: f64,
    /// [`Fault::Refuse`] with [`ErrorKind::Busy`].
    pub busy: f64,
    /// [`Fault::CutBefore`].
    pub cut_before: f64,
    /// [`Fault::CutAfter`].
    pub cut_after: f64,
    /// [`Fault::Expire`].
    pub expire: f64,
}

impl Chaos {
    /// A bad day: one request in seven meets a fault.
    pub fn bad_day() -> Self {
        Self {
            delay: 0.05,
            longest_delay: Duration::from_millis(500),
            lose_reply: 0.02,
            ignore: 0.02,
            busy: 0.02,
            cut_before: 0.01,
            cut_after: 0.01,
            expire: 0.01,
        }
    }

    pub(crate) fn draw(&self, rng: &mut SmallRng) -> Option<Fault> {
        let longest = u64::try_from(self.longest_delay.as_millis()).unwrap_or(u64::MAX);
        let shares = [
            (self.delay, None),
            (self.lose_reply, Some(Fault::LoseReply)),
            (self.ignore, Some(Fault::Ignore)),
            (self.busy, Some(Fault::Refuse(ErrorKind::Busy))),
            (self.cut_before, Some(Fault::CutBefore)),
            (self.cut_after, Some(Fault::CutAfter)),
            (self.expire, Some(Fault::Expire)),
        ];
        let mut left = rng.random_range(0.0..1.0);
        for (share, fault) in shares {
            if left < share {
                let delay =
                    |rng: &mut dyn Rng| Fault::Delay(Duration::from_millis(rng.random_range(0..=longest)));
                return Some(fault.unwrap_or_else(|| delay(rng)));
            }
            left -= share;
        }
        None
    }
}
