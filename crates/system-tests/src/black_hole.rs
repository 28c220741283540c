//! A way to one server that can be shut, so that what is sent is lost and nobody is told.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::Instant;

/// Forwards TCP connections to a server, and counts them. `Drop` ends it.
#[derive(Debug)]
pub struct BlackHole {
    open: watch::Sender<bool>,
    arrivals: Arc<Mutex<Vec<Instant>>>,
    accepting: JoinHandle<()>,
}

impl BlackHole {
    /// Listens at an address, and forwards to another.
    pub async fn start(listen: SocketAddr, server: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(listen).await?;
        let (open, is_open) = watch::channel(true);
        let arrivals: Arc<Mutex<Vec<Instant>>> = Arc::default();
        let into = arrivals.clone();
        let accepting = tokio::spawn(async move {
            // Ended with this task.
            let mut connections = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                into.lock().push(Instant::now());
                connections.spawn(forward(client, server, is_open.clone()));
            }
        });
        Ok(Self { open, arrivals, accepting })
    }

    /// From now on connections are accepted, and nothing comes back; open ones fall silent, too.
    pub fn shut(&self) {
        self.open.send_replace(false);
    }

    /// Forwards new connections again. What was lost stays lost.
    pub fn open(&self) {
        self.open.send_replace(true);
    }

    /// When each connection came.
    pub fn arrivals(&self) -> Vec<Instant> {
        self.arrivals.lock().clone()
    }
}

impl Drop for BlackHole {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn forward(mut client: TcpStream, server: SocketAddr, mut open: watch::Receiver<bool>) {
    let passing = async {
        // An error is the end of the connection, which both sides see.
        if let Ok(mut server) = TcpStream::connect(server).await {
            let _ = copy_bidirectional(&mut client, &mut server).await;
        }
    };
    let shut = async {
        let _ = open.wait_for(|open| !open).await;
    };
    tokio::select! {
        biased;
        // The connection to the server is dropped, that to the client is kept.
        () = shut => std::future::pending().await,
        () = passing => {}
    }
}
