//! Listens, accepts, answers.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use jiff::Timestamp;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, warn};

use crate::reply::reply;

/// The most that is read from a caller after the answer, in bytes. RFC 867 has us throw it away, and the
/// tutorial's client sends nine bytes.
const DRAIN_LIMIT: u64 = 64 * 1024;

const PAUSE_FIRST: Duration = Duration::from_millis(20);
const PAUSE_CAP: Duration = Duration::from_secs(1);

/// The time between two log lines about the same trouble of one port.
const QUIET: Duration = Duration::from_secs(10);

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
            // Who was accepted by the kernel already would be reset when the listener is closed.
            while let Some(Ok((stream, _))) = listener.accept().now_or_never() {
                serving.answering.spawn(timeout(limits.deadline, answer(stream)));
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
    let (mut failing, mut full) = (Quiet::default(), Quiet::default());
    loop {
        let (stream, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            // The caller's affair, and over already.
            Err(error) if gave_up(&error) => continue,
            Err(error) => {
                // Out of file descriptors, most likely: at once again would only burn the processor.
                if failing.may_speak() {
                    warn!(%local, %error, "cannot accept; trying on");
                }
                sleep(pause).await;
                pause = (pause * 2).min(PAUSE_CAP);
                continue;
            }
        };
        pause = PAUSE_FIRST;
        let Ok(place) = places.clone().try_acquire_owned() else {
            if full.may_speak() {
                warn!(%local, limit = limits.connections, "too many connections; some are closed unanswered");
            }
            continue;
        };
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

/// Keeps a complaint that could be made with every connection down to one in a while.
#[derive(Debug, Default)]
struct Quiet {
    spoke: Option<Instant>,
}

impl Quiet {
    fn may_speak(&mut self) -> bool {
        let may = self.spoke.is_none_or(|spoke| spoke.elapsed() >= QUIET);
        if may {
            self.spoke = Some(Instant::now());
        }
        may
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
    let local = stream.local_addr()?;
    // On `::` an IPv4 caller is seen as ::ffff:127.0.0.1, which is not what it has dialled.
    let line = reply((local.ip().to_canonical(), local.port()).into(), Timestamp::now());
    stream.write_all(line.as_bytes()).await?;
    stream.shutdown().await?;
    let mut input = stream.take(DRAIN_LIMIT);
    let mut sink = [0; 1024];
    while input.read(&mut sink).await? > 0 {}
    Ok(())
}
