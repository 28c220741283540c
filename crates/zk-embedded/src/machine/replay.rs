//! `setWatches`: a client that reconnects sets its watches again; those that would have fired meanwhile fire at once.

use super::watch_table::WatchMode;
use super::znode::Znode;
use super::{ConnectionId, Machine, Output};
use zk_wire::{EventKind, WatchEvent};

/// The watches that a client sets again.
#[derive(Debug, Default)]
pub(super) struct Watched {
    /// The newest transaction that the client has seen.
    pub(super) zxid: i64,
    pub(super) data: Vec<String>,
    pub(super) exist: Vec<String>,
    pub(super) child: Vec<String>,
    pub(super) persistent: Vec<String>,
    pub(super) persistent_recursive: Vec<String>,
}

impl Machine {
    /// Sets the watches of a client again, or fires them.
    ///
    /// Persistent ones are set and do not fire, whatever their client has missed.
    pub(super) fn replay(&mut self, connection: ConnectionId, watched: Watched, outputs: &mut Vec<Output>) {
        let zxid = watched.zxid;
        let mut fire = |kind, path| {
            let event = WatchEvent { kind, path };
            outputs.push(Output::Event { connection, zxid: WatchEvent::NO_ZXID, event });
        };
        for path in watched.data {
            match missed(self.tree.get(&path), |znode| znode.mzxid > zxid, EventKind::DataChanged) {
                Some(kind) => fire(kind, path),
                None => self.watches.data.add(&path, connection, WatchMode::Once),
            }
        }
        for path in watched.exist {
            match self.tree.get(&path) {
                Some(_) => fire(EventKind::Created, path),
                None => self.watches.data.add(&path, connection, WatchMode::Once),
            }
        }
        for path in watched.child {
            match missed(self.tree.get(&path), |znode| znode.pzxid > zxid, EventKind::ChildrenChanged) {
                Some(kind) => fire(kind, path),
                None => self.watches.children.add(&path, connection, WatchMode::Once),
            }
        }
        for path in watched.persistent {
            self.watches.add(&path, connection, WatchMode::Persistent);
        }
        for path in watched.persistent_recursive {
            self.watches.add(&path, connection, WatchMode::Recursive);
        }
    }
}

/// Returns the event that a watch on a znode that was there would have brought.
fn missed(
    znode: Option<&Znode>,
    has_changed: impl Fn(&Znode) -> bool,
    change: EventKind,
) -> Option<EventKind> {
    match znode {
        None => Some(EventKind::Deleted),
        Some(znode) => has_changed(znode).then_some(change),
    }
}
