//! What the errors of HTTP clients say, with real sockets: servers that refuse, hang, reset, and stop in the midst of an answer.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::fmt::Debug;
use std::future::{pending, ready};
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use balance::{Classify, Failure};
use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::Request;
use hyper::body::Incoming;
use hyper_util::client::legacy::{self, connect::HttpConnector};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

/// Longer than anything here takes on a busy machine.
const LONG: Duration = Duration::from_secs(20);

/// What a server does with a connection.
#[derive(Clone, Copy, Debug)]
enum Server {
    /// Closes it by a reset, before it has read anything.
    ResetsUnread,
    /// Reads the request, and resets.
    ResetsRead,
    /// Reads the request, writes this, and closes.
    Answers(&'static str),
    /// Reads the request, and does nothing.
    Hangs,
    /// Reads the request as HTTP/2, and answers with this frame.
    Frame(&'static [u8]),
}

impl Server {
    /// Runs until the runtime of the test ends.
    async fn start(self) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                tokio::spawn(self.serve(socket));
            }
        });
        address
    }

    async fn serve(self, mut socket: TcpStream) -> io::Result<()> {
        match self {
            Self::ResetsUnread => socket.set_zero_linger(),
            Self::ResetsRead => {
                read_to(&mut socket, b"\r\n\r\n").await?;
                socket.set_zero_linger()
            }
            Self::Answers(answer) => {
                read_to(&mut socket, b"\r\n\r\n").await?;
                socket.write_all(answer.as_bytes()).await
            }
            Self::Hangs => {
                read_to(&mut socket, b"\r\n\r\n").await?;
                pending().await
            }
            Self::Frame(frame) => {
                socket.write_all(b"\0\0\0\x04\0\0\0\0\0").await?;
                let mut preface = [0; 24];
                socket.read_exact(&mut preface).await?;
                loop {
                    let mut head = [0; 9];
                    socket.read_exact(&mut head).await?;
                    let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
                    socket.read_exact(&mut vec![0; length as usize]).await?;
                    if head[3] == 1 {
                        socket.write_all(frame).await?;
                    }
                }
            }
        }
    }
}

async fn read_to(socket: &mut TcpStream, end: &[u8]) -> io::Result<()> {
    let mut read = Vec::new();
    while !read.ends_with(end) {
        if socket.read_buf(&mut read).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(())
}

/// What an error says: the failure, whether it may be retried, whether it certainly had no effect.
fn said<E: Classify>(error: &E) -> (Option<Failure>, bool, bool) {
    (error.failure(), error.may_retry(), error.had_no_effect())
}

async fn by_reqwest(address: SocketAddr) -> Result<Bytes, reqwest::Error> {
    let client = reqwest::Client::builder().no_proxy().build()?;
    client.get(format!("http://{address}/")).timeout(LONG).send().await?.error_for_status()?.bytes().await
}

type Legacy = legacy::Client<HttpConnector, Empty<Bytes>>;

fn client() -> Legacy {
    legacy::Client::builder(TokioExecutor::new()).build_http()
}

async fn by_legacy(client: &Legacy, address: SocketAddr) -> Result<hyper::Response<Incoming>, legacy::Error> {
    client.get(format!("http://{address}/").parse().unwrap()).await
}

fn request() -> Request<Empty<Bytes>> {
    Request::get("/").header("host", "here").body(Empty::new()).unwrap()
}

async fn by_hyper<T>(io: T) -> Result<Bytes, hyper::Error>
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(io)).await?;
    tokio::spawn(connection);
    Ok(sender.send_request(request()).await?.into_body().collect().await?.to_bytes())
}

async fn in_time<T: Debug, E>(attempt: impl Future<Output = Result<T, E>>) -> E {
    match tokio::time::timeout(LONG, attempt).await.unwrap() {
        Ok(answer) => panic!("answered: {answer:?}"),
        Err(error) => error,
    }
}

#[tokio::test]
async fn what_is_refused_was_not_sent() {
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let refused = (Some(Failure::Refused), true, true);
    assert_eq!(said(&in_time(by_reqwest(nobody)).await), refused);
    assert_eq!(said(&in_time(by_legacy(&client(), nobody)).await), refused);
}

#[tokio::test]
async fn whoever_does_not_accept_in_the_time_for_connecting_got_nothing() {
    // Its queue of connections is full.
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let connect = || tokio::time::timeout(Duration::from_millis(200), TcpStream::connect(address));
    let mut queued = Vec::new();
    while let Ok(connection) = connect().await {
        queued.push(connection.unwrap());
    }

    let patience = Duration::from_millis(50);
    let client = reqwest::Client::builder().no_proxy().connect_timeout(patience).build().unwrap();
    let error = in_time(client.get(format!("http://{address}/")).send()).await;
    assert_eq!(said(&error), (Some(Failure::Unreachable), true, true), "{error:?}");

    let mut connector = HttpConnector::new();
    connector.set_connect_timeout(Some(patience));
    let client: Legacy = legacy::Client::builder(TokioExecutor::new()).build(connector);
    let error = in_time(by_legacy(&client, address)).await;
    assert_eq!(said(&error), (Some(Failure::Unreachable), true, true), "{error:?}");
}

#[tokio::test]
async fn a_name_that_nobody_knows_got_nothing() {
    struct KnowsNobody;

    impl reqwest::dns::Resolve for KnowsNobody {
        fn resolve(&self, _: reqwest::dns::Name) -> reqwest::dns::Resolving {
            Box::pin(async { Err(io::Error::other("no such name").into()) })
        }
    }

    let client = reqwest::Client::builder().no_proxy().dns_resolver(KnowsNobody).build().unwrap();
    let error = in_time(client.get("http://nowhere.example/").send()).await;
    assert_eq!(said(&error), (Some(Failure::Unreachable), true, true), "{error:?}");
}

#[tokio::test]
async fn a_shortage_on_this_side_is_nobodys_failure_and_sends_nothing() {
    const EMFILE: i32 = 24;
    let connector = tower::service_fn(|_: hyper::Uri| {
        ready(Err::<TokioIo<TcpStream>, _>(io::Error::from_raw_os_error(EMFILE)))
    });
    let client: legacy::Client<_, Empty<Bytes>> =
        legacy::Client::builder(TokioExecutor::new()).build(connector);
    let error = in_time(client.get("http://10.0.0.1/".parse().unwrap())).await;
    assert_eq!(said(&error), (None, true, true), "{error:?}");
}

#[tokio::test]
async fn a_reset_may_have_had_an_effect_once_the_request_was_read() {
    let address = Server::ResetsRead.start().await;
    let reset = (Some(Failure::Reset), true, false);
    assert_eq!(said(&in_time(by_reqwest(address)).await), reset);
    assert_eq!(said(&in_time(by_legacy(&client(), address)).await), reset);
    let socket = TcpStream::connect(address).await.unwrap();
    assert_eq!(said(&in_time(by_hyper(socket)).await), reset);

    // Whether that came before the request was written is a matter of chance.
    let address = Server::ResetsUnread.start().await;
    for _ in 0..20 {
        let errors = (in_time(by_reqwest(address)).await, in_time(by_legacy(&client(), address)).await);
        for (failure, may_retry, _) in [said(&errors.0), said(&errors.1)] {
            assert_eq!((failure, may_retry), (Some(Failure::Reset), true), "{errors:?}");
        }
    }
}

#[tokio::test]
async fn a_request_that_still_waits_for_a_connection_that_closes_was_not_sent() {
    let (here, there) = tokio::io::duplex(1024);
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(here)).await.unwrap();
    let waits = sender.send_request(request());
    // Nobody has written it when the connection is given up.
    drop((connection, there));
    let error = in_time(waits).await;
    assert_eq!(said(&error), (Some(Failure::Reset), true, true), "{error:?}");

    let error = in_time(sender.ready()).await;
    assert_eq!(said(&error), (Some(Failure::Reset), true, true), "{error:?}");
}

#[tokio::test]
async fn an_answer_that_ends_early_or_makes_no_sense_is_incomplete() {
    let answers = [
        "",
        "HTTP/1.1 200 OK\r\nContent-Le",
        "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf",
        "SSH-2.0-x\r\n\r\n",
    ];
    for answer in answers {
        let address = Server::Answers(answer).start().await;
        let incomplete = (Some(Failure::Incomplete), true, false);
        let error = in_time(by_reqwest(address)).await;
        assert_eq!(said(&error), incomplete, "{answer}: {error:?}");
        let error = in_time(by_hyper(TcpStream::connect(address).await.unwrap())).await;
        assert_eq!(said(&error), incomplete, "{answer}: {error:?}");
        if let Err(error) = by_legacy(&client(), address).await {
            assert_eq!(said(&error), incomplete, "{answer}: {error:?}");
        }
    }
}

#[tokio::test]
async fn whoever_does_not_answer_in_time_may_have_done_it() {
    let address = Server::Hangs.start().await;
    let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_millis(100)).build().unwrap();
    let error = in_time(client.get(format!("http://{address}/")).send()).await;
    assert_eq!(said(&error), (Some(Failure::Timeout), true, false), "{error:?}");
}

/// A connection that takes what is written, and then breaks by an error.
struct Breaks {
    by: io::ErrorKind,
    reader: Option<Waker>,
    is_written: bool,
}

impl Breaks {
    async fn answer(by: io::ErrorKind) -> hyper::Error {
        in_time(by_hyper(Self { by, reader: None, is_written: false })).await
    }
}

impl AsyncRead for Breaks {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        _: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.is_written {
            return Poll::Ready(Err(self.by.into()));
        }
        self.reader = Some(cx.waker().clone());
        Poll::Pending
    }
}

impl AsyncWrite for Breaks {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.is_written = true;
        self.reader.take().into_iter().for_each(Waker::wake);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[tokio::test]
async fn a_host_that_becomes_unreachable_in_the_midst_of_a_call_may_have_done_it() {
    use io::ErrorKind as E;

    for kind in [E::HostUnreachable, E::NetworkUnreachable, E::ConnectionRefused] {
        let error = Breaks::answer(kind).await;
        assert_eq!(said(&error), (Some(Failure::Reset), true, false), "{error:?}");
    }
    let error = Breaks::answer(E::TimedOut).await;
    assert_eq!(said(&error), (Some(Failure::Timeout), true, false), "{error:?}");
}

#[tokio::test]
async fn a_status_is_a_failure_where_it_says_that_the_endpoint_cannot_serve() {
    let cases = [
        ("400", None, false, false),
        ("404", None, false, false),
        ("429", Some(Failure::Overloaded), true, true),
        ("500", None, false, false),
        ("501", None, false, false),
        ("502", Some(Failure::Unavailable), true, false),
        ("503", Some(Failure::Unavailable), true, false),
        ("504", Some(Failure::Unavailable), true, false),
    ];
    for (status, failure, may_retry, had_no_effect) in cases {
        let answer = format!("HTTP/1.1 {status} Status\r\nContent-Length: 0\r\n\r\n");
        let address = Server::Answers(answer.leak()).start().await;
        let error = in_time(by_reqwest(address)).await;
        assert_eq!(said(&error), (failure, may_retry, had_no_effect), "{error:?}");
    }
}

#[tokio::test]
async fn what_the_caller_did_wrong_is_no_failure_and_not_retried() {
    let own = (None, false, false);
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let error = in_time(client.get("gopher://example/").send()).await;
    assert_eq!(said(&error), own, "{error:?}");

    let again = "HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n";
    let error = in_time(by_reqwest(Server::Answers(again).start().await)).await;
    assert_eq!(said(&error), own, "{error:?}");

    let policy =
        reqwest::redirect::Policy::custom(|attempt| attempt.error(io::Error::from(io::ErrorKind::TimedOut)));
    let client = reqwest::Client::builder().no_proxy().redirect(policy).build().unwrap();
    let address = Server::Answers(again).start().await;
    let error = in_time(client.get(format!("http://{address}/")).send()).await;
    assert_eq!(said(&error), own, "{error:?}");

    let client: Legacy = legacy::Client::builder(TokioExecutor::new()).build_http();
    let error = in_time(client.get("/without-a-host".parse().unwrap())).await;
    assert_eq!(said(&error), own, "{error:?}");
}

#[tokio::test]
async fn http2_says_that_a_request_was_not_processed() {
    const REFUSED_STREAM: &[u8] = b"\0\0\x04\x03\0\0\0\0\x01\0\0\0\x07";
    const INTERNAL_ERROR: &[u8] = b"\0\0\x04\x03\0\0\0\0\x01\0\0\0\x02";
    const GOAWAY: &[u8] = b"\0\0\x08\x07\0\0\0\0\0\0\0\0\0\0\0\0\0";
    const GOAWAY_PROTOCOL_ERROR: &[u8] = b"\0\0\x08\x07\0\0\0\0\0\0\0\0\0\0\0\0\x01";

    let cases = [
        (REFUSED_STREAM, (Some(Failure::Overloaded), true, true)),
        (INTERNAL_ERROR, (Some(Failure::Reset), true, false)),
        (GOAWAY, (Some(Failure::Unavailable), true, true)),
        (GOAWAY_PROTOCOL_ERROR, (Some(Failure::Reset), true, false)),
    ];
    for (frame, expected) in cases {
        let address = Server::Frame(frame).start().await;
        let client: Legacy = legacy::Client::builder(TokioExecutor::new()).http2_only(true).build_http();
        let error = in_time(by_legacy(&client, address)).await;
        assert_eq!(said(&error), expected, "{error:?}");
    }
}
