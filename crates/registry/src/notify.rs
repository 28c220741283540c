//! Counts the events of one znode for its keeper.

use std::sync::atomic::{AtomicU32, Ordering};

use tokio::sync::Notify;
use zk_core::EventKind;

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

    /// Waits for an event after the last call. May return without one.
    ///
    /// # Cancel safety
    /// No event is lost if the future is dropped.
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
mod tests {
    use super::*;

    #[test]
    fn the_most_severe_event_comes_first_and_creations_do_not_count() {
        let notify = ZnodeNotify::default();
        let known = notify.counts();
        notify.notify(EventKind::Created);
        assert_eq!(notify.counts(), known);
        notify.notify(EventKind::DataChanged);
        notify.notify(EventKind::Deleted);
        assert_eq!(notify.counts().change_since(known), Some(EventKind::Deleted));
        assert_eq!(notify.counts().change_since(notify.counts()), None);
    }

    #[test]
    fn a_write_of_ours_accounts_for_one_event_and_no_more() {
        let (last, first) = (EventCounts { deleted: 0, written: u32::MAX }, EventCounts::default());
        assert_eq!(last.change_since(first), None, "the event has not come yet");
        assert_eq!(first.or_later(last), first);
        let another = EventCounts { deleted: 0, written: 1 };
        assert_eq!(another.change_since(first), Some(EventKind::DataChanged));
    }
}
