//! What a root watch reports to its user.

use std::collections::BTreeSet;
use std::fmt;

use zk_core::{Connection, Error, Reading};

/// What has happened to the root, its children, or the connection. Names are those of direct children.
#[derive(Debug)]
pub enum Update {
    /// There is no connection, or none is prepared yet. Reads under way get no reply.
    Down,
    /// The link is closed for good. Nothing comes after it.
    Closed,
    /// There is a connection, and it cannot be prepared, or the root cannot be followed any more. Another attempt follows
    /// within a second. Reads under way get no reply.
    Trouble(Error),
    /// The watch has ended on a connection that lives: what follows is unknown until [`Live`](Self::Live). Reads under
    /// way get no reply.
    Lost,
    /// A connection is prepared. If the root is followed, all that was missed came before this or is reported by it, and
    /// every later change is an update. Changes since the watch was set may come before it, too.
    Live(Live),
    /// A child was created.
    Created(String),
    /// The data of a child was written.
    Written(String),
    /// A child was deleted.
    Deleted {
        /// Its name.
        name: String,
        /// The deletion was announced by its own transaction, which first wrote the znode: it was meant.
        told: bool,
    },
    /// All children, at one moment. The updates that follow may be older or newer than it, and lead to the right set.
    Listed(Listing),
    /// An audit has found that everything was reported, or has listed the children: then this comes after the updates that
    /// follow the list. A child that the list shows, or does not, and that no update has reported by now is a reason to
    /// [`distrust`](crate::RootWatch::distrust) the watch.
    Audited,
    /// The reply to a [`read`](crate::RootWatch::read).
    Records {
        /// The ticket of the read.
        ticket: u64,
        /// A result for each name, in the same order; `None` if there was no reply: read it again, after a while.
        records: Vec<(String, Option<Reading>)>,
    },
}

/// A connection that is prepared: its server has caught up with all that this link has seen.
#[derive(Clone)]
pub struct Live {
    /// The connection.
    pub connection: Connection,
    /// How the root is watched on it.
    pub watched: Watched,
    /// Every child that was created or deleted since the last `Live` of this session has been reported, and no list was
    /// needed for that. False if the root is not followed, or by watches that fire once.
    pub whole: bool,
}

impl fmt::Debug for Live {
    // The connection's own form contains counters of channels, which differ from run to run.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { connection, watched, whole } = self;
        f.debug_struct("Live")
            .field("session", &connection.session().id)
            .field("reconnects", &connection.reconnects())
            .field("watched", watched)
            .field("whole", whole)
            .finish_non_exhaustive()
    }
}

/// How the root is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Watched {
    /// Not at all, as the user wishes.
    No,
    /// Not at all, as the server has no recursive watches, or the root may not be read, and the user wants no others.
    Unsupported,
    /// By one recursive watch.
    Recursive,
    /// By watches that fire once.
    OneShot,
}

/// The children of the root at one moment.
#[derive(Clone, Debug)]
pub struct Listing {
    /// Their names, unordered.
    pub names: Vec<String>,
    /// The names that were deleted since the list before, and created again. Empty with a recursive watch.
    pub recreated: BTreeSet<String>,
    /// Why the list was read.
    pub reason: ListReason,
    /// The first list of a session, after another session: the ensemble may be another one, too.
    pub new_session: bool,
}

/// Why the children were listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListReason {
    /// It is the first list, or something may have been missed while nothing was watched.
    Gap,
    /// A watch that fires once has said that the list has changed.
    Changed,
    /// An audit has found that the root has another count of changes than was reported (with watches that fire once:
    /// another list version, and no watch that fired), or could not find out.
    Audit,
}
