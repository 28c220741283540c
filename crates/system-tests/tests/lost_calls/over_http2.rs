//! A connection of HTTP/2, as a service.

use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::Request;
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use tower::{BoxError, Service};
use zk_roster::Callee;

/// A request without a body.
pub(crate) type Get = Request<Empty<Bytes>>;

/// Requests `/`; the service replaces nothing of it.
pub(crate) fn get() -> Get {
    Request::get("http://greeter/").body(Empty::new()).unwrap()
}

/// Connects to an instance.
pub(crate) async fn connect(callee: Callee) -> Result<Connection, BoxError> {
    let stream = TcpStream::connect(callee.endpoint().to_string()).await?;
    let (sender, connection) = handshake(TokioExecutor::new(), TokioIo::new(stream)).await?;
    // Ends with the last sender, or the peer.
    tokio::spawn(connection);
    Ok(Connection(sender))
}

/// A connection. Clones are one.
#[derive(Clone)]
pub(crate) struct Connection(SendRequest<Empty<Bytes>>);

impl Service<Get> for Connection {
    type Response = ();
    type Error = hyper::Error;
    type Future = BoxFuture<'static, Result<(), hyper::Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), hyper::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: Get) -> Self::Future {
        let sent = self.0.send_request(request);
        Box::pin(async move {
            let answer = sent.await?;
            assert!(answer.status().is_success(), "{}", answer.status());
            answer.into_body().collect().await.map(drop)
        })
    }
}
