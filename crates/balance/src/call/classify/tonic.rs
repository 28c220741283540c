//! What the errors of tonic say: statuses of gRPC, and broken connections.

use std::error::Error;
use std::io;
use std::iter::successors;

use tonic::{Code, ConnectError, Status, TimeoutExpired, transport};

use super::Classify;
use crate::failure::Failure;

/// What a server's status code says. A retry follows gRPC's own advice:
///
/// | code | failure | retried | why |
/// | --- | --- | --- | --- |
/// | `UNAVAILABLE` | unavailable | idempotent calls | "not always safe to retry non-idempotent operations" |
/// | `RESOURCE_EXHAUSTED` | overloaded | always | it was turned away |
/// | `DEADLINE_EXCEEDED` | unavailable | idempotent calls | the operation may have completed; the deadline may have been too short, so five in a row count |
/// | `ABORTED`, `CANCELLED` | – | never | to be repeated by whoever knows the whole transaction; not wanted any more |
/// | all others | – | never | the endpoint works, and every endpoint would answer that |
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
        match evidence(self.source()) {
            Some(evidence) => evidence.failure,
            None => self.code().failure(),
        }
    }

    fn may_retry(&self) -> bool {
        evidence(self.source()).is_some() || self.code().may_retry()
    }

    fn had_no_effect(&self) -> bool {
        match evidence(self.source()) {
            Some(evidence) => evidence.had_no_effect,
            None => self.code().had_no_effect(),
        }
    }
}

/// No connection, or a broken one. What HTTP/2 calls not processed had no effect: a stream that the server refused, or that came
/// after the last one that its GOAWAY names; nor had a request that was never written.
impl Classify for transport::Error {
    fn failure(&self) -> Option<Failure> {
        match evidence(self.source()) {
            Some(evidence) => evidence.failure,
            // Without a cause it is a wrong setting. Any other cause has ended the connection.
            None => self.source().map(|_| Failure::Reset),
        }
    }

    fn had_no_effect(&self) -> bool {
        evidence(self.source()).is_some_and(|evidence| evidence.had_no_effect)
    }
}

/// What a chain of causes says.
#[derive(Clone, Copy, Debug)]
struct Evidence {
    failure: Option<Failure>,
    had_no_effect: bool,
}

impl Evidence {
    fn not_sent(failure: Failure) -> Self {
        Self { failure: Some(failure), had_no_effect: true }
    }

    fn broken(failure: Failure) -> Self {
        Self { failure: Some(failure), had_no_effect: failure.was_not_sent() }
    }
}

fn evidence(error: Option<&(dyn Error + 'static)>) -> Option<Evidence> {
    let chain = || successors(error, |&error| error.source());
    if chain().any(|error| error.is::<ConnectError>()) {
        let is_refused = chain()
            .filter_map(|error| error.downcast_ref::<io::Error>())
            .any(|error| error.kind() == io::ErrorKind::ConnectionRefused);
        return Some(Evidence::not_sent(if is_refused { Failure::Refused } else { Failure::Unreachable }));
    }
    // The innermost says most.
    chain().filter_map(of_one).last()
}

fn of_one(error: &(dyn Error + 'static)) -> Option<Evidence> {
    if error.is::<TimeoutExpired>() {
        // The limit may have been too short: five in a row count.
        return Some(Evidence::broken(Failure::Unavailable));
    }
    if let Some(error) = error.downcast_ref::<h2::Error>() {
        return Some(of_h2(error));
    }
    if let Some(error) = error.downcast_ref::<hyper::Error>() {
        return Some(of_hyper(error));
    }
    error.downcast_ref::<io::Error>().map(of_io)
}

fn of_io(error: &io::Error) -> Evidence {
    Evidence::broken(error.failure().unwrap_or(Failure::Reset))
}

fn of_h2(error: &h2::Error) -> Evidence {
    let is_refused = error.is_reset() && error.reason() == Some(h2::Reason::REFUSED_STREAM);
    if error.is_remote() && (error.is_go_away() || is_refused) {
        // The server says so: it goes away, or has no room for one more stream.
        return Evidence { failure: Some(Failure::Unavailable), had_no_effect: true };
    }
    match (error.get_io(), error.reason()) {
        (Some(error), _) => of_io(error),
        (None, Some(h2::Reason::ENHANCE_YOUR_CALM)) => {
            Evidence { failure: Some(Failure::Overloaded), had_no_effect: false }
        }
        (None, _) => Evidence::broken(Failure::Incomplete),
    }
}

fn of_hyper(error: &hyper::Error) -> Evidence {
    if error.is_canceled() {
        // The connection had ended before the request was written: the next one will tell more about the endpoint.
        return Evidence { failure: None, had_no_effect: true };
    }
    // Pings were not answered, or the connection ended otherwise.
    Evidence::broken(if error.is_timeout() { Failure::Timeout } else { Failure::Reset })
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
        assert_eq!(told(&status(error)), (Some(Failure::Incomplete), true, false));
    }
}
