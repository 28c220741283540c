//! Listens, accepts, answers.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, info, warn};

use crate::reply::reply;

/// The most that is read from a caller after the answer, in bytes. RFC 867 has us throw it away, and the
/// tutorial's client sends nine bytes.
const DRAIN_LIMIT: u64 = 64 * 1024;

const PAUSE_FIRST: Duration = Duration::from_millis(20);
const PAUSE_CAP: Duration = Duration::from_secs(1);

/// What bounds the connections.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Connections at one time, for each port.
    pub(crate) connections: usize,
    /// How long one connection may take in all.
    pub(crate) deadline: Duration,
}

/// Tasks of all ports: the accept loops end at `stop`, the connections when they are done.
#[derive(Clone, Debug, Default)]
pub(crate) struct Serving {
    stop: CancellationToken,
    accepting: TaskTracker,
    answering: TaskTracker,
}

impl Serving {
    /// Starts to accept on a listener.
    pub(crate) fn accept_on(&self, listener: TcpListener, local: SocketAddr, limits: Limits) {
        let serving = self.clone();
        // Ends at `stop`.
        self.accepting.spawn(async move {
            tokio::select! {
                () = serving.stop.cancelled() => {}
                () = accept(&listener, local, limits, &serving.answering) => {}
            }
        });
    }

    /// Closes the listeners, and gives the open connections some time to finish. Returns how many did not.
    pub(crate) async fn drain(&self, grace: Duration) -> usize {
        self.stop.cancel();
        self.accepting.close();
        self.accepting.wait().await;
        self.answering.close();
        let _ = timeout(grace, self.answering.wait()).await;
        self.answering.len()
    }
}

async fn accept(listener: &TcpListener, local: SocketAddr, limits: Limits, answering: &TaskTracker) {
    let places = Arc::new(Semaphore::new(limits.connections));
    let mut pause = PAUSE_FIRST;
    let mut failing = false;
    let mut full = false;
    loop {
        let (stream, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            // The caller's affair, and over already.
            Err(error) if gave_up(&error) => continue,
            Err(error) => {
                // Out of file descriptors, most likely: at once again would only burn the processor.
                if !failing {
                    warn!(%local, %error, "cannot accept; trying on");
                }
                failing = true;
                sleep(pause).await;
                pause = (pause * 2).min(PAUSE_CAP);
                continue;
            }
        };
        if failing {
            info!(%local, "accepting again");
            (failing, pause) = (false, PAUSE_FIRST);
        }
        let Ok(place) = places.clone().try_acquire_owned() else {
            if !full {
                warn!(%local, limit = limits.connections, "too many connections; more are closed unanswered");
            }
            full = true;
            continue;
        };
        full = false;
        // Ends by itself within the deadline.
        answering.spawn(async move {
            match timeout(limits.deadline, answer(stream)).await {
                Ok(Ok(())) => debug!(%local, %peer, "answered"),
                Ok(Err(error)) => debug!(%local, %peer, %error, "connection failed"),
                Err(_) => debug!(%local, %peer, "connection took too long"),
            }
            drop(place);
        });
    }
}

fn gave_up(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::Interrupted
    )
}

/// Sends the line, then waits for the caller to close. Closing first would lose the line where the caller
/// has sent something that we have not read: the kernel resets such a connection, and a reset discards
/// what the caller has not read yet.
async fn answer(mut stream: TcpStream) -> io::Result<()> {
    let line = reply(stream.local_addr()?, Timestamp::now());
    stream.write_all(line.as_bytes()).await?;
    stream.shutdown().await?;
    let mut input = stream.take(DRAIN_LIMIT);
    let mut sink = [0; 1024];
    while input.read(&mut sink).await? > 0 {}
    Ok(())
}
