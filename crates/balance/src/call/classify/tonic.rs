//! What the errors of tonic say: statuses of gRPC, and broken connections.

use std::error::Error;
use std::io;

use tonic::{Code, ConnectError, Status, TimeoutExpired, transport};

use super::{Classify, chain, http2};
use crate::failure::Failure;

/// What a server's status code says. A retry follows gRPC's own advice:
///
/// | code | failure | retried | why |
/// | --- | --- | --- | --- |
/// | `UNAVAILABLE` | `Unavailable` | idempotent calls | it is "not always safe to retry non-idempotent operations" |
/// | `RESOURCE_EXHAUSTED` | `Overloaded` | always | it was turned away |
/// | `DEADLINE_EXCEEDED` | `Unavailable` | idempotent calls | it may have completed; and the deadline may have been too short, so five in a row count |
/// | `ABORTED`, `CANCELLED` | none | never | to be repeated by whoever knows the whole transaction; not wanted any more |
/// | all others | none | never | the endpoint works, or every endpoint would answer that |
impl Classify for Code {
    fn failure(&self) -> Option<Failure> {
        match self {
            Self::Unavailable | Self::DeadlineExceeded => Some(Failure::Unavailable),
            Self::ResourceExhausted => Some(Failure::Overloaded),
            _ => None,
        }
    }

    fn may_retry(&self) -> bool {
        self.failure().is_some()
    }
}

/// A status that a server sent is classified by its [`Code`]; one that tonic made of a broken connection by that.
impl Classify for Status {
    fn failure(&self) -> Option<Failure> {
        cause(self).map_or_else(|| self.code().failure(), |cause| cause.failure)
    }

    fn may_retry(&self) -> bool {
        cause(self).map_or_else(|| self.code().may_retry(), |cause| cause.may_retry)
    }

    fn had_no_effect(&self) -> bool {
        cause(self).map_or_else(|| self.code().had_no_effect(), |cause| cause.had_no_effect)
    }
}

/// Before there was a connection nothing was sent: `Refused`, or `Unreachable` for all else, or no failure where this side is short
/// of file descriptors or ports. After that, what hyper's own error says: what HTTP/2 calls not processed had no effect, and all
/// else may have had one.
impl Classify for transport::Error {
    fn failure(&self) -> Option<Failure> {
        match cause(self) {
            Some(cause) => cause.failure,
            // Without a cause it is a wrong setting. Any other cause has ended the connection.
            None => self.source().map(|_| Failure::Reset),
        }
    }

    fn may_retry(&self) -> bool {
        cause(self).is_none_or(|cause| cause.may_retry)
    }

    fn had_no_effect(&self) -> bool {
        cause(self).is_some_and(|cause| cause.had_no_effect)
    }
}

/// What lies below an error, classified.
struct Cause {
    failure: Option<Failure>,
    may_retry: bool,
    had_no_effect: bool,
}

fn cause(error: &(dyn Error + 'static)) -> Option<Cause> {
    let broken = |failure| Cause { failure: Some(failure), may_retry: true, had_no_effect: false };
    if chain::find::<ConnectError>(error).is_some() {
        return Some(Cause { failure: chain::while_connecting(error), may_retry: true, had_no_effect: true });
    }
    if chain::find::<TimeoutExpired>(error).is_some() {
        // The time may have been too short: five in a row count.
        return Some(broken(Failure::Unavailable));
    }
    if let Some(error) = chain::find::<hyper::Error>(error) {
        return Some(Cause {
            failure: error.failure(),
            may_retry: error.may_retry(),
            had_no_effect: error.had_no_effect(),
        });
    }
    if let Some(failure) = http2::unprocessed(error) {
        return Some(Cause { failure: Some(failure), may_retry: true, had_no_effect: true });
    }
    chain::find::<io::Error>(error).map(chain::once_connected).map(broken)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The failure, whether it may be retried, and whether it had no effect.
    fn told(error: &impl Classify) -> (Option<Failure>, bool, bool) {
        (error.failure(), error.may_retry(), error.had_no_effect())
    }

    #[test]
    fn a_code_is_retried_as_grpc_advises() {
        for number in 0..=16 {
            let code = Code::from_i32(number);
            let expected = match code {
                Code::Unavailable | Code::DeadlineExceeded => (Some(Failure::Unavailable), true, false),
                Code::ResourceExhausted => (Some(Failure::Overloaded), true, true),
                _ => (None, false, false),
            };
            assert_eq!(told(&code), expected, "{code}");
            assert_eq!(told(&Status::new(code, "from the server")), expected, "{code}");
        }
    }

    fn status(error: impl Into<Box<dyn Error + Send + Sync>>) -> Status {
        Status::from_error(error.into())
    }

    #[test]
    fn a_status_of_a_connection_is_classified_by_its_cause() {
        let connect = |kind| ConnectError(Box::new(io::Error::from(kind)));
        let refused = status(connect(io::ErrorKind::ConnectionRefused));
        assert_eq!(told(&refused), (Some(Failure::Refused), true, true));
        let reset = status(connect(io::ErrorKind::ConnectionReset));
        assert_eq!(told(&reset), (Some(Failure::Unreachable), true, true), "while connecting");
        let broken = status(io::Error::from(io::ErrorKind::ConnectionReset));
        assert_eq!(told(&broken), (Some(Failure::Reset), true, false));
        assert_eq!(told(&status(TimeoutExpired(()))), (Some(Failure::Unavailable), true, false));
    }

    #[test]
    fn a_reset_of_our_own_is_no_answer_of_the_server() {
        let error = h2::Error::from(h2::Reason::REFUSED_STREAM);
        let status = status(error);
        assert!(!status.had_no_effect(), "{status:?}");
    }
}
