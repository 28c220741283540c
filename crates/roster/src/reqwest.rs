//! HTTP by URL: [`Http`], a client on reqwest. Feature `reqwest`.

mod attempt;
mod error;
mod pools;

use std::fmt;
use std::hash::Hash;
use std::sync::Arc;

use balance::CallError;
use instance::Endpoint;
use reqwest::{Method, Request, Response};

use crate::client::Client;

use attempt::Outgoing;
use pools::Pools;

pub use error::HttpError;

/// Sends HTTP requests to the instances of a service. Cheap to clone; clones share everything.
///
/// ```no_run
/// # async fn example(zk: zk_roster::Zk) -> Result<(), Box<dyn std::error::Error>> {
/// let web = zk_roster::Client::follow(&zk, "/services/web").await?;
/// // Its connect timeout makes a host that does not accept one to which nothing was sent.
/// let reqwest = reqwest::Client::builder()
///     .connect_timeout(zk_roster::CallConfig::CONNECT)
///     .redirect(reqwest::redirect::Policy::none())
///     .no_proxy()
///     .build()?;
/// let http = zk_roster::reqwest::Http::new(web, reqwest.clone());
///
/// let users = reqwest.get("http://web/users?page=2").build()?;
/// let response = http.execute(users).await?;
/// println!("{}: {}", response.status(), response.text().await?);
/// # Ok(())
/// # }
/// ```
///
/// # What is sent
/// The request as it is, but for the host and the port of its URL: those of the chosen instance take their place. The header `Host`
/// follows the URL, unless the request has one; servers that tell services apart by it need that. With `https` the certificate
/// of the instance must be valid for the host under which it is registered, be that a name or an address.
///
/// # What is repeated
/// GET, HEAD, OPTIONS, TRACE, PUT and DELETE are idempotent (RFC 9110, section 9.2.2): they are repeated at other instances whatever
/// came of them, within the deadlines and the budget of the client. While an ejected instance is due for a trial, it gets a copy of a
/// GET, HEAD, OPTIONS or TRACE beside the call, as [`Client::call_idempotent`] does; of a PUT or DELETE none, as that could come after
/// the next one. All other methods are repeated only if the request was
/// certainly not served, or if [`CallConfig::with_idempotent`](crate::CallConfig::with_idempotent) says that every call may be. A request
/// that cannot be cloned, as its body is a stream, is sent once, and a failure is its end. Within an attempt reqwest itself sends again, to
/// the same instance, what was not written to a connection that it kept, or not processed by the word of HTTP/2.
///
/// The answers 502, 503, 504 and 429 are failures of the instance, for which another one is tried. 429, and 503 with `Retry-After`,
/// say that the request was not served: it is repeated whatever the method. If the last attempt of a call was answered so, that answer
/// is returned as it is. Every other status is an answer. [`balance::Failure`] has the table.
///
/// # Redirects
/// Turn them off: with `redirect(Policy::none())` they are answers. By default reqwest follows them by itself, to wherever they lead.
/// What is answered there is an answer, whatever its status. But an error on the way there counts as the instance's, and a host that
/// cannot be connected to as *not sent*: then a POST that an instance has served, and answered with a redirect, is sent once more.
///
/// The call ends with the head of the answer: its body is read in the time that reqwest allows, and from no other instance. Where
/// the body is short, `client.call_idempotent` with an operation that reads it, too, tries elsewhere.
///
/// # Connections
/// An instance that has gone gets no new request, and what is in flight ends. [`new`](Self::new) leaves an idle connection to it in
/// the pool of the `reqwest::Client`, which closes it after its `pool_idle_timeout` (90 s by default), if the instance has not
/// done so. [`with_pools`](Self::with_pools) closes it at once.
///
/// # Time
/// An attempt gets the time that the [`CallConfig`](crate::CallConfig) of the client says; a shorter timeout of the request holds for
/// each of its attempts. Connecting has no limit of its own but the `connect_timeout` of the `reqwest::Client`.
///
/// # Drop
/// The last clone drops its pools.
#[derive(Clone)]
pub struct Http {
    client: Client,
    pools: Pools,
}

impl Http {
    /// Sends requests by one `reqwest::Client`, which has one pool of connections.
    #[must_use]
    pub fn new(client: Client, http: reqwest::Client) -> Self {
        Self { client, pools: Pools::One(http) }
    }

    /// Sends requests by a `reqwest::Client` for each instance, made by `make` with the first request to it, and dropped when the
    /// instance has gone: its idle connections close at once, and others with the end of what is in flight.
    ///
    /// ```no_run
    /// # async fn example(web: zk_roster::Client) {
    /// let connect = zk_roster::CallConfig::CONNECT;
    /// let none = reqwest::redirect::Policy::none;
    /// let make = move |_: &_| reqwest::Client::builder().connect_timeout(connect).redirect(none()).no_proxy().build();
    /// let http = zk_roster::reqwest::Http::with_pools(web, make);
    /// # }
    /// ```
    ///
    /// A `reqwest::Client` with TLS takes milliseconds to make. `make` may be called more than once for an instance.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    #[must_use]
    pub fn with_pools<F>(client: Client, make: F) -> Self
    where
        F: Fn(&Endpoint) -> reqwest::Result<reqwest::Client> + Send + Sync + 'static,
    {
        let pools = Pools::of_each(client.discovery().views(), Arc::new(make));
        Self { client, pools }
    }

    /// Sends a request, and returns the answer: [`Http`] says what is repeated.
    ///
    /// # Errors
    /// [`CallError`], which says why no instance has answered, and what was tried.
    ///
    /// # Cancel safety
    /// Dropping the future drops the attempt under way.
    pub async fn execute(&self, request: Request) -> Result<Response, CallError<Endpoint, HttpError>> {
        let client = &self.client;
        let (is_safe, is_idempotent) = (is_safe(request.method()), is_idempotent(request.method()));
        match Outgoing::new(self.pools.clone(), request) {
            Outgoing::Repeatable(request) if is_safe => {
                let op = request.clone();
                let result = client.call_idempotent(move |callee| op.clone().beside_others(callee)).await;
                request.last.or(result)
            }
            Outgoing::Repeatable(request) if is_idempotent => {
                let result = client.repeating().call(|callee| request.clone().run(callee)).await;
                request.last.or(result)
            }
            Outgoing::Repeatable(request) => {
                let result = client.call(|callee| request.clone().run(callee)).await;
                request.last.or(result)
            }
            Outgoing::Once(mut once) => {
                let result = client.call(|callee| once.run(callee)).await;
                once.last.or(result)
            }
        }
    }

    /// As [`execute`](Self::execute), for a call that belongs to `key`: strategies that go by a key send equal keys to one instance.
    ///
    /// # Errors
    /// As [`execute`](Self::execute).
    pub async fn execute_for<Q>(
        &self,
        key: &Q,
        request: Request,
    ) -> Result<Response, CallError<Endpoint, HttpError>>
    where
        Q: Hash + ?Sized,
    {
        let client = &self.client;
        let (is_safe, is_idempotent) = (is_safe(request.method()), is_idempotent(request.method()));
        match Outgoing::new(self.pools.clone(), request) {
            Outgoing::Repeatable(request) if is_safe => {
                let op = request.clone();
                let op = move |callee| op.clone().beside_others(callee);
                request.last.or(client.call_idempotent_for(key, op).await)
            }
            Outgoing::Repeatable(request) if is_idempotent => {
                let result = client.repeating().call_for(key, |callee| request.clone().run(callee)).await;
                request.last.or(result)
            }
            Outgoing::Repeatable(request) => {
                let result = client.call_for(key, |callee| request.clone().run(callee)).await;
                request.last.or(result)
            }
            Outgoing::Once(mut once) => {
                let result = client.call_for(key, |callee| once.run(callee)).await;
                once.last.or(result)
            }
        }
    }

    /// Returns the client of the service.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.client
    }
}

/// RFC 9110, section 9.2.1.
fn is_safe(method: &Method) -> bool {
    [Method::GET, Method::HEAD, Method::OPTIONS, Method::TRACE].contains(method)
}

/// RFC 9110, section 9.2.2.
fn is_idempotent(method: &Method) -> bool {
    is_safe(method) || [Method::PUT, Method::DELETE].contains(method)
}

impl fmt::Debug for Http {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Http").field("client", &self.client).finish_non_exhaustive()
    }
}
