//! A server that speaks HTTP/2 by hand, for what tonic's own does not do when it is told to.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use h2::Reason;
use h2::server::SendResponse;
use http::{HeaderMap, Response};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;
use zk_testing::SOON;

/// What it does with each request.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Manner {
    /// REFUSED_STREAM.
    Refuses,
    /// A GOAWAY that says that no stream was processed, and the end of the connection.
    GoesAway,
    /// REFUSED_STREAM, though its first message has come.
    ResetsAfterMessage,
    /// RESOURCE_EXHAUSTED, before it has read a message.
    IsFull,
    /// Passes it to the test.
    Passes,
    /// Sends a message for each chunk that comes; the first brings the head of the response, too.
    Echoes,
}

/// `Drop` ends it with its connections.
pub(crate) struct ByHand {
    pub(crate) address: SocketAddr,
    requests: Arc<AtomicUsize>,
    passed: mpsc::UnboundedReceiver<SendResponse<Bytes>>,
    closed: Arc<AtomicUsize>,
    _tasks: JoinSet<()>,
}

impl ByHand {
    pub(crate) async fn start(manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (requests, closed) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
        let (pass, passed) = mpsc::unbounded_channel();
        let mut tasks = JoinSet::new();
        let (counter, ended) = (Arc::clone(&requests), Arc::clone(&closed));
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (socket, _) = listener.accept().await.unwrap();
                let (counter, pass, ended) = (Arc::clone(&counter), pass.clone(), Arc::clone(&ended));
                connections.spawn(async move {
                    // A broken connection is the end of it, too.
                    let _ = serve(socket, manner, &counter, &pass).await;
                    ended.fetch_add(1, Ordering::SeqCst);
                });
            }
        });
        Self { address, requests, passed, closed, _tasks: tasks }
    }

    /// The next request that it passes.
    pub(crate) async fn passed(&mut self) -> SendResponse<Bytes> {
        timeout(SOON, self.passed.recv()).await.expect("a request in time").unwrap()
    }

    pub(crate) fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }

    /// How many connections the client has closed.
    pub(crate) fn closed(&self) -> usize {
        self.closed.load(Ordering::SeqCst)
    }
}

async fn serve(
    socket: TcpStream,
    manner: Manner,
    requests: &AtomicUsize,
    pass: &mpsc::UnboundedSender<SendResponse<Bytes>>,
) -> Result<(), Box<dyn std::error::Error>> {
    if let Manner::GoesAway = manner {
        return Ok(go_away(socket, requests).await?);
    }
    let mut connection = h2::server::handshake(socket).await?;
    let mut streams = JoinSet::new();
    while let Some(request) = connection.accept().await {
        let (request, mut respond) = request?;
        requests.fetch_add(1, Ordering::SeqCst);
        match manner {
            Manner::Refuses | Manner::GoesAway => respond.send_reset(Reason::REFUSED_STREAM),
            Manner::ResetsAfterMessage => {
                streams.spawn(async move {
                    request.into_body().data().await;
                    respond.send_reset(Reason::REFUSED_STREAM);
                });
            }
            Manner::IsFull => {
                let full =
                    Response::builder().header("content-type", "application/grpc").header("grpc-status", "8");
                respond.send_response(full.body(()).unwrap(), true)?;
            }
            Manner::Passes => pass.send(respond).unwrap(),
            Manner::Echoes => {
                streams.spawn(async move {
                    let mut chunks = request.into_body();
                    let mut body = None;
                    while let Some(Ok(_)) = chunks.data().await {
                        let body = body.get_or_insert_with(|| respond.send_response(head(), false).unwrap());
                        body.send_data(Bytes::from_static(MESSAGE), false).unwrap();
                    }
                });
            }
        }
    }
    Ok(())
}

/// Waits for a request, and says that it went away before it.
async fn go_away(mut socket: TcpStream, requests: &AtomicUsize) -> std::io::Result<()> {
    const HEADERS: u8 = 1;
    socket.read_exact(&mut [0; 24]).await?;
    // Length, kind, flags, stream: empty SETTINGS.
    socket.write_all(&[0, 0, 0, 4, 0, 0, 0, 0, 0]).await?;
    loop {
        let mut head = [0; 9];
        socket.read_exact(&mut head).await?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        socket.read_exact(&mut vec![0; length as usize]).await?;
        if head[3] == HEADERS {
            requests.fetch_add(1, Ordering::SeqCst);
            // GOAWAY: the last stream is 0, the error none.
            socket.write_all(&[0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]).await?;
            tokio::io::copy(&mut socket, &mut tokio::io::sink()).await?;
            return Ok(());
        }
    }
}

/// Not compressed, two bytes: field 1 is 1.
const MESSAGE: &[u8] = &[0, 0, 0, 0, 2, 8, 1];

fn head() -> Response<()> {
    Response::builder().header("content-type", "application/grpc").body(()).unwrap()
}

/// Answers a passed request: a message, and `OK`.
pub(crate) fn answer(mut respond: SendResponse<Bytes>) {
    let mut body = respond.send_response(head(), false).unwrap();
    body.send_data(Bytes::from_static(MESSAGE), false).unwrap();
    body.send_trailers(HeaderMap::from_iter([("grpc-status".parse().unwrap(), "0".parse().unwrap())]))
        .unwrap();
}
