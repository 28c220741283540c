use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::warn;

use super::command::Commands;
use super::connection::Connection;
use super::outgoing::Outgoing;

/// How long to wait after a failed accept: the usual reason is that there are no more file descriptors.
const PAUSE: Duration = Duration::from_millis(50);

/// Accepts connections up to the limit.
#[derive(Debug)]
pub(super) struct Listener {
    pub(super) listener: TcpListener,
    pub(super) places: Arc<Semaphore>,
    pub(super) rejected: Arc<AtomicU64>,
    pub(super) max_frame: usize,
    pub(super) commands: Commands,
    pub(super) tasks: TaskTracker,
}

impl Listener {
    /// Accepts until `stop` is cancelled.
    pub(super) async fn run(self, stop: CancellationToken) {
        for id in 1.. {
            let accepted = tokio::select! {
                () = stop.cancelled() => return,
                accepted = self.listener.accept() => accepted,
            };
            let stream = match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    warn!(
                        error = &error as &dyn std::error::Error,
                        "embedded ZooKeeper cannot accept a connection"
                    );
                    sleep(PAUSE).await;
                    continue;
                }
            };
            let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else {
                self.rejected.fetch_add(1, Ordering::Relaxed);
                continue;
            };
            let connection = Connection {
                id,
                max_frame: self.max_frame,
                commands: self.commands.clone(),
                outgoing: Arc::new(Outgoing::default()),
            };
            // Ends with its connection, at the latest with the task of the machine.
            self.tasks.spawn(async move {
                connection.serve(stream).await;
                drop(place);
            });
        }
    }
}
