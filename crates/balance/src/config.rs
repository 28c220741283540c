//! The configuration of a balancer.

use std::time::Duration;

use thiserror::Error;

use crate::picker::Strategy;

/// The longest ejection: beyond it, one would rather restart the caller.
const MAX_CAP: Duration = Duration::from_secs(3600);

/// How a [`Balancer`](crate::Balancer) picks, and for how long it ejects.
#[derive(Clone, Debug)]
pub struct Config {
    pub(crate) strategy: Strategy,
    pub(crate) base: Duration,
    pub(crate) cap: Duration,
    pub(crate) seed: Option<u64>,
}

impl Config {
    /// Chooses a strategy, with ejections from 200 ms up to 10 s.
    #[must_use]
    pub fn new(strategy: Strategy) -> Self {
        let (base, cap) = (Duration::from_millis(200), Duration::from_secs(10));
        Self { strategy, base, cap, seed: None }
    }

    /// Sets for how long the first failure ejects; the time doubles with each further failure, up to `cap`.
    ///
    /// Each time varies by a quarter, at the cap too.
    ///
    /// # Errors
    /// [`ConfigError`], unless 1 ms <= `base` <= `cap` <= 1 h.
    pub fn with_ejection(mut self, base: Duration, cap: Duration) -> Result<Self, ConfigError> {
        if base < Duration::from_millis(1) {
            return Err(ConfigError::EjectionBase { base });
        }
        if cap < base || cap > MAX_CAP {
            return Err(ConfigError::EjectionCap { base, cap });
        }
        (self.base, self.cap) = (base, cap);
        Ok(self)
    }

    /// Makes all random choices repeatable; by default each balancer has a random seed.
    #[must_use]
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }
}

/// Picks at random.
impl Default for Config {
    fn default() -> Self {
        Self::new(Strategy::Random)
    }
}

/// A duration out of range.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The first ejection is too short.
    #[error("the first ejection lasts {base:?}, expected at least 1ms")]
    EjectionBase {
        /// How long the first ejection would last.
        base: Duration,
    },
    /// The longest ejection is out of range.
    #[error("the longest ejection lasts {cap:?}, expected {base:?} (the first one) to 1h")]
    EjectionCap {
        /// How long the first ejection lasts.
        base: Duration,
        /// How long the longest one would last.
        cap: Duration,
    },
    /// A call would never be attempted.
    #[error("an attempt lasts {attempt:?}, expected at least 1ms")]
    Attempt {
        /// How long an attempt would last.
        attempt: Duration,
    },
    /// A call would end before its first attempt does.
    #[error("the whole call lasts {overall:?}, expected {attempt:?} (one attempt) to 1h")]
    Overall {
        /// How long an attempt lasts.
        attempt: Duration,
        /// How long the whole call would last.
        overall: Duration,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_ejections_in_range_are_taken() {
        let ms = Duration::from_millis;
        let with = |base, cap| Config::default().with_ejection(base, cap).map(|_| ());
        assert_eq!(with(ms(1), ms(1)), Ok(()));
        assert_eq!(with(ms(200), MAX_CAP), Ok(()));
        assert_eq!(with(ms(0), ms(1)), Err(ConfigError::EjectionBase { base: ms(0) }));
        for cap in [ms(199), MAX_CAP + ms(1)] {
            assert_eq!(with(ms(200), cap), Err(ConfigError::EjectionCap { base: ms(200), cap }));
        }
    }
}
