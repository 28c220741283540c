//! How a keeper hears of its znode where one watch serves all, and who is to hear.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use zk_core::{EventKind, ZnodePath};

/// What has happened to one name since it was registered, counted.
///
/// Creations are not: ours we know of, and another's comes after a deletion of ours.
#[derive(Debug, Default)]
pub(crate) struct Bell {
    deleted: AtomicU32,
    written: AtomicU32,
    rung: Notify,
}

/// What has happened up to some moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) deleted: u32,
    pub(crate) written: u32,
}

impl Bell {
    /// Something has happened to the znode.
    pub(crate) fn ring(&self, kind: EventKind) {
        match kind {
            EventKind::Deleted => self.deleted.fetch_add(1, Ordering::SeqCst),
            EventKind::DataChanged => self.written.fetch_add(1, Ordering::SeqCst),
            EventKind::Created | EventKind::ChildrenChanged => return,
        };
        self.rung.notify_one();
    }

    /// All that has happened.
    pub(crate) fn tally(&self) -> Tally {
        Tally { deleted: self.deleted.load(Ordering::SeqCst), written: self.written.load(Ordering::SeqCst) }
    }

    /// What has happened that `known` does not account for. It may be ahead: the event of a write of ours
    /// may come after the answer.
    pub(crate) fn beyond(&self, known: Tally) -> Option<EventKind> {
        let now = self.tally();
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
    pub(crate) async fn heard_beyond(&self, known: Tally) -> EventKind {
        loop {
            if let Some(kind) = self.beyond(known) {
                return kind;
            }
            // A ring between the look and here has left its permit.
            self.rung.notified().await;
        }
    }
}

/// The names in use in one registrar.
#[derive(Debug)]
pub(crate) struct Names {
    table: Mutex<Table>,
    /// There have come to be more than have watches of their own.
    crowding: Notify,
    most: usize,
}

#[derive(Debug, Default)]
struct Table {
    bells: HashMap<ZnodePath, Arc<Bell>>,
    /// Stays true until it is reckoned anew, so that who waits for the shared watch is not forgotten.
    crowded: bool,
}

impl Names {
    /// `most`: how many names are not a crowd yet.
    pub(crate) fn new(most: usize) -> Self {
        Self { table: Mutex::default(), crowding: Notify::new(), most }
    }

    /// Takes a name; `None` if it is in use.
    pub(crate) fn take(&self, path: &ZnodePath) -> Option<Arc<Bell>> {
        let mut table = self.table();
        if table.bells.contains_key(path) {
            return None;
        }
        let bell = Arc::new(Bell::default());
        table.bells.insert(path.clone(), bell.clone());
        if table.bells.len() > self.most && !table.crowded {
            table.crowded = true;
            self.crowding.notify_one();
        }
        Some(bell)
    }

    pub(crate) fn release(&self, path: &ZnodePath) {
        self.table().bells.remove(path);
    }

    pub(crate) fn len(&self) -> usize {
        self.table().bells.len()
    }

    /// Whether there are, or were since it was last reckoned, more than have watches of their own.
    pub(crate) fn are_crowded(&self) -> bool {
        self.table().crowded
    }

    /// Counts anew, and tells.
    pub(crate) fn reckon_crowd(&self) -> bool {
        let mut table = self.table();
        table.crowded = table.bells.len() > self.most;
        table.crowded
    }

    /// Waits for a crowd to come. May be early: ask [`are_crowded`](Self::are_crowded).
    pub(crate) async fn crowding(&self) {
        self.crowding.notified().await;
    }

    /// Tells whom it concerns.
    pub(crate) fn ring(&self, path: &ZnodePath, kind: EventKind) {
        let bell = self.table().bells.get(path).cloned();
        if let Some(bell) = bell {
            bell.ring(kind);
        }
    }

    /// Tells all whose names are not among those listed, and returns how many they are.
    pub(crate) fn ring_missing(&self, listed: &[String]) -> usize {
        let listed: std::collections::HashSet<&str> = listed.iter().map(String::as_str).collect();
        let table = self.table();
        let missing = table.bells.iter().filter(|(path, _)| !listed.contains(path.name()));
        missing.map(|(_, bell)| bell.ring(EventKind::Deleted)).count()
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
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
        let bell = Bell::default();
        let known = bell.tally();
        bell.ring(EventKind::DataChanged);
        bell.ring(EventKind::Deleted);
        assert_eq!(bell.heard_beyond(known).await, EventKind::Deleted, "the graver first");
        assert_eq!(bell.beyond(bell.tally()), None);
    }

    #[test]
    fn a_write_of_ours_accounts_for_one_event_and_no_more() {
        let bell = Bell::default();
        let known = Tally { written: 1, ..bell.tally() };
        bell.ring(EventKind::Created);
        bell.ring(EventKind::DataChanged);
        assert_eq!(bell.beyond(known), None);
        bell.ring(EventKind::DataChanged);
        assert_eq!(bell.beyond(known), Some(EventKind::DataChanged));
    }

    #[test]
    fn a_crowd_stays_one_until_it_is_reckoned_anew() {
        let names = Names::new(1);
        names.take(&path("/a/1")).unwrap();
        assert!(!names.are_crowded());
        names.take(&path("/a/2")).unwrap();
        assert!(names.take(&path("/a/2")).is_none(), "in use");
        names.release(&path("/a/2"));
        assert!(names.are_crowded());
        assert!(!names.reckon_crowd());
    }

    #[test]
    fn only_who_is_missing_is_told() {
        let names = Names::new(9);
        let (one, two) = (names.take(&path("/a/1")).unwrap(), names.take(&path("/a/2")).unwrap());
        assert_eq!(names.ring_missing(&["2".into(), "3".into()]), 1);
        assert_eq!(one.beyond(Tally::default()), Some(EventKind::Deleted));
        assert_eq!(two.beyond(Tally::default()), None);
    }
}
