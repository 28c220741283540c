//! RFC 867 over TCP: a connection is an answer.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use jiff::Timestamp;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_util::task::TaskTracker;
use tracing::{debug, warn};
use zk_core::fd_reserve;

use super::log_limiter::LogLimiter;
use super::pause::Pause;
use crate::answer::reply;
use crate::metrics::{self, Open, Outcome};

/// The most that is read from a caller after the answer, in bytes. RFC 867 has us throw it away, and the
/// tutorial's client sends nine bytes.
const DRAIN_LIMIT: u64 = 64 * 1024;

/// What bounds the connections.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Connections at one time, for each port.
    pub(crate) connections: usize,
    /// How long one connection may take in all.
    pub(crate) deadline: Duration,
}

/// Accepts until the listener is dead, and hands each connection to a task of `answering`. Returns what the
/// system says about its death.
pub(super) async fn accept(
    listener: &TcpListener,
    local: SocketAddr,
    limits: Limits,
    answering: &TaskTracker,
) -> io::Error {
    let places = Arc::new(Semaphore::new(limits.connections));
    let mut pause = Pause::default();
    let (mut failing, mut full) = (LogLimiter::default(), LogLimiter::default());
    loop {
        let (stream, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            // The caller's affair, and over already.
            Err(error) if gave_up(&error) => continue,
            // It is no listening socket any more, and will not become one again.
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => return error,
            Err(error) => {
                if failing.admits() {
                    warn!(%local, %error, "cannot accept; trying on");
                }
                pause.wait().await;
                continue;
            }
        };
        // The link to ZooKeeper comes first: without it there is no registration, and there are no callers.
        if !fd_reserve().is_whole() {
            drop(stream);
            if failing.admits() {
                warn!(%local, "cannot accept: the last file descriptors are for the link to ZooKeeper; trying on");
            }
            metrics::request("tcp", Outcome::TurnedAway);
            pause.wait().await;
            continue;
        }
        pause = Pause::default();
        let Ok(place) = places.clone().try_acquire_owned() else {
            if full.admits() {
                warn!(%local, limit = limits.connections, "too many connections; some are closed unanswered");
            }
            metrics::request("tcp", Outcome::TurnedAway);
            continue;
        };
        // Ends by itself within the deadline.
        answering.spawn(async move {
            answer_within(limits.deadline, stream, peer).await;
            drop(place);
        });
    }
}

/// Takes in who was accepted by the kernel already: they would be reset when the listener is closed.
pub(super) fn take_those_in_line(listener: &TcpListener, limits: Limits, answering: &TaskTracker) {
    while let Some(Ok((stream, peer))) = listener.accept().now_or_never() {
        answering.spawn(answer_within(limits.deadline, stream, peer));
    }
}

async fn answer_within(deadline: Duration, stream: TcpStream, peer: SocketAddr) {
    let outcome = match timeout(deadline, answer(stream)).await {
        Ok(Ok(())) => {
            debug!(%peer, "answered");
            Outcome::Answered
        }
        Ok(Err(error)) => {
            debug!(%peer, %error, "connection failed");
            Outcome::Failed
        }
        Err(_) => {
            debug!(%peer, "connection took too long");
            Outcome::TimedOut
        }
    };
    metrics::request("tcp", outcome);
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
    let mut open = Open::answering();
    let local = stream.local_addr()?;
    // On `::` an IPv4 caller is seen as ::ffff:127.0.0.1, which is not what it has dialled.
    let line = reply((local.ip().to_canonical(), local.port()).into(), Timestamp::now());
    stream.write_all(line.as_bytes()).await?;
    stream.shutdown().await?;
    open.closing();
    let mut input = stream.take(DRAIN_LIMIT);
    let mut sink = [0; 1024];
    while input.read(&mut sink).await? > 0 {}
    Ok(())
}
