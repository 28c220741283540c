//! The tasks of a session thread.

use std::ops::ControlFlow;

use futures_util::stream::FuturesUnordered;
use tokio::sync::mpsc;
use zookeeper_client as zk;

use crate::transport::event::Event;
use crate::transport::seam::BoxFuture;

/// Waits for a reply, or keeps a watch. A task can end the connection.
pub(super) type Task = BoxFuture<'static, ControlFlow<Broken>>;

/// The connection has to end.
pub(super) struct Broken {
    pub(super) cause: String,
    /// The queue of a watch that has not ended: it must not end before the end of the connection is published.
    pub(super) queue: Option<mpsc::Sender<Event>>,
}

/// The tasks of a session thread. First polled in the order in which they were pushed.
pub(super) type Tasks = FuturesUnordered<Task>;

/// Sends a request, and pushes the task that waits for the reply.
pub(super) type Job = Box<dyn FnOnce(&zk::Client, &Tasks) + Send>;
