//! The watches of one connection, as its client keeps them: the server tells an event once, and several watches may want
//! it.

use std::collections::BTreeMap;

use tokio::sync::{mpsc, oneshot};
use zk_core::{Event, EventKind, ZnodePath};
use zk_wire::Request;

/// The kind of a watch that a request leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Watch {
    Recursive,
    Exists,
    Data,
    Children,
}

/// The reader's end of a watch.
#[derive(Debug)]
pub(crate) enum Watching {
    Recursive(mpsc::Receiver<Event>),
    Once(oneshot::Receiver<EventKind>),
}

#[derive(Debug, Default)]
pub(crate) struct Watches {
    recursive: BTreeMap<ZnodePath, Vec<mpsc::Sender<Event>>>,
    /// Those of znodes and their data.
    data: BTreeMap<ZnodePath, Vec<oneshot::Sender<EventKind>>>,
    children: BTreeMap<ZnodePath, Vec<oneshot::Sender<EventKind>>>,
}

impl Watches {
    pub(crate) fn add(&mut self, watch: Watch, path: &ZnodePath, capacity: usize) -> Watching {
        let table = match watch {
            Watch::Recursive => {
                let (events, receiver) = mpsc::channel(capacity);
                self.recursive.entry(path.clone()).or_default().push(events);
                return Watching::Recursive(receiver);
            }
            Watch::Exists | Watch::Data => &mut self.data,
            Watch::Children => &mut self.children,
        };
        let (fired, receiver) = oneshot::channel();
        let fires = table.entry(path.clone()).or_default();
        fires.retain(|fired| !fired.is_closed());
        fires.push(fired);
        Watching::Once(receiver)
    }

    /// Hands an event to the watches that want it. A recursive one whose queue is full ends.
    pub(crate) fn deliver(&mut self, event: &Event) {
        use EventKind::{ChildrenChanged, Created, DataChanged, Deleted};
        if matches!(event.kind, Created | Deleted | DataChanged) {
            fire(&mut self.data, event);
            let mut at = Some(event.path.clone());
            while let Some(path) = at {
                if let Some(watchers) = self.recursive.get_mut(&path) {
                    watchers.retain(|events| events.try_send(event.clone()).is_ok());
                }
                at = path.parent();
            }
        }
        if matches!(event.kind, ChildrenChanged | Deleted) {
            fire(&mut self.children, event);
        }
    }

    /// Forgets recursive watches that nobody reads any more, and returns the requests that remove them.
    pub(crate) fn sweep(&mut self) -> Vec<Request> {
        let mut removed = Vec::new();
        self.recursive.retain(|path, watchers| {
            watchers.retain(|events| !events.is_closed());
            if watchers.is_empty() {
                removed.push(Request::RemoveWatches { path: path.to_string(), kind: 3 });
            }
            !watchers.is_empty()
        });
        removed
    }
}

fn fire(table: &mut BTreeMap<ZnodePath, Vec<oneshot::Sender<EventKind>>>, event: &Event) {
    for fired in table.remove(&event.path).unwrap_or_default() {
        let _ = fired.send(event.kind);
    }
}
