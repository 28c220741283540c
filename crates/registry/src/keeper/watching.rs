//! How a keeper learns of changes of its znode, and which of them are its own.

use zk_core::EventKind;

use crate::inbox::EventCounts;
use crate::readiness::Ready;

/// What reports every change of the znode since the last request that found or made it as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cover {
    /// Nothing: the next look sets a watch.
    Nothing,
    /// The znode's own watch, for one event.
    Own,
    /// The shared watch of this ready connection.
    Shared(Ready),
}

/// The watch, and the events that are accounted for.
#[derive(Debug)]
pub(super) struct Watching {
    cover: Cover,
    /// The event of the own watch.
    fired: Option<EventKind>,
    /// The events of the shared watch that are accounted for. May be ahead of those that were counted: each write of ours
    /// accounts for one, which may come after the reply.
    known: EventCounts,
}

impl Watching {
    pub(super) fn new(counts: EventCounts) -> Self {
        Self { cover: Cover::Nothing, fired: None, known: counts }
    }

    pub(super) fn cover(&self) -> Cover {
        self.cover
    }

    /// An event that is not accounted for.
    pub(super) fn change(&self, counts: EventCounts) -> Option<EventKind> {
        match self.cover {
            Cover::Nothing => None,
            Cover::Own => self.fired,
            Cover::Shared(_) => counts.change_since(self.known),
        }
    }

    /// The same; it is accounted for from now on.
    pub(super) fn take_change(&mut self, counts: EventCounts) -> Option<EventKind> {
        let change = self.change(counts);
        self.fired = None;
        self.known = self.known.or_later(counts);
        change
    }

    /// A request is sent that finds the znode, or makes it, as it is: a shared watch reports every later change. An own
    /// watch has yet to be set, and a write of ours fires the one that is.
    pub(super) fn ask(&mut self, ready: Option<&Ready>) {
        self.cover = match ready {
            Some(ready) if ready.is_shared() => Cover::Shared(*ready),
            _ => Cover::Nothing,
        };
    }

    /// The znode's own watch is set.
    pub(super) fn armed(&mut self) {
        (self.cover, self.fired) = (Cover::Own, None);
    }

    pub(super) fn fired(&mut self, kind: EventKind) {
        self.fired = Some(kind);
    }

    /// A write of ours was carried out: one event is its own.
    pub(super) fn wrote(&mut self) {
        if let Cover::Shared(_) = self.cover {
            self.known.written = self.known.written.wrapping_add(1);
        }
    }

    /// A take-over was carried out, which deletes a znode.
    pub(super) fn took_over(&mut self) {
        if let Cover::Shared(_) = self.cover {
            self.known.deleted = self.known.deleted.wrapping_add(1);
        }
    }

    /// All events have come, or come no more: those of our own writes that have not were lost. Returns whether one is not
    /// accounted for.
    pub(super) fn settle(&mut self, counts: EventCounts) -> bool {
        let is_changed = counts.change_since(self.known).is_some();
        self.known = counts;
        is_changed
    }

    /// The watch has ended.
    pub(super) fn end(&mut self) {
        (self.cover, self.fired) = (Cover::Nothing, None);
    }
}
