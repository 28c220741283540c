//! An HTTP server that does what it is told.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use zk_roster::{RunningService, Service, Zk};

pub(crate) const ROOT: &str = "/services/web";

/// What a server does with a request.
#[derive(Clone)]
pub(crate) enum Deed {
    /// Answers with a status, further header lines, and a body.
    Answer(u16, &'static str, &'static str),
    /// Resets the connection once it has read the request.
    Reset,
    /// Answers with one half of a body, and when it is told with the other.
    Halves(Arc<Notify>),
}

impl Deed {
    pub(crate) const FINE: Self = Self::Answer(200, "", "fine");
}

/// A registered server; its connections end with the runtime of the test.
pub(crate) struct Server {
    pub(crate) address: String,
    service: Option<RunningService>,
    seen: Arc<Seen>,
}

#[derive(Default)]
struct Seen {
    /// The heads of the requests.
    requests: Mutex<Vec<String>>,
    connections: AtomicUsize,
    open: AtomicUsize,
}

impl Server {
    pub(crate) async fn start(zk: &Zk, deed: Deed) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let service = Service::new(zk, ROOT).serve_on(&listener).unwrap();
        service.registered().await.unwrap();
        Self { service: Some(service), ..Self::serve(listener, deed) }
    }

    /// A server that no client finds by itself.
    pub(crate) async fn unregistered(deed: Deed) -> Self {
        Self::at("127.0.0.1:0", deed).await
    }

    pub(crate) async fn at(address: &str, deed: Deed) -> Self {
        Self::serve(TcpListener::bind(address).await.unwrap(), deed)
    }

    fn serve(listener: TcpListener, deed: Deed) -> Self {
        let address = listener.local_addr().unwrap().to_string();
        let seen = Arc::<Seen>::default();
        let into = Arc::clone(&seen);
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let (seen, deed) = (Arc::clone(&into), deed.clone());
                seen.connections.fetch_add(1, Ordering::SeqCst);
                seen.open.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(async move {
                    // However the connection ends.
                    let _ = seen.serve(socket, deed).await;
                    seen.open.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        Self { address, service: None, seen }
    }

    /// A registered address at which nobody listens.
    pub(crate) async fn nobody(zk: &Zk) -> RunningService {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let service = Service::new(zk, ROOT).serve_on(&listener).unwrap();
        service.registered().await.unwrap();
        service
    }

    /// Deregisters it.
    pub(crate) async fn leave(&self) {
        self.service.as_ref().unwrap().leave().await.unwrap();
    }

    pub(crate) fn requests(&self) -> Vec<String> {
        self.seen.requests.lock().clone()
    }

    /// How many connections there have been.
    pub(crate) fn connections(&self) -> usize {
        self.seen.connections.load(Ordering::SeqCst)
    }

    /// How many connections there are.
    pub(crate) fn open(&self) -> usize {
        self.seen.open.load(Ordering::SeqCst)
    }
}

impl Seen {
    async fn serve(&self, mut socket: TcpStream, deed: Deed) -> std::io::Result<()> {
        let mut read = Vec::new();
        loop {
            let Some(head) = next_request(&mut socket, &mut read).await? else { return Ok(()) };
            self.requests.lock().push(head);
            match &deed {
                Deed::Reset => return socket.set_zero_linger(),
                Deed::Answer(status, lines, body) => {
                    let length = body.len();
                    let answer =
                        format!("HTTP/1.1 {status} x\r\n{lines}content-length: {length}\r\n\r\n{body}");
                    socket.write_all(answer.as_bytes()).await?;
                }
                Deed::Halves(go_on) => {
                    socket.write_all(b"HTTP/1.1 200 x\r\ncontent-length: 8\r\n\r\nhalf").await?;
                    go_on.notified().await;
                    socket.write_all(b"half").await?;
                }
            }
        }
    }
}

/// Reads a request with its body; returns its head in lower case. `None` at the end of the connection.
async fn next_request(socket: &mut TcpStream, read: &mut Vec<u8>) -> std::io::Result<Option<String>> {
    loop {
        let text = String::from_utf8_lossy(read).to_lowercase();
        if let Some((head, rest)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            let length: usize = length.map_or(0, |length| length.parse().unwrap());
            let is_whole = match head.contains("transfer-encoding: chunked") {
                true => rest.ends_with("0\r\n\r\n"),
                false => rest.len() >= length,
            };
            if is_whole {
                read.clear();
                return Ok(Some(head.to_owned()));
            }
        }
        if socket.read_buf(read).await? == 0 {
            return Ok(None);
        }
    }
}
