use super::watch_table::{WatchMode, WatchTable};
use super::{ConnectionId, Machine};

/// Counts and lists of a running machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statistics {
    /// The newest transaction.
    pub zxid: i64,
    /// Number of znodes, counted as Apache ZooKeeper does: the root twice.
    pub znodes: usize,
    /// Number of ephemeral znodes.
    pub ephemerals: usize,
    /// Length of all paths and data, in bytes.
    pub data_size: usize,
    /// The live sessions, by id.
    pub sessions: Vec<SessionStatistics>,
    /// The watches: those on znodes first, then those on lists of children, both by path and then by connection.
    pub watches: Vec<WatchStatistics>,
}

/// A live session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionStatistics {
    /// Its id.
    pub session: i64,
    /// The timeout that was granted last, in milliseconds.
    pub timeout_ms: i32,
    /// When it ends if its client sends nothing, in milliseconds since 1970.
    pub expires_at: i64,
    /// Its connection, if it has one.
    pub connection: Option<ConnectionId>,
    /// Its ephemeral znodes, in the order of their creation.
    pub ephemerals: Vec<String>,
}

/// A watch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WatchStatistics {
    /// The path; there may be no znode.
    pub path: String,
    /// Whose watch it is.
    pub connection: ConnectionId,
    /// The session of that connection.
    pub session: i64,
    /// The kind; a persistent watch is there twice, once for each kind.
    pub kind: WatchKind,
    /// How often it fires.
    pub mode: WatchMode,
}

/// The two kinds of watches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WatchKind {
    /// A znode and its data.
    Data,
    /// A list of children.
    Children,
}

impl Machine {
    /// Returns counts and lists; the cost is in proportion to the sessions, their ephemeral znodes and the
    /// watches.
    pub fn statistics(&self) -> Statistics {
        let sessions = self.sessions.all().map(|(id, session)| SessionStatistics {
            session: id,
            timeout_ms: session.timeout_ms,
            expires_at: session.expires_at,
            connection: session.connection,
            ephemerals: self.tree.ephemerals(id).cloned().collect(),
        });
        let watches = |table, kind| self.watches_in(table, kind);
        Statistics {
            zxid: self.zxid,
            znodes: self.tree.len() + 1,
            ephemerals: self.tree.ephemeral_count(),
            data_size: self.tree.size(),
            sessions: sessions.collect(),
            watches: watches(&self.watches.data, WatchKind::Data)
                .chain(watches(&self.watches.children, WatchKind::Children))
                .collect(),
        }
    }

    fn watches_in<'a>(
        &'a self,
        table: &'a WatchTable,
        kind: WatchKind,
    ) -> impl Iterator<Item = WatchStatistics> + 'a {
        table.all().map(move |(path, connection, mode)| WatchStatistics {
            path: path.clone(),
            connection,
            session: self.session_of(connection).unwrap_or_default(),
            kind,
            mode,
        })
    }
}
