//! Watches, as long as their connection.

use tokio::sync::{mpsc, oneshot};

use crate::path::ZnodePath;
use crate::transport::{Event, EventKind};

/// Events of a znode and of everything below it, in the order in which they happened.
///
/// It ends, rather than going silent, when its connection does or when it was not read for so long that
/// its queue (16,384 events) overflowed. What happened since is unknown then: watch again, then read.
///
/// `Drop` takes the watch off the server.
#[derive(Debug)]
pub struct WatchStream {
    pub(crate) events: mpsc::Receiver<Event>,
    pub(crate) chroot: ZnodePath,
}

impl WatchStream {
    /// The next event; `None` when the watch has ended, and ever after.
    ///
    /// # Cancel safety
    /// No event is lost if the future is dropped.
    pub async fn next(&mut self) -> Option<Event> {
        loop {
            let event = self.events.recv().await?;
            if let Some(event) = self.strip(event) {
                return Some(event);
            }
        }
    }

    /// An event that is there already. Every event that happened before a request of this connection
    /// was answered is there when the answer is.
    pub fn try_next(&mut self) -> Option<Event> {
        loop {
            let event = self.events.try_recv().ok()?;
            if let Some(event) = self.strip(event) {
                return Some(event);
            }
        }
    }

    fn strip(&self, event: Event) -> Option<Event> {
        Some(Event { kind: event.kind, path: event.path.without(&self.chroot)? })
    }
}

/// A watch for one event of one znode.
///
/// `Drop` takes the watch off the server.
#[derive(Debug)]
pub struct OneShot {
    fired: Option<oneshot::Receiver<EventKind>>,
}

impl OneShot {
    pub(crate) fn new(fired: oneshot::Receiver<EventKind>) -> Self {
        Self { fired: Some(fired) }
    }

    /// Waits until it happens. `None` if the connection ended first, and after the one event.
    ///
    /// # Cancel safety
    /// The watch stays armed if the future is dropped.
    pub async fn fired(&mut self) -> Option<EventKind> {
        let kind = self.fired.as_mut()?.await.ok();
        self.fired = None;
        kind
    }
}
