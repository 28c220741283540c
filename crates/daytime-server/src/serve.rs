//! Listens and answers, over TCP and UDP.

mod pause;
mod quiet;
mod tcp;
mod udp;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub(crate) use tcp::Limits;
pub(crate) use udp::Socket as UdpSocket;

/// Tasks of all ports: the loops that take callers in end at `stop`, the connections when they are done.
#[derive(Clone, Debug, Default)]
pub(crate) struct Serving {
    stop: CancellationToken,
    taking: TaskTracker,
    answering: TaskTracker,
}

impl Serving {
    /// Starts to accept on a listener.
    pub(crate) fn accept_on(&self, listener: TcpListener, local: SocketAddr, limits: Limits) {
        let serving = self.clone();
        // Ends at `stop`.
        self.taking.spawn(async move {
            tokio::select! {
                () = serving.stop.cancelled() => {}
                () = tcp::accept(&listener, local, limits, &serving.answering) => {}
            }
            tcp::take_those_in_line(&listener, limits, &serving.answering);
        });
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
