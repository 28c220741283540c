//! The tasks of watches, which stay on the session thread after the reply.

use std::ops::ControlFlow;

use tokio::sync::oneshot;
use zookeeper_client as zk;

use super::convert::event_kind;
use super::task::Task;
use crate::transport::event::EventKind;

/// The receiver of the one event of a one-shot watcher, and the task that delivers it.
///
/// Dropping a watcher removes it from the server. Servers before 3.5 do not know that request, and close the
/// connection: there it stays until it fires or the connection ends.
pub(super) fn once(watcher: zk::OneshotWatcher, removable: bool) -> (oneshot::Receiver<EventKind>, Task) {
    let (mut fired, receiver) = oneshot::channel();
    let task = async move {
        let event = tokio::select! {
            biased;
            // Nobody waits any more.
            () = fired.closed(), if removable => return ControlFlow::Continue(()),
            event = watcher.changed() => event,
        };
        match event_kind(event.event_type) {
            Some(kind) => drop(fired.send(kind)),
            None => until_dropped().await,
        }
        ControlFlow::Continue(())
    };
    (receiver, Box::pin(task))
}

/// The connection has ended, which the session thread publishes before it drops this task. So a reader whose watch ends
/// finds the connection ended, and does not take the end for an overrun queue.
pub(super) async fn until_dropped() {
    std::future::pending().await
}
