//! Delivers the events of the shared watch to the keepers, by name.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use parking_lot::Mutex;
use tokio::sync::Notify;
use zk_core::{EventKind, ZnodePath};

/// Counts the events of one znode, and wakes its keeper.
///
/// Creations do not count: the keeper knows of its own, and another client's comes after a deletion of ours.
#[derive(Debug, Default)]
pub(crate) struct ZnodeNotify {
    deleted: AtomicU32,
    written: AtomicU32,
    changed: Notify,
}

/// The events of a znode up to some moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct EventCounts {
    pub(crate) deleted: u32,
    pub(crate) written: u32,
}

impl ZnodeNotify {
    /// Counts an event, and wakes the keeper.
    pub(crate) fn notify(&self, kind: EventKind) {
        match kind {
            EventKind::Deleted => self.deleted.fetch_add(1, Ordering::SeqCst),
            EventKind::DataChanged => self.written.fetch_add(1, Ordering::SeqCst),
            EventKind::Created | EventKind::ChildrenChanged => return,
        };
        self.changed.notify_one();
    }

    /// Returns the events so far.
    pub(crate) fn counts(&self) -> EventCounts {
        EventCounts {
            deleted: self.deleted.load(Ordering::SeqCst),
            written: self.written.load(Ordering::SeqCst),
        }
    }

    /// Returns the most severe event that `known` does not account for. `known` may be ahead: the event of a write of
    /// ours may come after the reply.
    pub(crate) fn change_since(&self, known: EventCounts) -> Option<EventKind> {
        let now = self.counts();
        let is_more = |now: u32, known: u32| now.wrapping_sub(known) as i32 > 0;
        if is_more(now.deleted, known.deleted) {
            Some(EventKind::Deleted)
        } else if is_more(now.written, known.written) {
            Some(EventKind::DataChanged)
        } else {
            None
        }
    }

    /// Waits for an event that `known` does not account for. One waiter at a time.
    ///
    /// # Cancel safety
    /// No event is lost if the future is dropped.
    pub(crate) async fn changed_since(&self, known: EventCounts) -> EventKind {
        loop {
            if let Some(kind) = self.change_since(known) {
                return kind;
            }
            // A change between the check and here has left its permit.
            self.changed.notified().await;
        }
    }
}

/// The names that one registrar keeps.
#[derive(Debug)]
pub(crate) struct Names {
    table: Mutex<Table>,
    /// Notified when the names become too many for a watch each.
    shared_watch_needed: Notify,
    /// How many names have a watch each.
    own_watches: usize,
}

#[derive(Debug, Default)]
struct Table {
    entries: HashMap<ZnodePath, Arc<ZnodeNotify>>,
    /// Stays true until [`Names::recount`], so that a keeper that waits for the shared watch gets it.
    needs_shared_watch: bool,
}

impl Names {
    pub(crate) fn new(own_watches: usize) -> Self {
        Self { table: Mutex::default(), shared_watch_needed: Notify::new(), own_watches }
    }

    /// Takes a name; `None` if it is in use.
    pub(crate) fn take(&self, path: &ZnodePath) -> Option<Arc<ZnodeNotify>> {
        let mut table = self.table.lock();
        if table.entries.contains_key(path) {
            return None;
        }
        let notify = Arc::new(ZnodeNotify::default());
        table.entries.insert(path.clone(), notify.clone());
        if table.entries.len() > self.own_watches && !table.needs_shared_watch {
            table.needs_shared_watch = true;
            self.shared_watch_needed.notify_one();
        }
        Some(notify)
    }

    pub(crate) fn release(&self, path: &ZnodePath) {
        self.table.lock().entries.remove(path);
    }

    pub(crate) fn len(&self) -> usize {
        self.table.lock().entries.len()
    }

    /// Whether there are, or were since the last [`recount`](Self::recount), too many names for a watch each.
    pub(crate) fn needs_shared_watch(&self) -> bool {
        self.table.lock().needs_shared_watch
    }

    /// Decides again, by the number of names now, whether one watch is to serve all.
    pub(crate) fn recount(&self) -> bool {
        let mut table = self.table.lock();
        table.needs_shared_watch = table.entries.len() > self.own_watches;
        table.needs_shared_watch
    }

    /// Waits until the names become too many for a watch each. May return too early: check
    /// [`needs_shared_watch`](Self::needs_shared_watch).
    pub(crate) async fn until_shared_watch_needed(&self) {
        self.shared_watch_needed.notified().await;
    }

    /// Notifies the keeper of this znode, if there is one.
    pub(crate) fn notify(&self, path: &ZnodePath, kind: EventKind) {
        let notify = self.table.lock().entries.get(path).cloned();
        if let Some(notify) = notify {
            notify.notify(kind);
        }
    }

    /// Notifies the keepers whose names are not listed, and returns how many they are.
    pub(crate) fn notify_missing(&self, listed: &[String]) -> usize {
        let listed: std::collections::HashSet<&str> = listed.iter().map(String::as_str).collect();
        let table = self.table.lock();
        let missing = table.entries.iter().filter(|(path, _)| !listed.contains(path.name()));
        missing.map(|(_, notify)| notify.notify(EventKind::Deleted)).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> ZnodePath {
        ZnodePath::parse(text).unwrap()
    }

    #[tokio::test]
    async fn an_event_before_the_wait_is_delivered() {
        let notify = ZnodeNotify::default();
        let known = notify.counts();
        notify.notify(EventKind::DataChanged);
        notify.notify(EventKind::Deleted);
        assert_eq!(
            notify.changed_since(known).await,
            EventKind::Deleted,
            "the most severe event comes first"
        );
        assert_eq!(notify.change_since(notify.counts()), None);
    }

    #[test]
    fn a_write_of_ours_accounts_for_one_event_and_no_more() {
        let notify = ZnodeNotify::default();
        let known = EventCounts { written: 1, ..notify.counts() };
        notify.notify(EventKind::Created);
        notify.notify(EventKind::DataChanged);
        assert_eq!(notify.change_since(known), None);
        notify.notify(EventKind::DataChanged);
        assert_eq!(notify.change_since(known), Some(EventKind::DataChanged));
    }

    #[test]
    fn a_shared_watch_is_needed_until_the_names_are_counted_again() {
        let names = Names::new(1);
        names.take(&path("/a/1")).unwrap();
        assert!(!names.needs_shared_watch());
        names.take(&path("/a/2")).unwrap();
        assert!(names.take(&path("/a/2")).is_none(), "in use");
        names.release(&path("/a/2"));
        assert!(names.needs_shared_watch());
        assert!(!names.recount());
    }

    #[test]
    fn only_keepers_of_missing_names_are_notified() {
        let names = Names::new(9);
        let (one, two) = (names.take(&path("/a/1")).unwrap(), names.take(&path("/a/2")).unwrap());
        assert_eq!(names.notify_missing(&["2".into(), "3".into()]), 1);
        assert_eq!(one.change_since(EventCounts::default()), Some(EventKind::Deleted));
        assert_eq!(two.change_since(EventCounts::default()), None);
    }
}
