//! Makes the connections.

use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_util::future::BoxFuture;
use tonic::transport::{Channel, Endpoint, Error};
use tower::Service;

use crate::client::Callee;

type MakeEndpoint = dyn Fn(&Callee) -> Result<Endpoint, Error> + Send + Sync;

/// Connects to instances, at once: so it is known when nothing was sent.
#[derive(Clone)]
pub(super) struct Connector {
    endpoint: Arc<MakeEndpoint>,
}

impl Connector {
    pub(super) fn new(endpoint: impl Fn(&Callee) -> Result<Endpoint, Error> + Send + Sync + 'static) -> Self {
        Self { endpoint: Arc::new(endpoint) }
    }
}

impl Service<Callee> for Connector {
    type Response = Channel;
    type Error = Error;
    type Future = BoxFuture<'static, Result<Channel, Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, callee: Callee) -> Self::Future {
        let endpoint = (self.endpoint)(&callee);
        Box::pin(async move {
            // tonic connects again by itself when the connection has ended.
            endpoint?.connect_timeout(callee.connect_timeout()).connect().await
        })
    }
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connector").finish_non_exhaustive()
    }
}
