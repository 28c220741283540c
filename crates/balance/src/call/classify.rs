//! What an error says about the endpoint, and about a retry.

#[cfg(feature = "hyper")]
mod chain;
#[cfg(feature = "hyper")]
mod http2;
#[cfg(feature = "hyper")]
mod hyper;
#[cfg(feature = "reqwest")]
mod reqwest;
#[cfg(feature = "reqwest")]
mod status;
#[cfg(feature = "tonic")]
mod tonic;

use std::io;

use crate::failure::Failure;

/// What an error of a call says about its endpoint.
pub trait Classify {
    /// Returns how the endpoint failed, or `None` if the error says nothing about the endpoint: the caller is at fault,
    /// or the answer was a well-formed refusal.
    fn failure(&self) -> Option<Failure>;

    /// Returns whether another endpoint may be tried; true by default. False for what every endpoint would answer.
    fn may_retry(&self) -> bool {
        true
    }

    /// Returns whether the operation certainly had no effect: then a call that is not idempotent is retried, too. By default
    /// [`Failure::had_no_effect`] tells, and an error without a failure may have had one.
    fn had_no_effect(&self) -> bool {
        self.failure().is_some_and(Failure::had_no_effect)
    }
}

/// Refused connections, missing routes, timeouts, resets and early ends count against the endpoint; other errors, such as too
/// many open files, are the caller's own. All may be retried, those after which nothing was sent (refused, no route) in calls that
/// are not idempotent, too.
///
/// A name that cannot be resolved has no kind of its own: map it to `HostUnreachable`, as a connection that takes too long
/// ([`Target`](crate::Target) has an example).
impl Classify for io::Error {
    fn failure(&self) -> Option<Failure> {
        use io::ErrorKind as E;

        match self.kind() {
            E::ConnectionRefused => Some(Failure::Refused),
            E::HostUnreachable | E::NetworkUnreachable => Some(Failure::Unreachable),
            E::TimedOut => Some(Failure::Timeout),
            E::ConnectionReset | E::ConnectionAborted | E::BrokenPipe | E::NotConnected => {
                Some(Failure::Reset)
            }
            E::UnexpectedEof | E::InvalidData => Some(Failure::Incomplete),
            _ => None,
        }
    }
}

/// For operations, such as probes, that have nothing more to say.
impl Classify for Failure {
    fn failure(&self) -> Option<Failure> {
        Some(*self)
    }
}
