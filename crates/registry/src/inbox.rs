//! What the registrar's task reports to a keeper.

use parking_lot::Mutex;
use tokio::sync::Notify;
use zk_core::EventKind;

use crate::readiness::Readiness;

/// What is reported to one keeper: whether it can work, and how many events its znode had. The keepers get it one after the
/// other, in the order of their names, so that a run can be replayed.
#[derive(Debug)]
pub(crate) struct Inbox {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug)]
struct State {
    /// The latest, until it is taken.
    readiness: Option<Readiness>,
    counts: EventCounts,
}

/// The events of a znode up to some moment.
///
/// Creations do not count: the keeper knows of its own, and another client's comes after a deletion of ours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct EventCounts {
    pub(crate) deleted: u32,
    pub(crate) written: u32,
}

impl Inbox {
    pub(crate) fn new(readiness: Readiness) -> Self {
        let state = State { readiness: Some(readiness), counts: EventCounts::default() };
        Self { state: Mutex::new(state), changed: Notify::new() }
    }

    /// Counts an event.
    pub(crate) fn notify(&self, kind: EventKind) {
        let counts = &mut self.state.lock().counts;
        match kind {
            EventKind::Deleted => counts.deleted = counts.deleted.wrapping_add(1),
            EventKind::DataChanged => counts.written = counts.written.wrapping_add(1),
            EventKind::Created | EventKind::ChildrenChanged => return,
        }
        self.changed.notify_one();
    }

    /// Wakes the keeper.
    pub(crate) fn wake(&self) {
        self.changed.notify_one();
    }

    pub(crate) fn publish(&self, readiness: Readiness) {
        self.state.lock().readiness = Some(readiness);
        self.changed.notify_one();
    }

    /// The latest readiness, if it was not taken yet.
    pub(crate) fn take_readiness(&self) -> Option<Readiness> {
        self.state.lock().readiness.take()
    }

    /// The events so far.
    pub(crate) fn counts(&self) -> EventCounts {
        self.state.lock().counts
    }

    /// Waits for something new. May return without it.
    ///
    /// # Cancel safety
    /// Nothing is lost if the future is dropped.
    pub(crate) async fn changed(&self) {
        self.changed.notified().await;
    }
}

impl EventCounts {
    /// Returns the most severe event that `known` does not account for. `known` may be ahead: the event of a write of
    /// ours may come after the reply.
    pub(crate) fn change_since(self, known: Self) -> Option<EventKind> {
        if is_later(self.deleted, known.deleted) {
            Some(EventKind::Deleted)
        } else if is_later(self.written, known.written) {
            Some(EventKind::DataChanged)
        } else {
            None
        }
    }

    /// The greater of each count.
    pub(crate) fn or_later(self, other: Self) -> Self {
        let later = |one, other| if is_later(other, one) { other } else { one };
        Self { deleted: later(self.deleted, other.deleted), written: later(self.written, other.written) }
    }
}

/// Whether a count is greater than another one, of counts that wrap around.
fn is_later(count: u32, other: u32) -> bool {
    count.wrapping_sub(other) as i32 > 0
}

#[cfg(test)]
mod tests;
