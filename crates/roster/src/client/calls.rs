//! The calls of a client: attempts at instances, and what a refusal tells discovery.

use std::hash::Hash;

use balance::{CallError, Caller, Classify, Failure, Target};
use discovery::Discovery;
use futures_util::future::BoxFuture;
use instance::Endpoint;

use super::callee::Callee;
use super::member::Member;

/// Makes calls in one manner. Its methods are those of [`Client`](super::Client).
pub(crate) struct Calls {
    caller: Caller<Endpoint, Member>,
    discovery: Discovery,
}

impl Calls {
    pub(super) fn new(caller: Caller<Endpoint, Member>, discovery: &Discovery) -> Self {
        Self { caller, discovery: discovery.clone() }
    }

    pub(crate) async fn call<T, E, F, Fut>(&self, mut op: F) -> Result<T, CallError<Endpoint, E>>
    where
        E: Classify,
        F: FnMut(Callee) -> Fut,
        Fut: Future<Output = Result<T, E>>,
    {
        let attempt = |target: Target<Endpoint, Member>| {
            reporting(self.discovery.clone(), target.key().clone(), op(Callee::new(target)))
        };
        Ok(self.caller.call(attempt).await?.value)
    }

    pub(crate) async fn call_for<Q, T, E, F, Fut>(
        &self,
        key: &Q,
        mut op: F,
    ) -> Result<T, CallError<Endpoint, E>>
    where
        Q: Hash + ?Sized,
        E: Classify,
        F: FnMut(Callee) -> Fut,
        Fut: Future<Output = Result<T, E>>,
    {
        let attempt = |target: Target<Endpoint, Member>| {
            reporting(self.discovery.clone(), target.key().clone(), op(Callee::new(target)))
        };
        Ok(self.caller.call_for(key, attempt).await?.value)
    }

    pub(super) async fn call_idempotent<T, E, F, Fut>(&self, op: F) -> Result<T, CallError<Endpoint, E>>
    where
        E: Classify + 'static,
        T: 'static,
        F: Fn(Callee) -> Fut + Clone + Send + 'static,
        Fut: Future<Output = Result<T, E>> + Send + 'static,
    {
        Ok(self.caller.call_idempotent(repeatable(&self.discovery, op)).await?.value)
    }

    pub(super) async fn call_idempotent_for<Q, T, E, F, Fut>(
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
        Ok(self.caller.call_idempotent_for(key, repeatable(&self.discovery, op)).await?.value)
    }

    /// Ends the trials beside calls, and starts no more.
    pub(super) async fn shutdown(&self) {
        self.caller.shutdown().await;
    }
}

/// Attempts of an operation that may be made beside one another.
fn repeatable<T, E, F, Fut>(
    discovery: &Discovery,
    op: F,
) -> impl Fn(Target<Endpoint, Member>) -> BoxFuture<'static, Result<T, E>> + Clone + Send + 'static
where
    E: Classify + 'static,
    T: 'static,
    F: Fn(Callee) -> Fut + Clone + Send + 'static,
    Fut: Future<Output = Result<T, E>> + Send + 'static,
{
    let discovery = discovery.clone();
    move |target| Box::pin(reporting(discovery.clone(), target.key().clone(), op(Callee::new(target))))
}

/// Makes an attempt, and reports a refused connection: nobody listens there.
async fn reporting<T, E: Classify>(
    discovery: Discovery,
    endpoint: Endpoint,
    attempt: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    let answer = attempt.await;
    if let Err(error) = &answer
        && error.failure() == Some(Failure::Refused)
    {
        discovery.report_refused(&endpoint);
    }
    answer
}
