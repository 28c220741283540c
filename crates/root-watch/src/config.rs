//! What is followed, and how.

use std::time::Duration;

use zk_core::ZnodePath;

/// Audits without a pause would be a flood of requests, and moments have an end.
const SHORTEST: Duration = Duration::from_millis(10);
const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// What is followed, and how. Every value of this type is valid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RootWatchConfig {
    pub(crate) root: ZnodePath,
    pub(crate) lists: Lists,
    pub(crate) audit_interval: Duration,
    pub(crate) one_shot: bool,
}

/// When the children are listed, beside the lists that watches that fire once need.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lists {
    /// At first, in each new session, and whenever something was missed, or may have been: the user follows the set,
    /// and would not know it otherwise.
    Always,
    /// When an audit finds that something was missed, or cannot find out. A gap at the start of a connection is reported
    /// by [`Live::whole`](crate::Live::whole), without a list: the user can look at what it knows itself.
    AuditOnly,
}

impl RootWatchConfig {
    /// The default audit interval: 30 s.
    pub const DEFAULT_AUDIT_INTERVAL: Duration = Duration::from_secs(30);

    /// Follows the children of `root`, audited every 30 s, on old servers by watches that fire once.
    pub fn new(root: ZnodePath, lists: Lists) -> Self {
        Self { root, lists, audit_interval: Self::DEFAULT_AUDIT_INTERVAL, one_shot: true }
    }

    /// Sets how long after one audit the next one is: at least 10 ms, and at most a day. Each wait varies by a quarter.
    pub fn with_audit_interval(mut self, interval: Duration) -> Self {
        self.audit_interval = interval.clamp(SHORTEST, LONGEST);
        self
    }

    /// Does not follow the root where the server has no recursive watches:
    /// [`Watched::Unsupported`](crate::Watched::Unsupported).
    pub fn without_one_shot(mut self) -> Self {
        self.one_shot = false;
        self
    }
}
