//! A connection that takes a request, for one attempt.

use std::future::poll_fn;
use std::time::Duration;

use tokio::time::timeout_at;
use tower::{BoxError, Service, ServiceExt};

use super::connect_error::ConnectError;
use super::connections::{Connections, Lease};
use super::error::AttemptError;
use crate::client::Callee;

/// How long before its deadline an attempt gives up a connection that takes no request: after the deadline nobody could tell that
/// nothing was sent.
pub(crate) const MARGIN: Duration = Duration::from_millis(5);

/// Returns a connection to the instance that takes a request now. One that has broken since its last call is replaced once.
pub(crate) async fn ready<M, S, Req>(
    connections: &Connections<S>,
    make: M,
    callee: &Callee,
) -> Result<Lease<S>, AttemptError<S::Error>>
where
    M: Service<Callee, Response = S> + Clone + Send + 'static,
    M::Error: Into<BoxError>,
    M::Future: Send,
    S: Service<Req> + Clone + Send + 'static,
{
    loop {
        let (make, to) = (make.clone(), callee.clone());
        let connect = async move { make.oneshot(to).await.map_err(|error| ConnectError::new(error.into())) };
        let mut lease = connections.get(callee, connect).await?;
        let until = callee.deadline().checked_sub(MARGIN).unwrap_or(callee.deadline());
        match timeout_at(until, poll_fn(|cx| lease.service.poll_ready(cx))).await {
            Ok(Ok(())) => return Ok(lease),
            Ok(Err(error)) => {
                lease.end(true);
                if lease.is_fresh {
                    return Err(AttemptError::Broken(error));
                }
            }
            Err(_) => {
                // Others may be served on it, unless the instance is ejected: then it may be what is wrong.
                lease.end(callee.target().is_trial());
                return Err(AttemptError::Busy);
            }
        }
    }
}
