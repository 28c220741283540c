//! Listens and answers, over TCP and UDP.

mod log_limiter;
mod pause;
mod tcp;
mod udp;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::error;

pub(crate) use tcp::Limits;
pub(crate) use udp::Socket as UdpSocket;

/// Tasks of all ports: the loops that take callers in end at `stop` or with their
/// socket, the connections when they are done.
#[derive(Clone, Debug)]
pub(crate) struct Serving {
    stop: CancellationToken,
    taking: TaskTracker,
    answering: TaskTracker,
    dead: watch::Sender<Option<SocketAddr>>,
}

impl Serving {
    pub(crate) fn new() -> Self {
        Self {
            stop: CancellationToken::new(),
            taking: TaskTracker::new(),
            answering: TaskTracker::new(),
            dead: watch::Sender::new(None),
        }
    }

    /// Starts to accept on a listener.
    pub(crate) fn accept_on(&self, listener: TcpListener, local: SocketAddr, limits: Limits) {
        let serving = self.clone();
        // Ends at `stop`, or with the listener.
        self.taking.spawn(async move {
            tokio::select! {
                () = serving.stop.cancelled() => {}
                error = tcp::accept(&listener, local, limits, &serving.answering) => {
                    error!(%local, %error, "the listening socket is dead");
                    serving.dead.send_replace(Some(local));
                    return;
                }
            }
            tcp::take_those_in_line(&listener, limits, &serving.answering);
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

    /// Starts to answer on a UDP socket. `own_ports` are the ports that this process answers on.
    pub(crate) fn answer_on(&self, socket: UdpSocket, own_ports: Arc<[u16]>) {
        let stop = self.stop.clone();
        // Ends at `stop`.
        self.taking.spawn(async move {
            tokio::select! {
                () = stop.cancelled() => {}
                () = udp::answer_all(&socket, &own_ports) => {}
            }
            udp::answer_those_in_line(&socket, &own_ports);
        });
    }

    /// Closes the sockets, and gives the open connections some time to finish. Returns how many did not.
    pub(crate) async fn drain(&self, grace: Duration) -> usize {
        self.stop.cancel();
        self.taking.close();
        self.taking.wait().await;
        self.answering.close();
        let _ = timeout(grace, self.answering.wait()).await;
        self.answering.len()
    }
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
        serving.taking.close();
        timeout(Duration::from_secs(1), serving.taking.wait()).await.unwrap();
    }
}
