use std::collections::{BTreeMap, BTreeSet};

use super::ConnectionId;
use zk_wire::EventKind;

/// How often a watch fires, and for what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WatchMode {
    /// Once, for its znode.
    Once,
    /// Until it is removed, for its znode.
    Persistent,
    /// Until it is removed, for its znode and all below, but not for lists of children.
    Recursive,
}

/// The watches by path; a connection has at most one watch at a path.
///
/// The latest mode wins, even a one-shot watch over a persistent one, as on Apache ZooKeeper 3.8 (ZOOKEEPER-4466).
#[derive(Clone, Debug, Default)]
pub(super) struct WatchTable {
    by_path: BTreeMap<String, BTreeMap<ConnectionId, WatchMode>>,
    by_connection: BTreeMap<ConnectionId, BTreeSet<String>>,
    /// How many watches are recursive; while there are none, parents need no look.
    recursive: usize,
}

impl WatchTable {
    /// Sets a watch.
    pub(super) fn add(&mut self, path: &str, connection: ConnectionId, mode: WatchMode) {
        let watchers = match self.by_path.get_mut(path) {
            Some(watchers) => watchers,
            None => self.by_path.entry(path.to_owned()).or_default(),
        };
        let before = watchers.insert(connection, mode);
        self.recursive += usize::from(mode == WatchMode::Recursive);
        self.recursive -= usize::from(before == Some(WatchMode::Recursive));
        if before.is_none() {
            self.by_connection.entry(connection).or_default().insert(path.to_owned());
        }
    }

    /// Removes a watch, if there is one.
    pub(super) fn remove(&mut self, path: &str, connection: ConnectionId) -> bool {
        if let Some(paths) = self.by_connection.get_mut(&connection) {
            paths.remove(path);
            if paths.is_empty() {
                self.by_connection.remove(&connection);
            }
        }
        self.forget(path, connection)
    }

    /// Removes all watches of a connection.
    pub(super) fn remove_all(&mut self, connection: ConnectionId) {
        for path in self.by_connection.remove(&connection).unwrap_or_default() {
            self.forget(&path, connection);
        }
    }

    /// Returns whether any connection watches a path, as Apache ZooKeeper checks it.
    pub(super) fn is_watched(&self, path: &str) -> bool {
        self.by_path.contains_key(path)
    }

    /// Returns the connections that get an event, and removes the one-shot watches among theirs.
    pub(super) fn trigger(&mut self, path: &str, kind: EventKind) -> BTreeSet<ConnectionId> {
        let mut fired = BTreeSet::new();
        let mut spent = Vec::new();
        for (connection, mode) in self.by_path.get(path).into_iter().flatten() {
            match mode {
                WatchMode::Recursive if kind == EventKind::ChildrenChanged => continue,
                WatchMode::Recursive | WatchMode::Persistent => {}
                WatchMode::Once => spent.push(*connection),
            }
            fired.insert(*connection);
        }
        for connection in spent {
            self.remove(path, connection);
        }
        if self.recursive > 0 && kind != EventKind::ChildrenChanged {
            for ancestor in ancestors(path) {
                let watchers = self.by_path.get(ancestor).into_iter().flatten();
                let recursive = watchers.filter(|(_, mode)| **mode == WatchMode::Recursive);
                fired.extend(recursive.map(|(connection, _)| *connection));
            }
        }
        fired
    }

    /// Returns all watches, by path and then by connection.
    pub(super) fn all(&self) -> impl Iterator<Item = (&String, ConnectionId, WatchMode)> {
        self.by_path.iter().flat_map(|(path, watchers)| {
            watchers.iter().map(move |(connection, mode)| (path, *connection, *mode))
        })
    }

    fn forget(&mut self, path: &str, connection: ConnectionId) -> bool {
        let Some(watchers) = self.by_path.get_mut(path) else { return false };
        let mode = watchers.remove(&connection);
        if watchers.is_empty() {
            self.by_path.remove(path);
        }
        self.recursive -= usize::from(mode == Some(WatchMode::Recursive));
        mode.is_some()
    }
}

/// Returns the paths above one, the root last.
fn ancestors(path: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(parent(path), |path| parent(path))
}

fn parent(path: &str) -> Option<&str> {
    match path.rfind('/')? {
        0 if path == "/" => None,
        0 => Some("/"),
        slash => Some(&path[..slash]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fired(table: &mut WatchTable, path: &str, kind: EventKind) -> Vec<ConnectionId> {
        table.trigger(path, kind).into_iter().collect()
    }

    #[test]
    fn ancestors_end_at_the_root() {
        assert_eq!(ancestors("/a/b/c").collect::<Vec<_>>(), ["/a/b", "/a", "/"]);
        assert_eq!(ancestors("/").count(), 0);
        assert_eq!(ancestors("").count(), 0);
    }

    #[test]
    fn a_watch_fires_once() {
        let mut table = WatchTable::default();
        table.add("/a", 1, WatchMode::Once);
        table.add("/a", 1, WatchMode::Once);
        assert_eq!(fired(&mut table, "/a/b", EventKind::Created), []);
        assert_eq!(fired(&mut table, "/a", EventKind::Created), [1]);
        assert_eq!(fired(&mut table, "/a", EventKind::Created), []);
        assert_eq!(table.all().count(), 0);
    }

    #[test]
    fn a_persistent_watch_stays_and_covers_one_znode() {
        let mut table = WatchTable::default();
        table.add("/a", 1, WatchMode::Persistent);
        for _ in 0..2 {
            assert_eq!(fired(&mut table, "/a", EventKind::ChildrenChanged), [1]);
            assert_eq!(fired(&mut table, "/a/b", EventKind::Created), []);
        }
    }

    #[test]
    fn a_recursive_watch_covers_the_subtree_and_no_lists_of_children() {
        let mut table = WatchTable::default();
        table.add("/a", 1, WatchMode::Recursive);
        table.add("/", 2, WatchMode::Recursive);
        assert_eq!(fired(&mut table, "/a/b/c", EventKind::Deleted), [1, 2]);
        assert_eq!(fired(&mut table, "/a", EventKind::DataChanged), [1, 2]);
        assert_eq!(fired(&mut table, "/ab", EventKind::Created), [2]);
        assert_eq!(fired(&mut table, "/a", EventKind::ChildrenChanged), []);
        assert!(table.remove("/a", 1) && table.remove("/", 2));
        assert_eq!(table.recursive, 0);
    }

    #[test]
    fn the_latest_watch_mode_replaces_the_earlier_one() {
        let mut table = WatchTable::default();
        table.add("/a", 1, WatchMode::Recursive);
        table.add("/a", 1, WatchMode::Once);
        assert_eq!(table.recursive, 0);
        assert_eq!(fired(&mut table, "/a/b", EventKind::Created), []);
        assert_eq!(fired(&mut table, "/a", EventKind::DataChanged), [1]);
        assert_eq!(table.all().count(), 0, "the watch that would have stayed is gone");
    }

    #[test]
    fn a_closed_connection_loses_its_watches() {
        let mut table = WatchTable::default();
        table.add("/a", 1, WatchMode::Recursive);
        table.add("/b", 1, WatchMode::Once);
        table.add("/a", 2, WatchMode::Persistent);
        table.remove_all(1);
        assert_eq!(table.all().collect::<Vec<_>>(), [(&"/a".to_owned(), 2, WatchMode::Persistent)]);
        assert!(!table.remove("/a", 1) && table.remove("/a", 2) && !table.is_watched("/a"));
    }
}
