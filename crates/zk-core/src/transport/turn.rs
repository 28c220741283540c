//! How many requests may be in flight, and the right to be one of them.

use std::sync::Arc;

use tokio::sync::OwnedSemaphorePermit;

/// How many requests of a link may be in flight. Further ones wait for their turn, within their deadline.
pub(crate) const IN_FLIGHT: usize = 1_024;

/// The right to have one request in flight. The caller keeps a clone until it has the reply, or stops to wait for it; an
/// implementation keeps one until the request has left its own queues. So these are bounded, also where callers give
/// up. The default value stands for requests that need no turn, such as the first ones of a connection.
#[derive(Clone, Debug, Default)]
pub struct Turn {
    _permit: Option<Arc<OwnedSemaphorePermit>>,
}

impl Turn {
    pub(crate) fn new(permit: OwnedSemaphorePermit) -> Self {
        Self { _permit: Some(Arc::new(permit)) }
    }
}
