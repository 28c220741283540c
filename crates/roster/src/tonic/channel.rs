//! The client as a channel of tonic.

use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};

use balance::CallError;
use futures_util::future::BoxFuture;
use http::{Request, Response};
use instance::Endpoint;
use tokio::time::{Instant, timeout_at};
use tonic::Status;
use tonic::body::Body;
use tonic::transport::{self, Channel};
use tower::Service;

use super::attempt::{Answer, Call};
use super::connector::Connector;
use super::error::{Ended, GrpcError, ended, unavailable};
use super::recorded::Recorded;
use super::timeout;
use crate::client::{Callee, Client};
use crate::tower::{AttemptError, Connections};

/// A channel for generated clients, `HealthClient::new(channel)`, that calls the instances of a followed service. A clone is
/// cheap; clones share the connections, one HTTP/2 connection for each instance that was called.
///
/// # What is repeated
/// A *unary* call, or any whose request messages are there at once and are no longer than [`max_buffered`](Self::max_buffered):
///
/// | what happened | repeated |
/// | --- | --- |
/// | no connection: refused, unreachable, not in time | always |
/// | HTTP/2 says that it was not processed (GOAWAY without an error, REFUSED_STREAM), or it was never written | always |
/// | `RESOURCE_EXHAUSTED` | always |
/// | `UNAVAILABLE`, `DEADLINE_EXCEEDED`; the connection broke; no answer in the attempt's time | only by [`idempotent`](Self::idempotent) channels: it may have had an effect |
/// | any other status | never: it is the answer |
///
/// A *stream* of request messages, and a longer request, is repeated only before anybody has seen it: in the first two cases,
/// and only as long as none of its later messages was taken from it. The response's messages are never asked for again.
///
/// A status counts if it comes with the headers, or in trailers that come along with them and without a message between, as servers
/// send errors. What comes later belongs to the caller: the call was answered.
///
/// # Deadlines
/// `grpc-timeout` (`Request::set_timeout`) bounds the call with all its attempts until the response's headers, and every attempt tells
/// the server what is left of it. The client's [`CallConfig`](crate::CallConfig) bounds attempt and call, too: by default 1 s
/// and 5 s. The response to a stream of request messages may take longer, until `grpc-timeout` or without a bound: after the time of an
/// attempt the stream goes on without the balancer, which learns nothing of its end. So where all calls are such streams, an ejected
/// instance comes back by a [probe](crate::Balancer::probe) only. The response to a single message may be a stream
/// of any length, too, but its headers have to come within the attempt's time. Some servers send them with the first message: give
/// methods that have none at first a channel whose client has longer attempts.
///
/// # Errors
/// What the last attempt was answered, unchanged. If it was not, `UNAVAILABLE`, or `DEADLINE_EXCEEDED` where an attempt or the call
/// ran out of time; the text says what was tried.
///
/// # Connections
/// As those of [`Balanced`](crate::tower::Balanced). When an instance has left, its connection closes after the last call and
/// the last stream on it.
///
/// # Readiness, cancel safety
/// It is always ready. Dropping the future of a call resets its stream.
#[derive(Clone)]
pub struct BalancedChannel {
    client: Client,
    connections: Connections<Channel>,
    connector: Connector,
    is_idempotent: bool,
    max_buffered: usize,
}

impl BalancedChannel {
    /// How many bytes of a request are kept for another attempt by default: 64 KiB.
    pub const MAX_BUFFERED: usize = 64 * 1024;

    /// Calls the service that `client` follows, over `http://` and with tonic's defaults.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    #[must_use]
    pub fn new(client: &Client) -> Self {
        Self::with_endpoints(client, |callee| transport::Endpoint::new(callee.url("http", "")))
    }

    /// As [`new`](Self::new), with other settings of the connections: TLS, keep-alive, windows. `endpoint` describes the connection
    /// to an instance, by [`Callee::url`]; its connect timeout becomes that of the client.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    #[must_use]
    pub fn with_endpoints<F>(client: &Client, endpoint: F) -> Self
    where
        F: Fn(&Callee) -> Result<transport::Endpoint, transport::Error> + Send + Sync + 'static,
    {
        Self {
            client: client.clone(),
            connections: Connections::new(client),
            connector: Connector::new(endpoint),
            is_idempotent: false,
            max_buffered: Self::MAX_BUFFERED,
        }
    }

    /// Sets whether a unary call may be repeated that may have had an effect: [`Client::call_idempotent`]. False by default.
    #[must_use]
    pub fn idempotent(mut self, is_idempotent: bool) -> Self {
        self.is_idempotent = is_idempotent;
        self
    }

    /// Sets how many bytes of a request are kept for another attempt; a longer one is sent as a stream. Each call in flight keeps as
    /// many at most, and one more chunk.
    #[must_use]
    pub fn max_buffered(mut self, bytes: usize) -> Self {
        self.max_buffered = bytes;
        self
    }

    async fn answer(self, request: Request<Body>) -> Result<Response<Body>, Status> {
        let request = Arc::new(Recorded::new(request, self.max_buffered)?);
        let deadline = timeout::read(request.headers()).and_then(|time| Instant::now().checked_add(time));
        match deadline {
            None => self.answer_by(request, None).await,
            Some(at) => match timeout_at(at, self.answer_by(request, deadline)).await {
                Ok(answer) => answer,
                Err(_) => Err(Status::deadline_exceeded("the time that the caller gave is over")),
            },
        }
    }

    async fn answer_by(
        self,
        request: Arc<Recorded>,
        deadline: Option<Instant>,
    ) -> Result<Response<Body>, Status> {
        let may_repeat = self.is_idempotent && request.is_whole();
        let call = Call { connections: self.connections, connector: self.connector, request, deadline };
        let attempt = move |callee| call.clone().attempt(callee);
        let result: Result<Answer, CallError<Endpoint, AttemptError<GrpcError>>> = match may_repeat {
            true => self.client.call_idempotent(attempt).await,
            false => self.client.call(attempt).await,
        };
        let late = match result {
            Ok(Answer::Response(response)) => return Ok(response),
            Ok(Answer::Late(late)) => late,
            Err(error) => match ended(error) {
                Ended::Response(response) => return Ok(response),
                Ended::Late(late) => late,
                Ended::Status(status) => return Err(status),
            },
        };
        late.await.map_err(|error| unavailable("the connection failed".to_owned(), Some(Arc::new(error))))
    }
}

impl Service<Request<Body>> for BalancedChannel {
    type Response = Response<Body>;
    type Error = Status;
    type Future = BoxFuture<'static, Result<Response<Body>, Status>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Status>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        Box::pin(self.clone().answer(request))
    }
}

impl fmt::Debug for BalancedChannel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BalancedChannel")
            .field("client", &self.client)
            .field("is_idempotent", &self.is_idempotent)
            .field("max_buffered", &self.max_buffered)
            .finish_non_exhaustive()
    }
}
