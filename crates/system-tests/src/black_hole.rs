//! A TCP forwarder that turns into a black hole: it accepts connections, and neither forwards nor answers.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::Instant;

/// Forwards TCP connections to a server, or swallows them, and counts both. `Drop` ends it.
#[derive(Debug)]
pub struct BlackHole {
    passes: watch::Sender<bool>,
    arrivals: Arc<Mutex<Vec<Instant>>>,
    accepting: JoinHandle<()>,
}

impl BlackHole {
    /// Listens at an address, and forwards to another.
    pub async fn start(listen: SocketAddr, server: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(listen).await?;
        let (passes, is_passing) = watch::channel(true);
        let arrivals: Arc<Mutex<Vec<Instant>>> = Arc::default();
        let into = arrivals.clone();
        let accepting = tokio::spawn(async move {
            // Ended with this task.
            let mut connections = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                into.lock().push(Instant::now());
                connections.spawn(forward(client, server, is_passing.clone()));
            }
        });
        Ok(Self { passes, arrivals, accepting })
    }

    /// Accepts connections from now on, and forwards nothing; open connections fall silent, too.
    pub fn swallow(&self) {
        self.passes.send_replace(false);
    }

    /// Forwards new connections again. Swallowed ones stay silent.
    pub fn pass(&self) {
        self.passes.send_replace(true);
    }

    /// The moment of each connection, swallowed ones included.
    pub fn arrivals(&self) -> Vec<Instant> {
        self.arrivals.lock().clone()
    }
}

impl Drop for BlackHole {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn forward(mut client: TcpStream, server: SocketAddr, mut passes: watch::Receiver<bool>) {
    let forwarding = async {
        // An error is the end of the connection, which both sides see.
        if let Ok(mut server) = TcpStream::connect(server).await {
            let _ = copy_bidirectional(&mut client, &mut server).await;
        }
    };
    let swallowed = async {
        let _ = passes.wait_for(|passes| !passes).await;
    };
    tokio::select! {
        biased;
        // The connection to the server is dropped, that to the client is kept.
        () = swallowed => std::future::pending().await,
        () = forwarding => {}
    }
}
