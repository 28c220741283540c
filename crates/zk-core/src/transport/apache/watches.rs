//! The tasks of watches, which stay on the session thread after the reply.

use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use zookeeper_client as zk;

use super::convert::event_kind;
use crate::path::ZnodePath;
use crate::transport::event::{Event, EventKind};
use crate::transport::seam::BoxFuture;
use crate::transport::stat::Zxid;

/// How many events the queue of a watch takes. One more ends the watch, and its reader reads everything again.
/// An event takes about a hundred bytes.
const EVENTS_WAITING: usize = 16_384;

/// The task of a watch, which stays on the session thread after the reply.
pub(super) type WatchTask = BoxFuture<'static, ()>;

/// The receiver of the events of a recursive watcher, and the task that delivers them.
pub(super) fn follow(watcher: zk::PersistentWatcher) -> (mpsc::Receiver<Event>, Option<WatchTask>) {
    let (events, receiver) = mpsc::channel(EVENTS_WAITING);
    (receiver, Some(Box::pin(forward(watcher, events))))
}

/// Forwards the events of a persistent watcher until the connection breaks. D1: after a reconnect the watcher would be
/// silent for ever; D6: after the end of the session it would panic. So it is not asked again after a session event.
async fn forward(mut watcher: zk::PersistentWatcher, events: mpsc::Sender<Event>) {
    loop {
        let event = tokio::select! {
            biased;
            // Nobody reads any more.
            () = events.closed() => return,
            event = watcher.changed() => event,
        };
        if event.event_type == zk::EventType::Session {
            return until_dropped().await;
        }
        let (Some(kind), Ok(path)) = (event_kind(event.event_type), ZnodePath::parse(&event.path)) else {
            continue;
        };
        let zxid = (event.zxid > 0).then_some(Zxid(event.zxid));
        if events.try_send(Event { kind, path, zxid, at: Instant::now() }).is_err() {
            // Full: the reader is far behind, and reading everything again is cheaper for it than all these events.
            tracing::warn!(events = EVENTS_WAITING, "watch queue is full, ending the watch");
            return;
        }
    }
}

/// The receiver of the one event of a one-shot watcher, and the task that delivers it.
///
/// Dropping a watcher removes it from the server. Servers before 3.5 do not know that request, and close the
/// connection: there it stays until it fires or the connection ends.
pub(super) fn once(
    watcher: zk::OneshotWatcher,
    removable: bool,
) -> (oneshot::Receiver<EventKind>, Option<WatchTask>) {
    let (mut fired, receiver) = oneshot::channel();
    let watch_task = async move {
        let event = tokio::select! {
            biased;
            () = fired.closed(), if removable => return,
            event = watcher.changed() => event,
        };
        match event_kind(event.event_type) {
            Some(kind) => drop(fired.send(kind)),
            None => until_dropped().await,
        }
    };
    (receiver, Some(Box::pin(watch_task)))
}

/// The connection has ended, which the session thread publishes before it drops this task. So a reader whose watch ends finds the
/// connection ended, and does not take the end for an overrun queue.
async fn until_dropped() {
    std::future::pending().await
}
