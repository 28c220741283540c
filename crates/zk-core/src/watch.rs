//! The watches of a connection: a stream of events, and a watch for one event.

use tokio::sync::{mpsc, oneshot};

use crate::down::Down;
use crate::path::ZnodePath;
use crate::transport::{Event, EventKind};

/// Events of a znode and of everything below it, in the order in which they happened.
///
/// The stream ends, and never just goes silent, when its connection ends, and when the caller does not read it and its
/// queue (16,384 events) overflows. Later events are unknown then: watch again, then read. On a server that sends
/// events without a pause the connection ends (after 262,144 of them), read or not.
///
/// `Drop` removes the watch from the server, but not before a second has had fewer than about a hundred events.
#[derive(Debug)]
pub struct WatchStream {
    pub(crate) events: mpsc::Receiver<Event>,
    pub(crate) down: Down,
    pub(crate) chroot: ZnodePath,
}

impl WatchStream {
    /// The next event; `None` once the watch has ended, and on every call after that.
    ///
    /// # Cancel safety
    /// No event is lost if the future is dropped.
    pub async fn next(&mut self) -> Option<Event> {
        loop {
            let event = tokio::select! {
                biased;
                event = self.events.recv() => event,
                // The thread that would end the queue may be stuck. What came before the end is in the queue.
                () = self.down.ended() => self.events.try_recv().ok(),
            }?;
            if let Some(event) = self.strip(event) {
                return Some(event);
            }
        }
    }

    /// An event that has already arrived. When a reply on this connection is delivered, all earlier events have
    /// arrived.
    pub fn try_next(&mut self) -> Option<Event> {
        loop {
            let event = self.events.try_recv().ok()?;
            if let Some(event) = self.strip(event) {
                return Some(event);
            }
        }
    }

    fn strip(&self, event: Event) -> Option<Event> {
        Some(Event { path: event.path.without(&self.chroot)?, ..event })
    }
}

/// A watch for one event of one znode.
///
/// `Drop` removes the watch from a server of ZooKeeper 3.6 or later; on an older one it stays until it fires or the
/// connection ends.
#[derive(Debug)]
pub struct OneShot {
    fired: Option<oneshot::Receiver<EventKind>>,
    down: Down,
}

impl OneShot {
    pub(crate) fn new(fired: oneshot::Receiver<EventKind>, down: Down) -> Self {
        Self { fired: Some(fired), down }
    }

    /// Waits for the event. `None` if the connection ends first, and on every call after the event.
    ///
    /// # Cancel safety
    /// The watch stays armed if the future is dropped.
    pub async fn fired(&mut self) -> Option<EventKind> {
        let fired = self.fired.as_mut()?;
        let kind = tokio::select! {
            biased;
            kind = &mut *fired => kind.ok(),
            () = self.down.ended() => fired.try_recv().ok(),
        };
        self.fired = None;
        kind
    }
}
