//! What an error says about the endpoint, and about a retry.

use std::io;

use crate::failure::Failure;

/// What an error of a call says about its endpoint.
pub trait Classify {
    /// Returns how the endpoint failed, or `None` if the error says nothing about the endpoint: the caller is at fault,
    /// or the answer was a well-formed refusal.
    fn failure(&self) -> Option<Failure>;

    /// Returns whether another endpoint may be tried; true by default.
    fn may_retry(&self) -> bool {
        true
    }
}

/// Refused connections, timeouts, resets and early ends count against the endpoint; other errors, such as too many open
/// files, are the caller's own. All may be retried.
impl Classify for io::Error {
    fn failure(&self) -> Option<Failure> {
        use io::ErrorKind as E;

        match self.kind() {
            E::ConnectionRefused => Some(Failure::Refused),
            // No route to the host: the host itself did not refuse.
            E::TimedOut | E::HostUnreachable | E::NetworkUnreachable => Some(Failure::Timeout),
            E::ConnectionReset | E::ConnectionAborted | E::BrokenPipe | E::NotConnected => {
                Some(Failure::Reset)
            }
            E::UnexpectedEof | E::InvalidData => Some(Failure::Incomplete),
            _ => None,
        }
    }
}
