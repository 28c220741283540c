//! How an attempt failed, and the status that a call ends with.

use std::fmt;
use std::sync::Arc;

use balance::{CallError, Classify, Failure};
use futures_util::future::BoxFuture;
use http::Response;
use instance::Endpoint;
use tonic::body::Body;
use tonic::{Code, Status, transport};

use crate::tower::AttemptError;

/// The response of a stream that has not come yet.
pub(super) type Late = BoxFuture<'static, Result<Response<Body>, transport::Error>>;

/// What came of a request that a connection took, other than an answer.
pub(super) enum GrpcError {
    /// The connection failed.
    Transport(transport::Error),
    /// The server answered, with this code.
    Answer(Response<Body>, Code),
    /// The trial of an endpoint was sent a stream, and its time is over. That says nothing, and the stream goes on.
    Late(Late),
}

impl Classify for GrpcError {
    fn failure(&self) -> Option<Failure> {
        match self {
            Self::Transport(error) => error.failure(),
            Self::Answer(_, code) => code.failure(),
            Self::Late(_) => None,
        }
    }

    fn may_retry(&self) -> bool {
        match self {
            Self::Transport(error) => error.may_retry(),
            Self::Answer(_, code) => code.may_retry(),
            Self::Late(_) => false,
        }
    }

    fn had_no_effect(&self) -> bool {
        match self {
            Self::Transport(error) => error.had_no_effect(),
            Self::Answer(_, code) => code.had_no_effect(),
            Self::Late(_) => false,
        }
    }
}

impl fmt::Debug for GrpcError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Transport(error) => f.debug_tuple("Transport").field(error).finish(),
            Self::Answer(_, code) => f.debug_tuple("Answer").field(code).finish(),
            Self::Late(_) => f.write_str("Late"),
        }
    }
}

/// How a call that was not answered ends.
pub(super) enum Ended {
    Response(Response<Body>),
    Late(Late),
    Status(Status),
}

/// Whatever a server has said last is the caller's; else a status says why there is nothing.
pub(super) fn ended(error: CallError<Endpoint, AttemptError<GrpcError>>) -> Ended {
    let text = error.to_string();
    let was_called = error.count() > 0;
    match error.into_last_error() {
        Some(AttemptError::Failed { error: GrpcError::Answer(response, _), .. }) => Ended::Response(response),
        Some(AttemptError::Failed { error: GrpcError::Late(late), .. }) => Ended::Late(late),
        Some(AttemptError::Failed { error: GrpcError::Transport(error), .. }) => {
            Ended::Status(unavailable(text, Some(Arc::new(error))))
        }
        Some(AttemptError::Connect(error)) => Ended::Status(unavailable(text, Some(Arc::new(error)))),
        Some(_) => Ended::Status(unavailable(text, None)),
        // An attempt ran out of time.
        None if was_called => Ended::Status(Status::deadline_exceeded(text)),
        None => Ended::Status(unavailable(text, None)),
    }
}

/// The status of a call whose connection failed: what gRPC demands, and tonic says in part.
pub(super) fn unavailable(text: String, source: Option<Arc<dyn std::error::Error + Send + Sync>>) -> Status {
    let mut status = Status::unavailable(text);
    if let Some(source) = source {
        status.set_source(source);
    }
    status
}
