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

/// The tasks of all ports. Accept and receive loops end at `stop` or with their socket; connection tasks end by
/// themselves.
#[derive(Clone, Debug)]
pub(crate) struct Serving {
    stop: CancellationToken,
    receiving: TaskTracker,
    answering: TaskTracker,
    dead: watch::Sender<Option<SocketAddr>>,
}

impl Serving {
    pub(crate) fn new() -> Self {
        Self {
            stop: CancellationToken::new(),
            receiving: TaskTracker::new(),
            answering: TaskTracker::new(),
            dead: watch::Sender::new(None),
        }
    }

    /// Starts to accept on a listener.
    pub(crate) fn accept_on(&self, listener: TcpListener, local: SocketAddr, limits: Limits) {
        let serving = self.clone();
        // The task ends at `stop`, or with the listener.
        self.receiving.spawn(async move {
            tokio::select! {
                () = serving.stop.cancelled() => {}
                error = tcp::accept(&listener, local, limits, &serving.answering) => {
                    error!(%local, %error, "listening socket is dead");
                    serving.dead.send_replace(Some(local));
                    return;
                }
            }
            tcp::accept_backlog(&listener, limits, &serving.answering);
        });
    }

    /// Waits until a listening socket is dead, and returns its address: it can accept nothing any more.
    ///
    /// # Cancel safety
    /// Safe: the next call returns the address, too.
    pub(crate) async fn dead_listener(&self) -> SocketAddr {
        let mut dead = self.dead.subscribe();
        let dead = dead.wait_for(Option::is_some).await.ok().and_then(|dead| *dead);
        dead.expect("the sender is in `self`, and the awaited value is there")
    }

    /// Starts to answer on a UDP socket. `own_ports` are the ports that this process answers on.
    pub(crate) fn answer_on(&self, socket: UdpSocket, own_ports: Arc<[u16]>) {
        let stop = self.stop.clone();
        // The task ends at `stop`.
        self.receiving.spawn(async move {
            tokio::select! {
                () = stop.cancelled() => {}
                () = udp::answer_all(&socket, &own_ports) => {}
            }
            udp::answer_queued(&socket, &own_ports);
        });
    }

    /// Closes the sockets, and waits up to `grace` for the open connections. Returns how many have not finished.
    pub(crate) async fn drain(&self, grace: Duration) -> usize {
        self.stop.cancel();
        self.receiving.close();
        self.receiving.wait().await;
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
    async fn a_dead_listener_is_reported_and_not_retried() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let local = listener.local_addr().unwrap();
        // A second handle of the same socket: after a shutdown the socket does not listen any more.
        let killer = TcpStream::from(OwnedFd::from(listener.try_clone().unwrap()));
        listener.set_nonblocking(true).unwrap();
        let serving = Serving::new();
        let limits = Limits { connections: 1, deadline: Duration::from_secs(1) };
        serving.accept_on(TcpListener::from_std(listener).unwrap(), local, limits);
        assert!(timeout(Duration::from_millis(50), serving.dead_listener()).await.is_err());
        killer.shutdown(Shutdown::Both).unwrap();
        assert_eq!(timeout(Duration::from_secs(1), serving.dead_listener()).await, Ok(local));
        serving.receiving.close();
        timeout(Duration::from_secs(1), serving.receiving.wait()).await.unwrap();
    }
}
