//! Listens and answers, over TCP and UDP.

mod log_limiter;
mod pause;
mod tcp;
mod udp;

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;
use tracing::error;

pub(crate) use tcp::Limits;
pub(crate) use udp::Socket as UdpSocket;

/// The tasks of all ports, and their owner. Accept and receive loops end at `stop` or with their socket; connection tasks
/// end by themselves. [`drain`](Self::drain) waits for both; `Drop` ends all of them at once.
#[derive(Debug)]
pub(crate) struct Serving {
    stop: CancellationToken,
    receiving: TaskTracker,
    answering: Answering,
    dead: watch::Sender<Option<SocketAddr>>,
    _abandoned: DropGuard,
}

impl Serving {
    pub(crate) fn new() -> Self {
        let answering = Answering::default();
        Self {
            stop: CancellationToken::new(),
            receiving: TaskTracker::new(),
            dead: watch::Sender::new(None),
            _abandoned: answering.abandoned.clone().drop_guard(),
            answering,
        }
    }

    /// Starts to accept on a listener.
    pub(crate) fn accept_on(&self, listener: TcpListener, local: SocketAddr, limits: Limits) {
        let (stop, answering) = (self.stop.clone(), self.answering.clone());
        self.receive(local, async move {
            tokio::select! {
                () = stop.cancelled() => {}
                error = tcp::accept(&listener, local, limits, &answering) => {
                    error!(%local, %error, "listening socket is dead");
                    return;
                }
            }
            tcp::accept_backlog(&listener, limits, &answering);
        });
    }

    /// Starts to answer on a UDP socket. `own_ports` are the ports that this process answers on.
    pub(crate) fn answer_on(&self, socket: UdpSocket, own_ports: Arc<[u16]>) {
        let stop = self.stop.clone();
        self.receive(socket.local(), async move {
            tokio::select! {
                () = stop.cancelled() => {}
                () = udp::answer_all(&socket, &own_ports) => {}
            }
            udp::answer_queued(&socket, &own_ports);
        });
    }

    /// Starts the task of a socket. If it ends before the stop, for whatever reason, the socket is dead.
    fn receive(&self, local: SocketAddr, task: impl Future<Output = ()> + Send + 'static) {
        let shown = ShownEnd { local, stop: self.stop.clone(), dead: self.dead.clone() };
        let abandoned = self.answering.abandoned.clone();
        self.receiving.spawn(async move {
            let _shown = shown;
            abandoned.run_until_cancelled_owned(task).await
        });
    }

    /// Waits until a socket is dead, and returns its address: nothing receives on it any more.
    ///
    /// # Cancel safety
    /// Safe: the next call returns the address, too.
    pub(crate) async fn dead_listener(&self) -> SocketAddr {
        let mut dead = self.dead.subscribe();
        let dead = dead.wait_for(Option::is_some).await.ok().and_then(|dead| *dead);
        dead.expect("the sender is in `self`, and the awaited value is there")
    }

    /// Closes the sockets, and waits up to `grace` for the open connections. Returns how many have not finished.
    pub(crate) async fn drain(&self, grace: Duration) -> usize {
        self.stop.cancel();
        self.receiving.close();
        self.receiving.wait().await;
        self.answering.tasks.close();
        let _ = timeout(grace, self.answering.tasks.wait()).await;
        self.answering.tasks.len()
    }
}

/// The tasks of the connections.
#[derive(Clone, Debug, Default)]
struct Answering {
    tasks: TaskTracker,
    abandoned: CancellationToken,
}

impl Answering {
    /// Starts the task of a connection. A panic in it shows on standard error, and closes the connection.
    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn(self.abandoned.clone().run_until_cancelled_owned(task));
    }
}

/// Reports a socket as dead when its task ends before the stop: by itself, or by a panic.
struct ShownEnd {
    local: SocketAddr,
    stop: CancellationToken,
    dead: watch::Sender<Option<SocketAddr>>,
}

impl Drop for ShownEnd {
    fn drop(&mut self) {
        if !self.stop.is_cancelled() {
            self.dead.send_replace(Some(self.local));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Shutdown, TcpStream};
    use std::os::fd::OwnedFd;

    use tokio::io::AsyncReadExt;

    use super::*;

    const SOON: Duration = Duration::from_secs(10);

    fn limits() -> Limits {
        Limits { connections: 2, deadline: 6 * SOON }
    }

    async fn listener() -> (TcpListener, SocketAddr) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let local = listener.local_addr().unwrap();
        (listener, local)
    }

    #[tokio::test]
    async fn a_task_of_a_socket_that_panics_is_reported_as_a_dead_listener() {
        let serving = Serving::new();
        let (listener, local) = listener().await;
        serving.receive(local, async move {
            let _listener = listener;
            panic!("a defect in the accept loop");
        });
        assert_eq!(timeout(SOON, serving.dead_listener()).await, Ok(local));
        timeout(SOON, serving.drain(SOON)).await.expect("there is nothing to wait for");
    }

    #[tokio::test]
    async fn a_connection_that_panics_ends_alone() {
        let serving = Serving::new();
        serving.answering.spawn(async { panic!("a defect in an answer") });
        assert_eq!(timeout(SOON, serving.drain(SOON)).await, Ok(0), "its end is noticed");
    }

    #[tokio::test]
    async fn dropping_the_owner_closes_the_port_and_the_open_connections() {
        let serving = Serving::new();
        let (listener, local) = listener().await;
        serving.accept_on(listener, local, limits());
        // It has its line, and would be kept open for the deadline.
        let mut caller = tokio::net::TcpStream::connect(local).await.unwrap();
        assert!(timeout(SOON, caller.read(&mut [0; 99])).await.unwrap().unwrap() > 0);
        let tasks = [serving.receiving.clone(), serving.answering.tasks.clone()];
        drop(serving);
        for tasks in tasks {
            tasks.close();
            timeout(SOON, tasks.wait()).await.expect("they end at once");
        }
        let refused = tokio::net::TcpStream::connect(local).await.unwrap_err();
        assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
    }

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
