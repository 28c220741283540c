//! How a keeper hears of its znode where one watch serves all, and who is to hear.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use parking_lot::Mutex;
use tokio::sync::Notify;
use zk_core::{EventKind, ZnodePath};

/// What has happened to one name since it was registered, counted.
///
/// Creations are not: ours we know of, and another's comes after a deletion of ours.
#[derive(Debug, Default)]
pub(crate) struct ZnodeNotify {
    deleted: AtomicU32,
    written: AtomicU32,
    changed: Notify,
}

/// What has happened up to some moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Versions {
    pub(crate) deleted: u32,
    pub(crate) written: u32,
}

impl ZnodeNotify {
    /// Something has happened to the znode.
    pub(crate) fn notify(&self, kind: EventKind) {
        match kind {
            EventKind::Deleted => self.deleted.fetch_add(1, Ordering::SeqCst),
            EventKind::DataChanged => self.written.fetch_add(1, Ordering::SeqCst),
            EventKind::Created | EventKind::ChildrenChanged => return,
        };
        self.changed.notify_one();
    }

    /// All that has happened.
    pub(crate) fn versions(&self) -> Versions {
        Versions {
            deleted: self.deleted.load(Ordering::SeqCst),
            written: self.written.load(Ordering::SeqCst),
        }
    }

    /// What has happened that `known` does not account for. It may be ahead: the event of a write of ours
    /// may come after the answer.
    pub(crate) fn change_since(&self, known: Versions) -> Option<EventKind> {
        let now = self.versions();
        let is_more = |now: u32, known: u32| now.wrapping_sub(known) as i32 > 0;
        if is_more(now.deleted, known.deleted) {
            Some(EventKind::Deleted)
        } else if is_more(now.written, known.written) {
            Some(EventKind::DataChanged)
        } else {
            None
        }
    }

    /// Waits until something has happened that `known` does not account for. One waiter at a time.
    ///
    /// # Cancel safety
    /// Nothing is lost if the future is dropped.
    pub(crate) async fn changed_since(&self, known: Versions) -> EventKind {
        loop {
            if let Some(kind) = self.change_since(known) {
                return kind;
            }
            // A change between the check and here has left its permit.
            self.changed.notified().await;
        }
    }
}

/// The names in use in one registrar.
#[derive(Debug)]
pub(crate) struct Names {
    table: Mutex<Table>,
    /// There have come to be more than have watches of their own.
    shared_watch_needed: Notify,
    most: usize,
}

#[derive(Debug, Default)]
struct Table {
    entries: HashMap<ZnodePath, Arc<ZnodeNotify>>,
    /// Stays true until it is reckoned anew, so that who waits for the shared watch is not forgotten.
    needs_shared_watch: bool,
}

impl Names {
    /// `most`: how many names are not a crowd yet.
    pub(crate) fn new(most: usize) -> Self {
        Self { table: Mutex::default(), shared_watch_needed: Notify::new(), most }
    }

    /// Takes a name; `None` if it is in use.
    pub(crate) fn take(&self, path: &ZnodePath) -> Option<Arc<ZnodeNotify>> {
        let mut table = self.table.lock();
        if table.entries.contains_key(path) {
            return None;
        }
        let notify = Arc::new(ZnodeNotify::default());
        table.entries.insert(path.clone(), notify.clone());
        if table.entries.len() > self.most && !table.needs_shared_watch {
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

    /// Whether there are, or were since it was last reckoned, more than have watches of their own.
    pub(crate) fn need_shared_watch(&self) -> bool {
        self.table.lock().needs_shared_watch
    }

    /// Counts anew, and tells.
    pub(crate) fn recount(&self) -> bool {
        let mut table = self.table.lock();
        table.needs_shared_watch = table.entries.len() > self.most;
        table.needs_shared_watch
    }

    /// Waits for a crowd to come. May be early: ask [`need_shared_watch`](Self::need_shared_watch).
    pub(crate) async fn shared_watch_needed(&self) {
        self.shared_watch_needed.notified().await;
    }

    /// Tells whom it concerns.
    pub(crate) fn notify(&self, path: &ZnodePath, kind: EventKind) {
        let notify = self.table.lock().entries.get(path).cloned();
        if let Some(notify) = notify {
            notify.notify(kind);
        }
    }

    /// Tells all whose names are not among those listed, and returns how many they are.
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
    async fn what_happened_before_anybody_waits_is_heard() {
        let notify = ZnodeNotify::default();
        let known = notify.versions();
        notify.notify(EventKind::DataChanged);
        notify.notify(EventKind::Deleted);
        assert_eq!(notify.changed_since(known).await, EventKind::Deleted, "the graver first");
        assert_eq!(notify.change_since(notify.versions()), None);
    }

    #[test]
    fn a_write_of_ours_accounts_for_one_event_and_no_more() {
        let notify = ZnodeNotify::default();
        let known = Versions { written: 1, ..notify.versions() };
        notify.notify(EventKind::Created);
        notify.notify(EventKind::DataChanged);
        assert_eq!(notify.change_since(known), None);
        notify.notify(EventKind::DataChanged);
        assert_eq!(notify.change_since(known), Some(EventKind::DataChanged));
    }

    #[test]
    fn a_crowd_stays_one_until_it_is_reckoned_anew() {
        let names = Names::new(1);
        names.take(&path("/a/1")).unwrap();
        assert!(!names.need_shared_watch());
        names.take(&path("/a/2")).unwrap();
        assert!(names.take(&path("/a/2")).is_none(), "in use");
        names.release(&path("/a/2"));
        assert!(names.need_shared_watch());
        assert!(!names.recount());
    }

    #[test]
    fn only_who_is_missing_is_told() {
        let names = Names::new(9);
        let (one, two) = (names.take(&path("/a/1")).unwrap(), names.take(&path("/a/2")).unwrap());
        assert_eq!(names.notify_missing(&["2".into(), "3".into()]), 1);
        assert_eq!(one.change_since(Versions::default()), Some(EventKind::Deleted));
        assert_eq!(two.change_since(Versions::default()), None);
    }
}
