//! What goes into the machine of a keeper, and what comes out of it.

use std::time::Duration;

use instance::Owner;
use tokio::time::Instant;
use zk_core::{Error, EventKind, SessionId, Stat};

use crate::inbox::EventCounts;
use crate::readiness::{ConnectionId, Ready};
use crate::status::{RegistrationStatus, Trouble};
use crate::wish::{Record, Wish};

/// What comes into the machine.
#[derive(Debug)]
pub(super) enum Input {
    /// The caller wants something else than before.
    Wish(Wish),
    /// A connection is prepared.
    Ready(Ready),
    /// The connection lives, and is not prepared any more; with the cause, if another attempt has failed.
    Unprepared(Option<Trouble>),
    /// There is no connection.
    Down,
    /// There is a connection, prepared or not: for a machine that wants one.
    Linked(ConnectionId),
    /// The link is closed for good, and the ensemble has confirmed the end of the session or not.
    Closed { clean: bool },
    /// The registrar's task has ended, and the link has not: no connection is prepared any more.
    Orphaned,
    /// The permit that was asked for.
    Permit,
    /// The reply to the request under way.
    Reply(Result<Reply, Failure>),
    /// The znode's own watch has fired.
    Fired(EventKind),
    /// The shared watch has counted an event of the znode: see [`Moment::counts`].
    Counted,
    /// The deadline has passed.
    Timer,
}

/// What is true at the moment of an input.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    pub(super) now: Instant,
    /// The events of the znode that the shared watch has counted.
    pub(super) counts: EventCounts,
    /// There are too many names for a watch each.
    pub(super) needs_shared_watch: bool,
    /// How often a znode is audited under the shared watch.
    pub(super) shared_audits: Duration,
    /// How many registrations of the registrar are pending, and for how many of them the server closes the connection.
    pub(super) pending: u32,
    pub(super) cut_off: u32,
}

/// What the machine asks for. A later one of a kind replaces an earlier one.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Effect {
    /// Wait for a permit: of those for steps, or of those for leaves.
    Acquire(Permit),
    /// Give the permit back, and wait for none.
    Release,
    Request(Request),
    /// Publish the status, and log it, with the session whose znode was taken over.
    Report {
        status: RegistrationStatus,
        took_over: Option<SessionId>,
    },
    /// Count and log what has happened.
    Note(Fact),
    /// Release the name, publish the final status, and end.
    Finish(RegistrationStatus),
}

/// How many may do the same at one time is limited by permits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Permit {
    Step,
    /// Steps that wait for replies do not delay a leave.
    Leave,
}

/// A request about the znode, or one that serves other keepers, too.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Request {
    /// Its stat, with a watch for its next event or without, and behind a `sync` of its own or not. The reply replaces
    /// the watch that was set before.
    Stat {
        watch: bool,
        sync: bool,
    },
    /// Its stat, to be compared with what is known.
    Audit,
    /// Its data, after this stat.
    Data(Stat),
    Create(Record),
    Write {
        record: Record,
        version: i32,
        is_update: bool,
    },
    TakeOver {
        record: Record,
        seen: Stat,
    },
    Delete {
        version: i32,
    },
    /// A deletion that is told: after a write, in one transaction.
    Leave {
        version: i32,
    },
    /// One `sync` for all keepers that need one.
    Sync,
    /// One attempt to create the root and its parents, for all keepers that need one.
    EnsureRoot,
}

/// The reply to a request that succeeded.
#[derive(Debug)]
pub(super) enum Reply {
    Done,
    Stat(Option<Stat>),
    Audit(Option<Stat>),
    /// The znode after it was created or written.
    Written(Stat),
    Data {
        record: Record,
        owner: Option<Owner>,
        stat: Stat,
    },
}

/// Why a request failed, and whether its connection has ended.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) error: Error,
    pub(super) ended: bool,
}

/// What is counted and logged.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Fact {
    Created,
    TakenOver,
    /// A registered znode is gone.
    Lost,
    /// The caller's new record is on the znode.
    Updated {
        version: i32,
    },
    /// Our record is on the znode again.
    Restored {
        version: i32,
    },
    /// The znode has changed, and no watch has said so.
    AuditMismatch,
    Failed(Trouble),
}

impl Request {
    /// The name of the stage in which it is under way.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Stat { watch: false, .. } => "looking",
            Self::Stat { watch: true, .. } => "watching",
            Self::Audit => "auditing",
            Self::Data(_) => "reading",
            Self::Create(_) => "creating",
            Self::Write { is_update: true, .. } => "updating",
            Self::Write { is_update: false, .. } => "restoring",
            Self::TakeOver { .. } => "taking_over",
            Self::Delete { .. } => "deleting",
            Self::Leave { .. } => "leaving",
            Self::Sync => "syncing",
            Self::EnsureRoot => "ensuring_root",
        }
    }

    /// Whether the znode may be another one afterwards.
    pub(super) fn is_write(&self) -> bool {
        matches!(self, Self::Create(_) | Self::Write { .. } | Self::TakeOver { .. })
    }

    /// Whether other keepers wait for the same one.
    pub(super) fn is_for_all(&self) -> bool {
        matches!(self, Self::Sync | Self::EnsureRoot)
    }
}
