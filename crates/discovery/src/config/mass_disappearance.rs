//! [`MassDisappearance`]: when too many instances are gone to believe it.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::error::{DiscoveryConfigError, check};

/// When so many instances are gone that it is not believed at once. Every value is checked when it is set.
///
/// The set of now is compared with that of one [window](Self::with_window) ago, or of the moment when the first of the
/// removals came that are about to be believed. It is a mass disappearance if more than a [share](Self::with_share), and
/// at least a [number](Self::with_number), of those that were there are not there now. Instances that have come since do
/// not count, nor do those whose leave was told, or whose hold is over.
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(try_from = "super::record::RuleRecord", into = "super::record::RuleRecord")
)]
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MassDisappearance {
    pub(super) share: f64,
    pub(super) number: usize,
    pub(super) window: Duration,
}

/// The share is a number.
impl Eq for MassDisappearance {}

impl MassDisappearance {
    /// The share by default: more than half.
    pub const DEFAULT_SHARE: f64 = 0.5;
    /// The allowed shares: 0 to 1.
    pub const SHARES: RangeInclusive<f64> = 0.0..=1.0;
    /// The number by default: 3.
    pub const DEFAULT_NUMBER: usize = 3;
    /// The allowed numbers: 1 to a million.
    pub const NUMBERS: RangeInclusive<usize> = 1..=1_000_000;
    /// The window by default: 1 s.
    pub const DEFAULT_WINDOW: Duration = Duration::from_secs(1);
    /// The allowed windows: 10 ms to 1 min.
    pub const WINDOWS: RangeInclusive<Duration> = Duration::from_millis(10)..=Duration::from_secs(60);

    /// Sets the share of the instances of which more have to be gone; with 1 there is no mass disappearance. The first
    /// list of a new session goes by the share alone.
    ///
    /// # Errors
    /// Outside [`SHARES`](Self::SHARES).
    pub fn with_share(mut self, share: f64) -> Result<Self, DiscoveryConfigError> {
        self.share = check("a share", share, Self::SHARES)?;
        Ok(self)
    }

    /// Sets how many instances have to be gone at least.
    ///
    /// # Errors
    /// Outside [`NUMBERS`](Self::NUMBERS).
    pub fn with_number(mut self, number: usize) -> Result<Self, DiscoveryConfigError> {
        self.number = check("a number", number, Self::NUMBERS)?;
        Ok(self)
    }

    /// Sets how far back the set is looked at: removals that are further apart are ordinary.
    ///
    /// # Errors
    /// Outside [`WINDOWS`](Self::WINDOWS).
    pub fn with_window(mut self, window: Duration) -> Result<Self, DiscoveryConfigError> {
        self.window = check("a window", window, Self::WINDOWS)?;
        Ok(self)
    }

    pub(crate) fn window(&self) -> Duration {
        self.window
    }

    /// Whether it is a mass disappearance if `gone` of `all` are gone.
    pub(crate) fn applies(&self, gone: usize, all: usize) -> bool {
        gone >= self.number && self.is_too_large_a_share(gone, all)
    }

    /// Whether `gone` is more of `all` than the share.
    #[allow(clippy::cast_precision_loss, reason = "no set is so large")]
    pub(crate) fn is_too_large_a_share(&self, gone: usize, all: usize) -> bool {
        gone as f64 > all as f64 * self.share
    }
}

/// More than half of the instances, and at least three, within a second.
impl Default for MassDisappearance {
    fn default() -> Self {
        Self { share: Self::DEFAULT_SHARE, number: Self::DEFAULT_NUMBER, window: Self::DEFAULT_WINDOW }
    }
}
