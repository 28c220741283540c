//! The client as a `tower::Service`.

use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};

use balance::{CallError, Classify, Failure};
use futures_util::future::BoxFuture;
use instance::Endpoint;
use parking_lot::Mutex;
use tower::{BoxError, Service};

use super::attempt::ready;
use super::connections::Connections;
use super::error::AttemptError;
use super::repeat::{Once, Repeat};
use crate::client::{Callee, Client};

/// Calls the instances of a service on connections of its own, one for each instance. Clones share the connections.
///
/// `M` makes a connection: a `Service<Callee>` whose response is itself a service, for requests, whose error is
/// [`Classify`]; [`Classified`](super::Classified) makes that of a boxed error. The connection is `Clone`, and its clones use one
/// connection, as those of hyper, tonic and `tower::buffer::Buffer` do; one that is not is wrapped in a `Buffer`.
///
/// # What is repeated
/// A request that no connection has taken yet goes on elsewhere, whatever it is: an error of `M`, one of the connection's
/// `poll_ready`, and no readiness within the attempt's time are *not sent*. A request that was taken is repeated only if
/// there is a copy of it ([`repeating`](Self::repeating); by default there is none), and if it certainly had no effect or is
/// [idempotent](Self::idempotent). Ejection, budget and deadlines are those of the client.
///
/// # Connections
/// An instance is connected to when it is first called; of concurrent calls one connects and the others wait, each for
/// [`Callee::connect_timeout`] at most. A connection that has failed a call, has been silent until the end of an attempt, or has not
/// answered in the trial of an ejected instance is not used again: the next call makes a new one. When an instance leaves, or
/// another process takes its place, its connection takes no new calls, and is dropped as soon as the calls on it have their
/// responses. So there are at most as many as instances are listed; a `subset` in the balancer's configuration makes it less.
///
/// # Readiness
/// `poll_ready` is always ready: each call in flight costs its future and its request. Layers of tower
/// (`concurrency_limit`, `load_shed`) bound their number.
///
/// # Cancel safety
/// Dropping the future of a call drops its attempt; the connection stays.
pub struct Balanced<M: Service<Callee>, R = Once>
where
    M::Response: Clone,
{
    client: Client,
    make: M,
    repeat: R,
    is_idempotent: bool,
    connections: Connections<M::Response>,
}

impl<M> Balanced<M>
where
    M: Service<Callee>,
    M::Response: Clone + Send + 'static,
{
    /// Calls the service that `client` follows on connections that `make` makes.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn new(client: &Client, make: M) -> Self {
        let connections = Connections::new(client);
        Self { client: client.clone(), make, repeat: Once, is_idempotent: false, connections }
    }
}

impl<M, R> Balanced<M, R>
where
    M: Service<Callee>,
    M::Response: Clone + Send + 'static,
{
    /// Sets how requests are copied for another attempt: [`Cloned`](super::Cloned), or a closure that may return `None`.
    #[must_use]
    pub fn repeating<R2>(self, repeat: R2) -> Balanced<M, R2> {
        let Self { client, make, is_idempotent, connections, repeat: _ } = self;
        Balanced { client, make, repeat, is_idempotent, connections }
    }

    /// Sets whether a request may be repeated that may have had an effect: [`Client::call_idempotent`]. False by default.
    #[must_use]
    pub fn idempotent(mut self, is_idempotent: bool) -> Self {
        self.is_idempotent = is_idempotent;
        self
    }
}

impl<M, S, R, Req> Service<Req> for Balanced<M, R>
where
    M: Service<Callee, Response = S> + Clone + Send + 'static,
    M::Error: Into<BoxError>,
    M::Future: Send,
    S: Service<Req> + Clone + Send + 'static,
    S::Response: Send + 'static,
    S::Error: Classify + Send + 'static,
    S::Future: Send,
    R: Repeat<Req> + Clone + Send + Sync + 'static,
    Req: Send + 'static,
{
    type Response = S::Response;
    type Error = CallError<Endpoint, AttemptError<S::Error>>;
    type Future = BoxFuture<'static, Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Req) -> Self::Future {
        let request = Original::new(request, self.repeat.clone());
        let (client, connections, make) = (self.client.clone(), self.connections.clone(), self.make.clone());
        // Without a copy nothing is repeated, and a trial beside the call would have nothing to send, for ever: so its own attempts
        // are trials.
        let is_idempotent = self.is_idempotent && request.has_copy();
        let attempt = move |callee: Callee| {
            // Its own attempts are no trials, but those that it makes beside itself.
            let is_beside = is_idempotent && callee.target().is_trial();
            attempt(connections.clone(), make.clone(), request.clone(), is_beside, callee)
        };
        Box::pin(async move {
            match is_idempotent {
                true => client.call_idempotent(attempt).await,
                false => client.call(attempt).await,
            }
        })
    }
}

/// The request of a call.
struct Original<Req, R> {
    request: Arc<Mutex<Parts<Req>>>,
    repeat: R,
}

struct Parts<Req> {
    /// `None` once an attempt has taken it.
    original: Option<Req>,
    /// A copy for the first attempt.
    copy: Option<Req>,
}

impl<Req, R: Repeat<Req>> Original<Req, R> {
    fn new(request: Req, repeat: R) -> Self {
        let copy = repeat.copy(&request);
        Self { request: Arc::new(Mutex::new(Parts { original: Some(request), copy })), repeat }
    }

    fn has_copy(&self) -> bool {
        self.request.lock().copy.is_some()
    }

    /// Returns what an attempt sends: a copy, or else the original. A trial beside the call leaves that alone.
    fn take(&self, is_beside: bool) -> Option<Req> {
        let Parts { original, copy } = &mut *self.request.lock();
        let copy = copy.take().or_else(|| self.repeat.copy(original.as_ref()?));
        if copy.is_some() || is_beside { copy } else { original.take() }
    }

    fn is_left(&self) -> bool {
        self.request.lock().original.is_some()
    }
}

impl<Req, R: Clone> Clone for Original<Req, R> {
    fn clone(&self) -> Self {
        Self { request: Arc::clone(&self.request), repeat: self.repeat.clone() }
    }
}

async fn attempt<M, S, R, Req>(
    connections: Connections<S>,
    make: M,
    original: Original<Req, R>,
    is_beside: bool,
    callee: Callee,
) -> Result<S::Response, AttemptError<S::Error>>
where
    M: Service<Callee, Response = S> + Clone + Send + 'static,
    M::Error: Into<BoxError>,
    M::Future: Send,
    S: Service<Req> + Clone + Send + 'static,
    S::Error: Classify,
    R: Repeat<Req>,
{
    let mut lease = ready(&connections, make, &callee).await?;
    let Some(request) = original.take(is_beside) else {
        lease.end(false);
        return Err(AttemptError::Sent);
    };
    let answer = lease.service.call(request).await;
    // A soft failure is an answer: the connection works.
    let is_broken = answer.as_ref().is_err_and(|error| error.failure().is_some_and(Failure::is_hard));
    lease.end(is_broken);
    answer.map_err(|error| AttemptError::Failed { error, has_copy: original.is_left() })
}

impl<M, R> Clone for Balanced<M, R>
where
    M: Service<Callee> + Clone,
    M::Response: Clone,
    R: Clone,
{
    fn clone(&self) -> Self {
        Self {
            client: self.client.clone(),
            make: self.make.clone(),
            repeat: self.repeat.clone(),
            is_idempotent: self.is_idempotent,
            connections: self.connections.clone(),
        }
    }
}

impl<M: Service<Callee>, R> fmt::Debug for Balanced<M, R>
where
    M::Response: Clone,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Balanced")
            .field("client", &self.client)
            .field("is_idempotent", &self.is_idempotent)
            .finish_non_exhaustive()
    }
}
