//! Where and how instances are registered.

use std::ops::RangeInclusive;
use std::time::Duration;

use zk_core::{Acl, ZnodePath};

/// Where and how instances are registered. Checked: whatever exists is usable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    root: ZnodePath,
    acl: Acl,
    audit_interval: Duration,
}

/// A value that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The audit interval is out of range.
    #[error("an audit interval of {given:?} is out of range; expected {min:?} to {max:?}")]
    AuditInterval {
        /// The value given.
        given: Duration,
        /// The smallest that is allowed.
        min: Duration,
        /// The largest that is allowed.
        max: Duration,
    },
}

impl Config {
    /// How often a registration is compared with what is there, unless told otherwise: every 30 s.
    pub const DEFAULT_AUDIT_INTERVAL: Duration = Duration::from_secs(30);
    /// The audit intervals that are allowed.
    pub const AUDIT_INTERVALS: RangeInclusive<Duration> =
        Duration::from_millis(100)..=Duration::from_secs(3600);

    /// Registers below `root`, which is created where it is missing, with an open ACL.
    pub fn new(root: ZnodePath) -> Self {
        Self { root, acl: Acl::Open, audit_interval: Self::DEFAULT_AUDIT_INTERVAL }
    }

    /// Sets the ACL of everything that is created.
    pub fn with_acl(mut self, acl: Acl) -> Self {
        self.acl = acl;
        self
    }

    /// Sets how often a registration is compared with what is there. Each wait is varied by a quarter.
    ///
    /// # Errors
    /// Outside [`AUDIT_INTERVALS`](Self::AUDIT_INTERVALS).
    pub fn with_audit_interval(mut self, given: Duration) -> Result<Self, ConfigError> {
        let range = Self::AUDIT_INTERVALS;
        if !range.contains(&given) {
            return Err(ConfigError::AuditInterval { given, min: *range.start(), max: *range.end() });
        }
        self.audit_interval = given;
        Ok(self)
    }

    /// The znode below which instances are registered.
    pub fn root(&self) -> &ZnodePath {
        &self.root
    }

    pub(crate) fn acl(&self) -> Acl {
        self.acl
    }

    pub(crate) fn audit_interval(&self) -> Duration {
        self.audit_interval
    }
}
