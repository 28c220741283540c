use std::collections::BTreeSet;

use super::watch_table::{WatchMode, WatchTable};
use super::{ConnectionId, path};
use zk_wire::EventKind;

/// All watches: those on znodes and their data, and those on lists of children.
#[derive(Clone, Debug, Default)]
pub(super) struct Watches {
    pub(super) data: WatchTable,
    pub(super) children: WatchTable,
}

/// The connections that get an event.
#[derive(Debug)]
pub(super) struct Firing {
    pub(super) kind: EventKind,
    pub(super) path: String,
    pub(super) connections: BTreeSet<ConnectionId>,
}

/// The tables that `checkWatches` and `removeWatches` mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Which {
    data: bool,
    children: bool,
}

impl Which {
    /// Reads the number of the protocol.
    pub(super) fn from_kind(kind: i32) -> Option<Self> {
        (1..=3).contains(&kind).then_some(Self { data: kind != 1, children: kind != 2 })
    }
}

impl Watches {
    /// Sets a persistent or a recursive watch.
    pub(super) fn add(&mut self, path: &str, connection: ConnectionId, mode: WatchMode) {
        self.data.add(path, connection, mode);
        self.children.add(path, connection, mode);
    }

    /// Removes watches of a connection, and returns whether there were any.
    pub(super) fn remove(&mut self, path: &str, connection: ConnectionId, which: Which) -> bool {
        let children = which.children && self.children.remove(path, connection);
        let data = which.data && self.data.remove(path, connection);
        children || data
    }

    /// Removes all watches of a connection.
    pub(super) fn remove_all(&mut self, connection: ConnectionId) {
        self.data.remove_all(connection);
        self.children.remove_all(connection);
    }

    /// Returns whether there is a watch.
    pub(super) fn is_watched(&self, path: &str, which: Which) -> bool {
        which.children && self.children.is_watched(path) || which.data && self.data.is_watched(path)
    }

    /// Fires for a znode that was created: first its own watches, then those on its parent.
    pub(super) fn created(&mut self, path: &str) -> [Firing; 2] {
        let connections = self.data.trigger(path, EventKind::Created);
        [Firing { kind: EventKind::Created, path: path.to_owned(), connections }, self.parent_changed(path)]
    }

    /// Fires for a znode that was deleted; a connection with two watches on it gets one event.
    pub(super) fn deleted(&mut self, path: &str) -> [Firing; 3] {
        let kind = EventKind::Deleted;
        let firing = |connections| Firing { kind, path: path.to_owned(), connections };
        let data = self.data.trigger(path, kind);
        let children = &self.children.trigger(path, kind) - &data;
        [firing(data), firing(children), self.parent_changed(path)]
    }

    /// Fires for data that was written.
    pub(super) fn data_changed(&mut self, path: &str) -> Firing {
        let connections = self.data.trigger(path, EventKind::DataChanged);
        Firing { kind: EventKind::DataChanged, path: path.to_owned(), connections }
    }

    fn parent_changed(&mut self, child: &str) -> Firing {
        let parent = path::shown(path::split(child).0);
        let connections = self.children.trigger(parent, EventKind::ChildrenChanged);
        Firing { kind: EventKind::ChildrenChanged, path: parent.to_owned(), connections }
    }
}
