//! The names that one registrar keeps: delivers to their keepers.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::{Notify, watch};
use zk_core::{EventKind, ZnodePath};

use crate::error::RegisterError;
use crate::inbox::Inbox;
use crate::readiness::Readiness;
use crate::wish::Wish;

/// The names that one registrar keeps.
#[derive(Debug)]
pub(crate) struct Names {
    table: Mutex<Table>,
    /// Notified when the names become too many for a watch each.
    shared_watch_needed: Notify,
    /// How many names have a watch each.
    own_watches: usize,
}

#[derive(Debug)]
struct Table {
    entries: BTreeMap<String, Entry>,
    /// For the keepers of names that are taken later.
    readiness: Readiness,
    /// Stays true until [`Names::recount`], so that a keeper that waits for the shared watch gets it.
    needs_shared_watch: bool,
    /// The registrar is shut down: no name is taken any more.
    is_closed: bool,
    /// The names that were abandoned: their znodes may still exist.
    abandoned: BTreeSet<String>,
}

#[derive(Debug)]
struct Entry {
    inbox: Arc<Inbox>,
    wish: watch::Sender<Wish>,
}

impl Names {
    pub(crate) fn new(own_watches: usize) -> Self {
        let table = Table {
            entries: BTreeMap::new(),
            readiness: Readiness::Unlinked,
            needs_shared_watch: false,
            is_closed: false,
            abandoned: BTreeSet::new(),
        };
        Self { table: Mutex::new(table), shared_watch_needed: Notify::new(), own_watches }
    }

    /// Takes a name, and keeps what the caller wishes for it.
    ///
    /// # Errors
    /// If it is in use, or the registrar is shut down.
    pub(crate) fn take(
        &self,
        path: &ZnodePath,
        wish: &watch::Sender<Wish>,
    ) -> Result<Arc<Inbox>, RegisterError> {
        let mut table = self.table.lock();
        if table.is_closed {
            return Err(RegisterError::ShutDown);
        }
        if table.entries.contains_key(path.name()) {
            return Err(RegisterError::Duplicate(path.clone()));
        }
        let inbox = Arc::new(Inbox::new(table.readiness.clone()));
        let entry = Entry { inbox: inbox.clone(), wish: wish.clone() };
        table.entries.insert(path.name().to_owned(), entry);
        table.abandoned.remove(path.name());
        if table.entries.len() > self.own_watches && !table.needs_shared_watch {
            table.needs_shared_watch = true;
            self.shared_watch_needed.notify_one();
        }
        Ok(inbox)
    }

    /// Releases a name, whose znode may still exist if it is abandoned.
    pub(crate) fn release(&self, path: &ZnodePath, is_abandoned: bool) {
        let mut table = self.table.lock();
        table.entries.remove(path.name());
        if is_abandoned {
            table.abandoned.insert(path.name().to_owned());
        }
    }

    /// How many names may have a znode.
    pub(crate) fn left(&self) -> usize {
        let table = self.table.lock();
        table.entries.len() + table.abandoned.len()
    }

    /// Wishes every znode absent, and lets no name be taken any more.
    pub(crate) fn close(&self) {
        let mut table = self.table.lock();
        table.is_closed = true;
        for entry in table.entries.values() {
            entry.wish.send_replace(Wish::Absent);
        }
    }

    /// Publishes to every keeper whether it can work.
    pub(crate) fn publish(&self, readiness: Readiness) {
        let mut table = self.table.lock();
        for entry in table.entries.values() {
            entry.inbox.publish(readiness.clone());
        }
        table.readiness = readiness;
    }

    /// Wakes every keeper: the link has another connection.
    pub(crate) fn wake(&self) {
        self.table.lock().entries.values().for_each(|entry| entry.inbox.wake());
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

    /// Notifies the keeper of this name, if there is one.
    pub(crate) fn notify(&self, name: &str, kind: EventKind) {
        if let Some(entry) = self.table.lock().entries.get(name) {
            entry.inbox.notify(kind);
        }
    }

    /// Notifies the keepers whose names are not listed, and returns how many they are.
    pub(crate) fn notify_missing(&self, listed: &[String]) -> usize {
        let listed: BTreeSet<&str> = listed.iter().map(String::as_str).collect();
        let table = self.table.lock();
        let missing = table.entries.iter().filter(|(name, _)| !listed.contains(name.as_str()));
        missing.map(|(_, entry)| entry.inbox.notify(EventKind::Deleted)).count()
    }
}

#[cfg(test)]
mod tests;
