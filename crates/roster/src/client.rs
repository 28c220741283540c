//! [`Client`]: follows a service, and calls it.

mod builder;
mod callee;
mod calls;
mod config;
mod feed;
mod member;
mod members;
mod shared;
mod status;

use std::fmt;
use std::hash::Hash;
use std::sync::Arc;

use balance::{Balancer, CallError, Classify};
use discovery::Discovery;
use instance::Endpoint;
use tokio::sync::watch;
use zk_core::{PathError, Zk, ZnodePath};

pub use builder::{ClientBuilder, FollowError};
pub use callee::Callee;
pub use member::Member;
pub use members::{MemberSet, MemberSource};
pub use status::ClientStatus;

#[cfg(feature = "reqwest")]
use calls::Calls;
use shared::Shared;

/// Follows one service, and calls its instances. Cheap to clone; clones share everything.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let server = zk_embedded::Server::start().await?;
/// # let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
/// # let zk = zk_roster::connect(&server.connect_string())?;
/// # let service = zk_roster::Service::new(&zk, "/services/web").serve_on(&listener)?;
/// use zk_roster::Client;
///
/// let web = Client::follow(&zk, "/services/web").await?;
/// let stream = web.call(async |callee| zk_roster::dial(&callee).await).await?;
/// println!("connected to {}: {}", stream.peer_addr()?, web.status());
/// # Ok(())
/// # }
/// ```
///
/// A call chooses an instance, and goes on at another one when that fails, within a deadline and a budget of retries
/// ([`Caller`](balance::Caller) has the rules; the [builder](Self::builder) sets them). What may have had an effect is repeated by
/// [`call_idempotent`](Self::call_idempotent) only. While nobody is known, calls wait within their time. Without ZooKeeper, they
/// go by the last known set.
///
/// `Drop` of the last clone stops following, ends the trials beside calls, and leaves what was not [saved](ClientBuilder::saved_at) in
/// the last seconds unsaved. [`shutdown`](Self::shutdown) waits for the end, and saves.
#[derive(Clone)]
pub struct Client {
    shared: Arc<Shared>,
}

impl Client {
    /// Follows the service whose instances are the children of `root`, and waits for the first list:
    /// [`ClientBuilder::follow`] with the defaults of everything.
    ///
    /// # Errors
    /// [`FollowError`], if the path is none, or ZooKeeper does not list the service within 10 s.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub async fn follow<R>(zk: &Zk, root: R) -> Result<Self, FollowError>
    where
        R: TryInto<ZnodePath>,
        R::Error: Into<PathError>,
    {
        Self::builder(zk, root)?.follow().await
    }

    /// Begins to describe how a service is followed and called.
    ///
    /// # Errors
    /// If the path is none.
    pub fn builder<R>(zk: &Zk, root: R) -> Result<ClientBuilder, PathError>
    where
        R: TryInto<ZnodePath>,
        R::Error: Into<PathError>,
    {
        Ok(ClientBuilder::new(zk, root.try_into().map_err(Into::into)?))
    }

    /// Calls an instance, and others if that fails, until one answers: [`Caller::call`](balance::Caller::call). What may have had an effect is not
    /// repeated.
    ///
    /// A held instance that refuses the connection is believed gone at once.
    ///
    /// # Errors
    /// [`CallError`], which says why, and what was tried.
    ///
    /// # Cancel safety
    /// As [`Caller::call`](balance::Caller::call).
    pub async fn call<T, E, F, Fut>(&self, op: F) -> Result<T, CallError<Endpoint, E>>
    where
        E: Classify,
        F: FnMut(Callee) -> Fut,
        Fut: Future<Output = Result<T, E>>,
    {
        self.shared.calls.call(op).await
    }

    /// As [`call`](Self::call), for a call that belongs to `key`: strategies that go by a key send equal keys to one instance.
    ///
    /// # Errors
    /// As [`call`](Self::call).
    pub async fn call_for<Q, T, E, F, Fut>(&self, key: &Q, op: F) -> Result<T, CallError<Endpoint, E>>
    where
        Q: Hash + ?Sized,
        E: Classify,
        F: FnMut(Callee) -> Fut,
        Fut: Future<Output = Result<T, E>>,
    {
        self.shared.calls.call_for(key, op).await
    }

    /// As [`call`](Self::call), for an operation that may be repeated whatever came of it: [`Caller::call_idempotent`](balance::Caller::call_idempotent).
    ///
    /// # Errors
    /// As [`call`](Self::call).
    pub async fn call_idempotent<T, E, F, Fut>(&self, op: F) -> Result<T, CallError<Endpoint, E>>
    where
        E: Classify + 'static,
        T: 'static,
        F: Fn(Callee) -> Fut + Clone + Send + 'static,
        Fut: Future<Output = Result<T, E>> + Send + 'static,
    {
        self.shared.calls.call_idempotent(op).await
    }

    /// As [`call_idempotent`](Self::call_idempotent), for a call that belongs to `key`.
    ///
    /// # Errors
    /// As [`call`](Self::call).
    pub async fn call_idempotent_for<Q, T, E, F, Fut>(
        &self,
        key: &Q,
        op: F,
    ) -> Result<T, CallError<Endpoint, E>>
    where
        Q: Hash + ?Sized,
        E: Classify + 'static,
        T: 'static,
        F: Fn(Callee) -> Fut + Clone + Send + 'static,
        Fut: Future<Output = Result<T, E>> + Send + 'static,
    {
        self.shared.calls.call_idempotent_for(key, op).await
    }

    /// Returns what repeats every call, but makes no trial with a copy of it, which could come after the next call.
    #[cfg(feature = "reqwest")]
    pub(crate) fn repeating(&self) -> &Calls {
        &self.shared.repeating
    }

    /// Returns what follows the service: views, changes, `ready`.
    #[must_use]
    pub fn discovery(&self) -> &Discovery {
        &self.shared.discovery
    }

    /// Returns what chooses among the instances: readers for calls by other means, status.
    #[must_use]
    pub fn balancer(&self) -> &Balancer<Endpoint, Member> {
        &self.shared.balancer
    }

    /// Returns the set that calls go to, now and whenever it changes: for what is kept for each endpoint, such as connections.
    /// The sender goes when following ends; the last set stays.
    ///
    /// An endpoint that is not in the set is given to no new call. A call that was given it a moment before may still connect to
    /// it: who keeps connections asks [`is_member`](Self::is_member) again *after* putting one away.
    #[must_use]
    pub fn members(&self) -> watch::Receiver<Arc<MemberSet>> {
        self.shared.members.clone()
    }

    /// Returns whether new calls may go to an endpoint.
    #[must_use]
    pub fn is_member(&self, endpoint: &Endpoint) -> bool {
        self.shared.members.borrow().contains(endpoint)
    }

    /// Returns whether calls go by a saved list: ZooKeeper has not listed the service since the start
    /// ([`ClientBuilder::saved_at`]).
    #[must_use]
    pub fn is_saved(&self) -> bool {
        matches!(self.shared.members.borrow().source(), MemberSource::Saved { .. })
    }

    /// Returns how the client stands, for logs and people: it takes a moment for each member.
    #[must_use]
    pub fn status(&self) -> ClientStatus {
        self.shared.status()
    }

    /// Waits until following has ended: by [`shutdown`](Self::shutdown), with the link, or with a panic of a
    /// [`Format`](instance::Format). The [last view](Discovery::view) says why.
    ///
    /// # Cancel safety
    /// Safe.
    pub async fn ended(&self) {
        self.shared.ended().await;
    }

    /// Stops following, for all clones, and waits until everything has ended; 2 s at most for a list that is being saved. Calls
    /// go on among the last known instances.
    ///
    /// # Cancel safety
    /// It ends though the future is dropped, but later.
    pub async fn shutdown(&self) {
        self.shared.shutdown().await;
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("status", &self.status().to_string()).finish_non_exhaustive()
    }
}
