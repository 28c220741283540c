//! RFC 867 over TCP: each connection gets one answer.

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
use tracing::{debug, warn};
use zk_core::fd_reserve;

use super::Answering;
use super::log_limiter::LogLimiter;
use super::pause::Pause;
use crate::answer::answer_line;
use crate::metrics::{self, Open, Outcome};

/// How much is read from a caller after the answer, in bytes. RFC 867 discards the input; the tutorial's client sends
/// nine bytes.
const DRAIN_LIMIT: u64 = 64 * 1024;

/// The limits of connections.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Connections at one time, for each port.
    pub(crate) connections: usize,
    /// How long one connection may take in all.
    pub(crate) deadline: Duration,
}

/// Accepts until the listening socket fails for good, and starts a task of `answering` for each connection. Returns the
/// error of the socket.
pub(super) async fn accept(
    listener: &TcpListener,
    local: SocketAddr,
    limits: Limits,
    answering: &Answering,
) -> io::Error {
    let places = Arc::new(Semaphore::new(limits.connections));
    let mut pause = Pause::default();
    let (mut failing, mut full) = (LogLimiter::default(), LogLimiter::default());
    loop {
        let (stream, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            // The caller has gone.
            Err(error) if gave_up(&error) => continue,
            // The socket does not listen any more, and never will.
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => return error,
            Err(error) => {
                if failing.admits() {
                    warn!(%local, %error, "cannot accept connections, retrying");
                }
                pause.wait().await;
                continue;
            }
        };
        // The link to ZooKeeper comes first: without it the server is not registered and gets no calls.
        if !fd_reserve().is_full() {
            drop(stream);
            if failing.admits() {
                warn!(%local, "cannot accept connections, retrying: file descriptors are low, the rest is for the link to ZooKeeper");
            }
            metrics::request("tcp", Outcome::TurnedAway);
            pause.wait().await;
            continue;
        }
        pause = Pause::default();
        let Ok(place) = places.clone().try_acquire_owned() else {
            if full.admits() {
                warn!(%local, limit = limits.connections, "too many connections: closing new ones unanswered");
            }
            metrics::request("tcp", Outcome::TurnedAway);
            continue;
        };
        // The task ends within the deadline.
        answering.spawn(async move {
            answer_within(limits.deadline, stream, peer).await;
            drop(place);
        });
    }
}

/// Answers the connections in the backlog: closing the listener would reset them.
pub(super) fn accept_backlog(listener: &TcpListener, limits: Limits, answering: &Answering) {
    while let Some(Ok((stream, peer))) = listener.accept().now_or_never() {
        answering.spawn(answer_within(limits.deadline, stream, peer));
    }
}

async fn answer_within(deadline: Duration, stream: TcpStream, peer: SocketAddr) {
    let outcome = match timeout(deadline, answer(stream)).await {
        Ok(Ok(())) => {
            debug!(%peer, "call answered");
            Outcome::Answered
        }
        Ok(Err(error)) => {
            debug!(%peer, %error, "connection failed");
            Outcome::Failed
        }
        Err(_) => {
            debug!(%peer, ?deadline, "connection timed out");
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

/// Sends the line, then waits for the caller to close. With unread input, closing first would make the kernel reset the
/// connection, and a reset discards what the caller has not read yet.
async fn answer(mut stream: TcpStream) -> io::Result<()> {
    let mut open = Open::answering();
    let local = stream.local_addr()?;
    // A listener on `::` shows IPv4 addresses as ::ffff:127.0.0.1; the caller has dialled 127.0.0.1.
    let line = answer_line((local.ip().to_canonical(), local.port()).into(), Timestamp::now());
    stream.write_all(line.as_bytes()).await?;
    stream.shutdown().await?;
    open.closing();
    let mut input = stream.take(DRAIN_LIMIT);
    let mut sink = [0; 1024];
    while input.read(&mut sink).await? > 0 {}
    Ok(())
}
