//! Listens, accepts, answers.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use jiff::Timestamp;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, error, warn};

use crate::reply::reply;
use crate::spare::Spare;

/// The most that is read from a caller after the answer, in bytes. RFC 867 has us throw it away, and the
/// tutorial's client sends nine bytes.
const DRAIN_LIMIT: u64 = 64 * 1024;

const PAUSE_FIRST: Duration = Duration::from_millis(20);
/// Accepting goes on this long after the trouble is over, at the latest.
const PAUSE_CAP: Duration = Duration::from_millis(500);

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

/// Tasks of all ports: the accept loops end at `stop` or with their listener, the connections when they are
/// done.
#[derive(Clone, Debug)]
pub(crate) struct Serving {
    stop: CancellationToken,
    accepting: TaskTracker,
    answering: TaskTracker,
    spare: Arc<Spare>,
    dead: watch::Sender<Option<SocketAddr>>,
}

impl Serving {
    pub(crate) fn new() -> Self {
        Self {
            stop: CancellationToken::new(),
            accepting: TaskTracker::new(),
            answering: TaskTracker::new(),
            spare: Arc::new(Spare::keep()),
            dead: watch::Sender::new(None),
        }
    }

    /// Starts to accept on a listener.
    pub(crate) fn accept_on(&self, listener: TcpListener, local: SocketAddr, limits: Limits) {
        let serving = self.clone();
        // Ends at `stop`, or with the listener.
        self.accepting.spawn(async move {
            tokio::select! {
                () = serving.stop.cancelled() => {}
                error = accept(&listener, local, limits, &serving) => {
                    error!(%local, %error, "the listening socket is dead");
                    serving.dead.send_replace(Some(local));
                    return;
                }
            }
            // Who was accepted by the kernel already would be reset when the listener is closed.
            while let Some(Ok((stream, _))) = listener.accept().now_or_never() {
                serving.answering.spawn(timeout(limits.deadline, answer(stream)));
            }
        });
    }

    /// Waits until a listener is dead: nothing can be accepted on it any more. Says which one.
    ///
    /// # Cancel safety
    /// Safe: the next call tells it, too.
    pub(crate) async fn dead_listener(&self) -> SocketAddr {
        let mut dead = self.dead.subscribe();
        let dead = dead.wait_for(Option::is_some).await.ok().and_then(|dead| *dead);
        dead.expect("the sender is in `self`, and what was waited for is there")
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

/// Accepts until the listener is dead, and returns what the system says about that.
async fn accept(listener: &TcpListener, local: SocketAddr, limits: Limits, serving: &Serving) -> io::Error {
    let places = Arc::new(Semaphore::new(limits.connections));
    let mut pause = PAUSE_FIRST;
    let (mut failing, mut full) = (Quiet::default(), Quiet::default());
    loop {
        if !serving.spare.take_back() {
            if failing.may_speak() {
                warn!(%local, "cannot accept: file descriptors are short; trying on");
            }
            sleep(pause).await;
            pause = (pause * 2).min(PAUSE_CAP);
            continue;
        }
        let (stream, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            // The caller's affair, and over already.
            Err(error) if gave_up(&error) => continue,
            // It is no listening socket any more, and will not become one again.
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => return error,
            Err(error) => {
                // Out of file descriptors, most likely: at once again would only burn the processor.
                serving.spare.lend();
                if failing.may_speak() {
                    warn!(%local, %error, "cannot accept; trying on");
                }
                sleep(pause).await;
                pause = (pause * 2).min(PAUSE_CAP);
                continue;
            }
        };
        // Another port has run out meanwhile: this caller sits on a descriptor that is lent to somebody else.
        if serving.spare.are_lent() {
            continue;
        }
        pause = PAUSE_FIRST;
        let Ok(place) = places.clone().try_acquire_owned() else {
            if full.may_speak() {
                warn!(%local, limit = limits.connections, "too many connections; some are closed unanswered");
            }
            continue;
        };
        // Ends by itself within the deadline.
        serving.answering.spawn(async move {
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

#[cfg(test)]
mod tests {
    use std::net::{Shutdown, TcpStream};
    use std::os::fd::OwnedFd;

    use super::*;

    #[tokio::test]
    async fn a_dead_listener_is_told_and_not_tried_again() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let local = listener.local_addr().unwrap();
        // The same socket once more: shut down, it does not listen any more.
        let killer = TcpStream::from(OwnedFd::from(listener.try_clone().unwrap()));
        listener.set_nonblocking(true).unwrap();
        let serving = Serving::new();
        let limits = Limits { connections: 1, deadline: Duration::from_secs(1) };
        serving.accept_on(TcpListener::from_std(listener).unwrap(), local, limits);
        assert!(timeout(Duration::from_millis(50), serving.dead_listener()).await.is_err());
        killer.shutdown(Shutdown::Both).unwrap();
        assert_eq!(timeout(Duration::from_secs(1), serving.dead_listener()).await, Ok(local));
        serving.accepting.close();
        timeout(Duration::from_secs(1), serving.accepting.wait()).await.unwrap();
    }
}
