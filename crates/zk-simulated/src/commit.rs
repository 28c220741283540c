//! What an observer of the ensemble is shown, and with which data it comes back.

use std::time::Duration;

use zk_core::{SessionId, Stat, ZnodePath};

/// A transaction, as the leader has carried it out.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Commit {
    /// When, since the ensemble began.
    pub at: Duration,
    /// Its number.
    pub zxid: i64,
    /// Who has caused it.
    pub author: Author,
    /// What it has changed, in order; never nothing, but for [`Author::Restored`].
    pub changes: Vec<TreeChange>,
}

/// Who causes a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Author {
    /// A client, by its number.
    Client(u64),
    /// An operator, by its session.
    Operator(SessionId),
    /// The end of a session.
    SessionEnd {
        /// Which one.
        session: SessionId,
        /// Whether it was silent for too long or ended by a fault, rather than closed by its client.
        expired: bool,
    },
    /// The ensemble has come back with older data or with none. The changes are all that there is now, sessions first, as if
    /// everything had just begun; the zxid is the newest one that is left.
    Restored,
    /// The ensemble itself: nobody has asked.
    Ensemble,
}

/// One change by a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TreeChange {
    /// A znode was created.
    Created {
        /// Which one.
        path: ZnodePath,
        /// Its data.
        data: Vec<u8>,
        /// Its stat.
        stat: Stat,
    },
    /// A znode was written.
    Written {
        /// Which one.
        path: ZnodePath,
        /// Its data.
        data: Vec<u8>,
        /// Its stat.
        stat: Stat,
    },
    /// A znode was deleted.
    Deleted {
        /// Which one.
        path: ZnodePath,
    },
    /// A session has begun.
    SessionBegan {
        /// Which one.
        session: SessionId,
        /// Whose it is; `None` for that of an operator.
        client: Option<u64>,
    },
    /// A session is over; its ephemeral znodes are deleted in what follows.
    SessionEnded {
        /// Which one.
        session: SessionId,
        /// Whether it was silent for too long or ended by a fault, rather than closed by its client.
        expired: bool,
    },
}

/// The data with which an ensemble comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Restart {
    /// Everything that was there when it stopped.
    Latest,
    /// What was there so long before it stopped, as from a backup. At least the last ten minutes are kept.
    Before(Duration),
    /// Nothing.
    Empty,
}

/// Looks at every transaction.
pub(crate) type Observer = Box<dyn FnMut(&Commit) + Send>;
