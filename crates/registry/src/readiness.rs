//! What the registrar's task publishes to the keepers: whether they can work, and on which connection.

use std::sync::Arc;

use zk_core::{Connection, SessionId};

use crate::status::Trouble;

/// Whether keepers can work.
#[derive(Clone, Debug)]
pub(crate) enum Readiness {
    /// There is no connection, or it is not prepared yet.
    Unlinked,
    /// The connection lives, and is not prepared any more: the shared watch has ended. With a cause, if another attempt
    /// to prepare it has failed.
    Unprepared(Option<Trouble>),
    /// There is a connection, and its server has caught up with everything that we know.
    Ready(Arc<ReadyConnection>),
    /// The link is closed for good.
    Closed,
    /// The registrar's task has ended, and the link has not.
    Orphaned,
}

/// A connection that keepers may use.
#[derive(Debug)]
pub(crate) struct ReadyConnection {
    pub(crate) connection: Connection,
    pub(crate) ready: Ready,
}

/// What a keeper has to know about a connection that it may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ready {
    /// A later one has a greater number.
    pub(crate) number: u64,
    pub(crate) on: ConnectionId,
    pub(crate) watched: Watched,
}

/// Tells one connection from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ConnectionId {
    pub(crate) epoch: u64,
    pub(crate) reconnects: u64,
    pub(crate) session: SessionId,
}

/// How the znodes of the keepers are watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Watched {
    /// Every keeper watches its own znode.
    Own {
        /// However many they are: the server has no recursive watches.
        always: bool,
    },
    /// One watch serves all, and was installed before this value was published.
    Shared {
        /// Since the ready connection of this number, the keepers were notified of everything that was created or
        /// deleted below the root.
        unchanged_since: u64,
    },
}

impl ConnectionId {
    pub(crate) fn of(connection: &Connection) -> Self {
        let (epoch, reconnects) = (connection.epoch(), connection.reconnects());
        Self { epoch, reconnects, session: connection.session().id }
    }
}

impl Ready {
    pub(crate) fn is_shared(&self) -> bool {
        matches!(self.watched, Watched::Shared { .. })
    }

    /// Whether znodes can be watched on it now. Where there are too many names for a watch each, the shared watch is about
    /// to be set.
    pub(crate) fn can_watch(&self, needs_shared_watch: bool) -> bool {
        !(needs_shared_watch && self.watched == Watched::Own { always: false })
    }

    /// Whether a znode that was registered under the shared watch of an earlier ready connection, and whose keeper was
    /// notified of no deletion, still exists.
    pub(crate) fn confirms(&self, earlier: Self) -> bool {
        self.on.epoch == earlier.on.epoch
            && matches!(self.watched, Watched::Shared { unchanged_since } if unchanged_since <= earlier.number)
    }
}
