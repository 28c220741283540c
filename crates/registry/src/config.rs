//! Where and how instances are registered.

use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use zk_core::{Acl, PathError, ZnodePath};

#[cfg(feature = "serde")]
mod record;

/// Where and how instances are registered. Every value of this type is valid. Parses from the path of the root:
/// `"/services/web".parse()?`.
///
/// With the feature `serde` it is read and written as `{"root":"/services/web","acl":"open","audit_interval":"30s"}`: all but
/// the root may be missing, and an unknown key is an error.
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(try_from = "record::Record", into = "record::Record")
)]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegistrarConfig {
    root: ZnodePath,
    acl: Acl,
    audit_interval: Duration,
    /// How many registrations have a watch each.
    own_watches: usize,
}

/// How many registrations of one registrar have a watch each, by default.
pub(crate) const OWN_WATCHES: usize = 256;

/// Why a configuration is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RegistrarConfigError {
    /// The audit interval is out of range.
    #[error("an audit interval of {value:?} is out of range; expected {min:?} to {max:?}")]
    AuditInterval {
        /// The value that was passed.
        value: Duration,
        /// The smallest that is allowed.
        min: Duration,
        /// The largest that is allowed.
        max: Duration,
    },
}

impl RegistrarConfig {
    /// The default audit interval: 30 s.
    pub const DEFAULT_AUDIT_INTERVAL: Duration = Duration::from_secs(30);
    /// The audit intervals that are allowed: 100 ms to 1 h.
    pub const AUDIT_INTERVALS: RangeInclusive<Duration> =
        Duration::from_millis(100)..=Duration::from_secs(3600);

    /// Registers below `root`, with an open ACL, audited every 30 s. The registrar creates the root if it is missing.
    pub fn new(root: ZnodePath) -> Self {
        let audit_interval = Self::DEFAULT_AUDIT_INTERVAL;
        Self { root, acl: Acl::Open, audit_interval, own_watches: OWN_WATCHES }
    }

    /// Sets the ACL of the znodes that are created: the instances, and the root and its parents where they are missing.
    pub fn with_acl(mut self, acl: Acl) -> Self {
        self.acl = acl;
        self
    }

    /// Sets how often a keeper compares its znode with the declared instance. Each wait varies by a quarter.
    ///
    /// # Errors
    /// [`RegistrarConfigError::AuditInterval`] outside [`AUDIT_INTERVALS`](Self::AUDIT_INTERVALS).
    pub fn with_audit_interval(mut self, interval: Duration) -> Result<Self, RegistrarConfigError> {
        let range = Self::AUDIT_INTERVALS;
        if !range.contains(&interval) {
            let (min, max) = (*range.start(), *range.end());
            return Err(RegistrarConfigError::AuditInterval { value: interval, min, max });
        }
        self.audit_interval = interval;
        Ok(self)
    }

    /// Lets one watch serve all of more registrations than these: so that a simulation goes where a process with hundreds of
    /// them goes.
    #[doc(hidden)]
    pub fn with_own_watches(mut self, most: usize) -> Self {
        self.own_watches = most;
        self
    }

    /// Returns the znode below which instances are registered.
    pub fn root(&self) -> &ZnodePath {
        &self.root
    }

    pub(crate) fn acl(&self) -> Acl {
        self.acl
    }

    pub(crate) fn own_watches(&self) -> usize {
        self.own_watches
    }

    pub(crate) fn audit_interval(&self) -> Duration {
        self.audit_interval
    }
}

impl From<ZnodePath> for RegistrarConfig {
    fn from(root: ZnodePath) -> Self {
        Self::new(root)
    }
}

impl FromStr for RegistrarConfig {
    type Err = PathError;

    fn from_str(root: &str) -> Result<Self, PathError> {
        root.parse().map(Self::new)
    }
}

impl TryFrom<&str> for RegistrarConfig {
    type Error = PathError;

    fn try_from(root: &str) -> Result<Self, PathError> {
        root.parse()
    }
}

impl TryFrom<String> for RegistrarConfig {
    type Error = PathError;

    fn try_from(root: String) -> Result<Self, PathError> {
        root.parse()
    }
}
