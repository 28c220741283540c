//! What to follow, and how much to believe at once.

use std::ops::RangeInclusive;
use std::time::Duration;

use zk_core::ZnodePath;

/// What to follow, and how much to believe at once. Checked: whatever exists is usable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    root: ZnodePath,
    audit_interval: Duration,
    settle: Duration,
    hold: Option<Duration>,
    records: Records,
}

/// Whether instances are read, or only their names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Records {
    /// The name says where to call; weight, tags and owner have their defaults. Nothing is ever read but
    /// lists of names.
    #[default]
    NamesOnly,
    /// Weight, tags and owner are read, and read again whenever they change.
    Read,
}

/// A value that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} of {given:?} is out of range; expected {min:?} to {max:?}")]
pub struct ConfigError {
    what: &'static str,
    given: Duration,
    min: Duration,
    max: Duration,
}

impl Config {
    /// How often the view is compared with the truth, unless told otherwise: once a minute.
    pub const DEFAULT_AUDIT_INTERVAL: Duration = Duration::from_secs(60);
    /// The audit intervals that are allowed.
    pub const AUDIT_INTERVALS: RangeInclusive<Duration> =
        Duration::from_millis(100)..=Duration::from_secs(3600);
    /// How long a removal waits for a creation of the same name, unless told otherwise: 25 ms. The two
    /// events of a take-over leave the server together; this is for the way, and for a busy machine.
    pub const DEFAULT_SETTLE: Duration = Duration::from_millis(25);
    /// The settling times that are allowed.
    pub const SETTLES: RangeInclusive<Duration> = Duration::ZERO..=Duration::from_secs(1);
    /// The holds that are allowed.
    pub const HOLDS: RangeInclusive<Duration> = Duration::ZERO..=Duration::from_secs(600);

    /// Follows the children of `root`.
    pub fn new(root: ZnodePath) -> Self {
        Self {
            root,
            audit_interval: Self::DEFAULT_AUDIT_INTERVAL,
            settle: Self::DEFAULT_SETTLE,
            hold: None,
            records: Records::NamesOnly,
        }
    }

    /// Sets how often the view is compared with the truth. Each wait is varied by a quarter.
    ///
    /// # Errors
    /// Outside [`AUDIT_INTERVALS`](Self::AUDIT_INTERVALS).
    pub fn with_audit_interval(mut self, given: Duration) -> Result<Self, ConfigError> {
        check("an audit interval", given, Self::AUDIT_INTERVALS)?;
        self.audit_interval = given;
        Ok(self)
    }

    /// Sets how long a removal waits for a creation of the same name before it is believed. Removals that
    /// arrive within this time are judged together: as a mass disappearance, or not.
    ///
    /// # Errors
    /// Outside [`SETTLES`](Self::SETTLES).
    pub fn with_settle(mut self, given: Duration) -> Result<Self, ConfigError> {
        check("a settling time", given, Self::SETTLES)?;
        self.settle = given;
        Ok(self)
    }

    /// Sets for how long a mass disappearance is held back; zero believes everything at once. By
    /// default the session timeout and two seconds more: time enough for servers that lost their
    /// sessions, all at once, to come back. It begins anew with each connection, but ends after three times
    /// as long with one.
    ///
    /// # Errors
    /// Outside [`HOLDS`](Self::HOLDS).
    pub fn with_hold(mut self, given: Duration) -> Result<Self, ConfigError> {
        check("a hold", given, Self::HOLDS)?;
        self.hold = Some(given);
        Ok(self)
    }

    /// Sets whether the records are read, or only the names: by default only the names. The crate's
    /// documentation says what reading costs.
    pub fn with_records(mut self, records: Records) -> Self {
        self.records = records;
        self
    }

    /// The znode whose children are followed.
    pub fn root(&self) -> &ZnodePath {
        &self.root
    }

    pub(crate) fn records(&self) -> Records {
        self.records
    }

    pub(crate) fn audit_interval(&self) -> Duration {
        self.audit_interval
    }

    pub(crate) fn settle(&self) -> Duration {
        self.settle
    }

    pub(crate) fn hold(&self, session_timeout: Duration) -> Duration {
        self.hold.unwrap_or(session_timeout + Duration::from_secs(2))
    }
}

fn check(what: &'static str, given: Duration, range: RangeInclusive<Duration>) -> Result<(), ConfigError> {
    if range.contains(&given) {
        return Ok(());
    }
    Err(ConfigError { what, given, min: *range.start(), max: *range.end() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> Config {
        Config::new(ZnodePath::parse("/go_servers").unwrap())
    }

    #[test]
    fn what_is_out_of_range_is_refused_and_what_was_expected_is_told() {
        let (second, day) = (Duration::from_secs(1), Duration::from_secs(86_400));
        let error = config().with_settle(2 * second).unwrap_err();
        assert_eq!(error.to_string(), "a settling time of 2s is out of range; expected 0ns to 1s");
        assert!(config().with_settle(second).is_ok() && config().with_settle(Duration::ZERO).is_ok());
        assert!(config().with_hold(601 * second).is_err() && config().with_hold(600 * second).is_ok());
        for refused in [Duration::ZERO, Config::AUDIT_INTERVALS.start().mul_f64(0.9), day] {
            assert!(config().with_audit_interval(refused).is_err(), "{refused:?}");
        }
        for allowed in [*Config::AUDIT_INTERVALS.start(), *Config::AUDIT_INTERVALS.end()] {
            assert!(config().with_audit_interval(allowed).is_ok(), "{allowed:?}");
        }
    }

    #[test]
    fn the_hold_is_the_session_timeout_and_two_seconds_more_unless_told_otherwise() {
        let timeout = Duration::from_secs(10);
        assert_eq!(config().hold(timeout), Duration::from_secs(12));
        for given in [Duration::ZERO, Duration::from_secs(60)] {
            assert_eq!(config().with_hold(given).unwrap().hold(timeout), given);
        }
    }

    #[test]
    fn unless_told_otherwise_it_settles_for_25_ms_audits_once_a_minute_and_reads_no_records() {
        let config = config();
        assert_eq!(config.settle(), Duration::from_millis(25));
        assert_eq!(config.audit_interval(), Duration::from_secs(60));
        assert_eq!(config.records(), Records::NamesOnly);
    }
}
