//! One attempt of a gRPC call.

use std::sync::Arc;

use balance::{Classify, Failure};
use http::{Request, Response};
use tokio::time::{Instant, timeout_at};
use tonic::Code;
use tonic::body::Body;
use tonic::transport::Channel;
use tower::Service;

use super::answer;
use super::connector::Connector;
use super::error::{GrpcError, Late};
use super::recorded::Recorded;
use super::timeout;
use crate::client::Callee;
use crate::tower::{AttemptError, Connections, MARGIN, ready};

/// What an attempt ends with.
pub(super) enum Answer {
    Response(Response<Body>),
    /// A stream has been sent, or is being sent, and its response has not come yet.
    Late(Late),
}

/// What all attempts of a call have in common.
#[derive(Clone)]
pub(super) struct Call {
    pub(super) connections: Connections<Channel>,
    pub(super) connector: Connector,
    pub(super) request: Arc<Recorded>,
    /// The caller's, by `grpc-timeout`.
    pub(super) deadline: Option<Instant>,
}

impl Call {
    /// Sends the request, and waits for the response's headers: those of a stream may come when all of it has been sent, so after
    /// the time of the attempt it goes on alone.
    pub(super) async fn attempt(self, callee: Callee) -> Result<Answer, AttemptError<GrpcError>> {
        let ready = ready::<_, _, Request<Body>>(&self.connections, self.connector.clone(), &callee).await;
        let mut lease = ready.map_err(|error| error.map(GrpcError::Transport))?;
        let Some((mut request, turn)) = self.request.begin() else {
            lease.end(false);
            return Err(AttemptError::Sent);
        };
        if let Some(deadline) = self.deadline {
            let left = deadline.saturating_duration_since(Instant::now());
            request.headers_mut().insert(timeout::GRPC_TIMEOUT, timeout::write(left));
        }
        let mut answer = Box::pin(lease.service.call(request));
        let is_whole = self.request.is_whole();
        let answered = if is_whole {
            answer.as_mut().await
        } else {
            let until = callee.deadline().checked_sub(MARGIN).unwrap_or(callee.deadline());
            match timeout_at(until, answer.as_mut()).await {
                Ok(answered) => answered,
                Err(_) => {
                    lease.end(false);
                    let late: Late = Box::pin(async move {
                        let response = answer.await?;
                        turn.keep();
                        Ok(response)
                    });
                    return match callee.target().is_trial() {
                        true => Err(AttemptError::Failed { error: GrpcError::Late(late), has_copy: false }),
                        false => Ok(Answer::Late(late)),
                    };
                }
            }
        };
        let error = match answered.map(answer::look) {
            Ok((response, code)) if code.is_none_or(answer::is_proper) => {
                lease.end(false);
                turn.keep();
                return Ok(Answer::Response(response));
            }
            Ok((response, code)) => GrpcError::Answer(response, code.unwrap_or(Code::Unknown)),
            Err(error) => GrpcError::Transport(error),
        };
        lease.end(error.failure().is_some_and(Failure::is_hard));
        // A stream is sent again only if nobody has seen it.
        let is_unseen = matches!(error, GrpcError::Transport(_)) && error.had_no_effect();
        let has_copy = is_whole || is_unseen && self.request.is_complete();
        Err(AttemptError::Failed { error, has_copy })
    }
}
