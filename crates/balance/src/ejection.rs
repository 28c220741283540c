//! When an endpoint is ejected, and for how long.

#[cfg(feature = "serde")]
mod record;

use std::time::Duration;

use crate::config::error::{BalancerConfigError, MAX_TIME, share};
use crate::endpoint::History;
use crate::failure::Failure;
use crate::rng::Rng;

/// When an endpoint is ejected, and for how long. With the feature `serde` it is read and written as `{"consecutive":1,
/// "consecutive_soft":5,"failure_share":0.5,"base":"200ms","cap":"10s","max_share":0.5}`.
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(try_from = "record::Record", into = "record::Record")
)]
#[derive(Clone, Debug, PartialEq)]
pub struct Ejection {
    pub(crate) consecutive: u32,
    pub(crate) consecutive_soft: u32,
    pub(crate) failure_share: f64,
    pub(crate) base: Duration,
    pub(crate) cap: Duration,
    pub(crate) max_share: f64,
}

impl Default for Ejection {
    /// 1 failure, or 5 soft ones in a row, or half of the last 32 calls; 200 ms to 10 s; at most half of the set by soft ones.
    fn default() -> Self {
        Self {
            consecutive: 1,
            consecutive_soft: 5,
            failure_share: 0.5,
            base: Duration::from_millis(200),
            cap: Duration::from_secs(10),
            max_share: 0.5,
        }
    }
}

impl Ejection {
    /// Sets how many failures in a row eject, 1 by default, and how many if the last one is soft
    /// ([`Failure::is_hard`]), 5 by default.
    ///
    /// # Errors
    /// [`BalancerConfigError::Failures`], unless both are 1 to 32.
    pub fn with_consecutive(mut self, hard: u32, soft: u32) -> Result<Self, BalancerConfigError> {
        if let Some(count) = [hard, soft].into_iter().find(|count| !(1..=32).contains(count)) {
            return Err(BalancerConfigError::Failures { count });
        }
        (self.consecutive, self.consecutive_soft) = (hard, soft);
        Ok(self)
    }

    /// Sets the share of failures among the last 32 calls that ejects, 0.5 by default; 1 switches it off, as 32 failures in a row
    /// eject in any case. An endpoint without 32 calls counts as if the ones before its first had succeeded.
    ///
    /// # Errors
    /// [`BalancerConfigError::Share`], unless 0 <= `failures` <= 1.
    pub fn with_failure_share(mut self, failures: f64) -> Result<Self, BalancerConfigError> {
        self.failure_share = share("share of failures", failures)?;
        Ok(self)
    }

    /// Sets for how long the first ejection lasts, 200 ms by default; the time doubles with each further one, up to `cap`, 10 s by
    /// default, and begins anew after twice the last ejection's time in service.
    ///
    /// Each time varies by a quarter, at the cap too, and is never shorter than the wait for an answer or a connection that did not
    /// come.
    ///
    /// # Errors
    /// [`BalancerConfigError`], unless 1 ms <= `base` <= `cap` <= 1 h.
    pub fn with_times(mut self, base: Duration, cap: Duration) -> Result<Self, BalancerConfigError> {
        if base < Duration::from_millis(1) {
            return Err(BalancerConfigError::EjectionBase { base });
        }
        if cap < base || cap > MAX_TIME {
            return Err(BalancerConfigError::EjectionCap { base, cap });
        }
        (self.base, self.cap) = (base, cap);
        Ok(self)
    }

    /// Sets which share of the set may be ejected because of soft failures or a share of failures, 0.5 by default. Failures
    /// in a row that prove that an endpoint cannot answer are not limited.
    ///
    /// # Errors
    /// [`BalancerConfigError::Share`], unless 0 <= `ejected` <= 1.
    pub fn with_max_share(mut self, ejected: f64) -> Result<Self, BalancerConfigError> {
        self.max_share = share("share of ejected endpoints", ejected)?;
        Ok(self)
    }

    /// Whether an endpoint with such a history, whose last call failed so, is to be ejected.
    pub(crate) fn verdict(&self, failure: Failure, history: History) -> Verdict {
        let in_a_row = if failure.is_hard() { self.consecutive } else { self.consecutive_soft };
        let by_row = history.consecutive >= in_a_row;
        if by_row && failure.is_hard() {
            Verdict::Eject
        } else if by_row || f64::from(history.share) >= self.failure_share {
            Verdict::EjectWithinCap
        } else {
            Verdict::Keep
        }
    }

    /// For how long the `times`th ejection in a row lasts, after a wait in vain of `cost`.
    pub(crate) fn time(&self, times: u32, cost: Duration, rng: &mut Rng) -> Duration {
        let doublings = times.saturating_sub(1).min(31);
        let time = self.base.saturating_mul(1 << doublings).min(self.cap);
        time.mul_f64(0.75 + rng.unit() / 2.0).max(cost)
    }
}

/// What becomes of an endpoint after a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Keep,
    Eject,
    /// Unless too many are ejected already.
    EjectWithinCap,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn the_time_doubles_up_to_its_cap_and_is_never_shorter_than_the_failure() {
        let (ejection, mut rng) = (Ejection::default(), Rng::new(1));
        for (times, about) in (1..).zip([200, 400, 800, 1600, 3200, 6400, 10_000, 10_000]) {
            for _ in 0..100 {
                let time = ejection.time(times, Duration::ZERO, &mut rng);
                assert!((ms(about * 3 / 4)..=ms(about * 5 / 4)).contains(&time), "{time:?}");
            }
        }
        assert_eq!(ejection.time(1, ms(1000), &mut rng), ms(1000));
        assert!(ejection.time(u32::MAX, Duration::ZERO, &mut rng) <= ms(12_500));
    }

    #[test]
    fn hard_failures_in_a_row_eject_and_others_within_the_cap() {
        let ejection = Ejection::default();
        let history = |consecutive, share| History { consecutive, share };
        assert_eq!(ejection.verdict(Failure::Timeout, history(1, 0.03)), Verdict::Eject);
        assert_eq!(ejection.verdict(Failure::Unavailable, history(4, 0.125)), Verdict::Keep);
        assert_eq!(ejection.verdict(Failure::Unavailable, history(5, 0.15)), Verdict::EjectWithinCap);
        assert_eq!(ejection.verdict(Failure::Overloaded, history(1, 0.5)), Verdict::EjectWithinCap);
        let patient = ejection.with_consecutive(3, 5).unwrap();
        assert_eq!(patient.verdict(Failure::Reset, history(2, 0.4)), Verdict::Keep);
        assert_eq!(patient.verdict(Failure::Reset, history(1, 0.5)), Verdict::EjectWithinCap);
    }

    #[test]
    fn only_numbers_in_range_are_taken() {
        let times = |base, cap| Ejection::default().with_times(base, cap).map(|_| ());
        let hour = Duration::from_secs(3600);
        assert_eq!(times(ms(1), ms(1)), Ok(()));
        assert_eq!(times(ms(200), hour), Ok(()));
        assert_eq!(times(ms(0), ms(1)), Err(BalancerConfigError::EjectionBase { base: ms(0) }));
        for cap in [ms(199), hour + ms(1)] {
            assert_eq!(times(ms(200), cap), Err(BalancerConfigError::EjectionCap { base: ms(200), cap }));
        }
        for (hard, soft, count) in [(0, 5, 0), (1, 0, 0), (33, 1, 33), (1, 33, 33)] {
            let error = Ejection::default().with_consecutive(hard, soft).unwrap_err();
            assert_eq!(error, BalancerConfigError::Failures { count });
        }
        for share in [-0.1, 1.1, f64::NAN] {
            assert!(Ejection::default().with_failure_share(share).is_err());
            assert!(Ejection::default().with_max_share(share).is_err());
        }
    }
}
