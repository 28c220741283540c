//! What to follow, and when to believe a removal.

use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use zk_core::{PathError, ZnodePath};

mod error;
mod mass_disappearance;
#[cfg(feature = "serde")]
mod record;

pub use error::DiscoveryConfigError;
pub use mass_disappearance::MassDisappearance;

use error::check;

/// What to follow, and when to believe a removal. Every value is checked when it is set. Parses from the path of the root:
/// `"/services/web".parse()?`.
///
/// With the feature `serde` it is read and written as `{"root":"/services/web","audit_interval":"1m","settle":"25ms",
/// "hold":null,"mass_disappearance":{"share":0.5,"number":3,"window":"1s"},"records":"names-only"}`: all but the root may be
/// missing, and an unknown key is an error.
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(try_from = "record::Record", into = "record::Record")
)]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiscoveryConfig {
    root: ZnodePath,
    audit_interval: Duration,
    settle: Duration,
    hold: Option<Duration>,
    mass_disappearance: MassDisappearance,
    records: Records,
}

/// Whether the records of instances are read, or only their names.
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "kebab-case"))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Records {
    /// Only names are read: they are the endpoints to call. Weight, tags and owner have their defaults. Where a
    /// [`Format`](instance::Format) has names that tell no endpoint, those records are read as with [`Read`](Self::Read).
    #[default]
    NamesOnly,
    /// Weight, tags and owner are read, and read again when they change.
    ///
    /// * An instance shows with its record, or with the defaults after 250 ms or a failed read; the record follows
    ///   as [`Change::Updated`](crate::Change::Updated). The first snapshot waits for every record, for 250 ms at
    ///   most. A record never removes an instance.
    /// * Records that are due within 5 ms share a request: at most 256, about 1 MiB by the sizes so far, and four
    ///   requests under way. All are read again after a reconnect (over 1 s) and at an audit (over half of its
    ///   interval).
    /// * Zxids show whether a znode was written or created again. Another process under the same name is an update
    ///   to another [incarnation](instance::Owner::incarnation); the same one in a new session is no change.
    /// * A record that may not be read, or makes no sense, gives the defaults, is counted in
    ///   [`View::unreadable`](crate::View::unreadable) and logged once. ZooKeeper has no event for rights: a record
    ///   that becomes readable is read after its next write, or at the audit. Servers with the fix of CVE-2024-23944
    ///   send no events of znodes that we may not read: these come, change and go with the next list or audit.
    Read,
}

impl DiscoveryConfig {
    /// How often an audit checks that nothing was missed by default: once a minute.
    pub const DEFAULT_AUDIT_INTERVAL: Duration = Duration::from_secs(60);
    /// The allowed audit intervals: 100 ms to 1 h.
    pub const AUDIT_INTERVALS: RangeInclusive<Duration> =
        Duration::from_millis(100)..=Duration::from_secs(3600);
    /// How long a removal waits for a creation of the same name by default: 25 ms. The server sends the two events of
    /// a take-over at the same time; the wait allows for the network and a busy machine.
    pub const DEFAULT_SETTLE: Duration = Duration::from_millis(25);
    /// The allowed settling times: 0 to 1 s.
    pub const SETTLES: RangeInclusive<Duration> = Duration::ZERO..=Duration::from_secs(1);
    /// The allowed holds: 0 to 10 min.
    pub const HOLDS: RangeInclusive<Duration> = Duration::ZERO..=Duration::from_secs(600);

    /// Follows the children of `root`.
    pub fn new(root: ZnodePath) -> Self {
        Self {
            root,
            audit_interval: Self::DEFAULT_AUDIT_INTERVAL,
            settle: Self::DEFAULT_SETTLE,
            hold: None,
            mass_disappearance: MassDisappearance::default(),
            records: Records::NamesOnly,
        }
    }

    /// Sets how often an audit checks that no change was missed, and reads again the records that are
    /// followed. Each wait varies by a quarter.
    ///
    /// # Errors
    /// Outside [`AUDIT_INTERVALS`](Self::AUDIT_INTERVALS).
    pub fn with_audit_interval(mut self, interval: Duration) -> Result<Self, DiscoveryConfigError> {
        self.audit_interval = check("an audit interval", interval, Self::AUDIT_INTERVALS)?;
        Ok(self)
    }

    /// Sets how long a removal waits for a creation of the same name before it is believed. Removals that arrive
    /// within this time count as one disappearance, which may be a mass disappearance.
    ///
    /// # Errors
    /// Outside [`SETTLES`](Self::SETTLES).
    pub fn with_settle(mut self, settle: Duration) -> Result<Self, DiscoveryConfigError> {
        self.settle = check("a settling time", settle, Self::SETTLES)?;
        Ok(self)
    }

    /// Sets for how long the instances of a mass disappearance are held; with zero nothing is held. The default is
    /// the session timeout plus 2 s: enough for servers that lost their sessions at the same time to come back.
    ///
    /// The time stops without a link and begins again with the next one, as servers can come back only from then on.
    /// However often that happens, no instance is held for more than three times as long, counted in time with a
    /// link.
    ///
    /// # Errors
    /// Outside [`HOLDS`](Self::HOLDS).
    pub fn with_hold(mut self, hold: Duration) -> Result<Self, DiscoveryConfigError> {
        self.hold = Some(check("a hold", hold, Self::HOLDS)?);
        Ok(self)
    }

    /// Sets which disappearances are held.
    pub fn with_mass_disappearance(mut self, rule: MassDisappearance) -> Self {
        self.mass_disappearance = rule;
        self
    }

    /// Sets whether the records are read, or only the names; the default is only the names. The crate's
    /// documentation has the costs.
    pub fn with_records(mut self, records: Records) -> Self {
        self.records = records;
        self
    }

    /// Returns the znode whose children are followed.
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

    pub(crate) fn mass_disappearance(&self) -> MassDisappearance {
        self.mass_disappearance
    }

    pub(crate) fn hold(&self, session_timeout: Duration) -> Duration {
        self.hold.unwrap_or(session_timeout + Duration::from_secs(2))
    }
}

impl From<ZnodePath> for DiscoveryConfig {
    fn from(root: ZnodePath) -> Self {
        Self::new(root)
    }
}

impl FromStr for DiscoveryConfig {
    type Err = PathError;

    fn from_str(root: &str) -> Result<Self, PathError> {
        root.parse().map(Self::new)
    }
}

impl TryFrom<&str> for DiscoveryConfig {
    type Error = PathError;

    fn try_from(root: &str) -> Result<Self, PathError> {
        root.parse()
    }
}

impl TryFrom<String> for DiscoveryConfig {
    type Error = PathError;

    fn try_from(root: String) -> Result<Self, PathError> {
        root.parse()
    }
}

#[cfg(test)]
mod tests;
