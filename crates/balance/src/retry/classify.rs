//! What an error says about the endpoint, and about trying again.

use std::io;

use crate::Failure;

/// What the errors of a call say about its endpoint.
pub trait Classify {
    /// Returns how the endpoint failed, or `None` if the error says nothing about the endpoint: the fault is
    /// ours, or the answer was a well-formed no.
    fn failure(&self) -> Option<Failure>;

    /// Says whether another endpoint may be tried; yes, unless stated otherwise.
    fn may_retry(&self) -> bool {
        true
    }
}

/// Refused connections, timeouts, resets and early ends are held against the endpoint; anything else, such
/// as too many open files, is our own affair. All may be retried.
impl Classify for io::Error {
    fn failure(&self) -> Option<Failure> {
        use io::ErrorKind as E;

        match self.kind() {
            E::ConnectionRefused => Some(Failure::Refused),
            // No way to the host: nobody there said no, so it is not a refusal.
            E::TimedOut | E::HostUnreachable | E::NetworkUnreachable => Some(Failure::Timeout),
            E::ConnectionReset | E::ConnectionAborted | E::BrokenPipe | E::NotConnected => {
                Some(Failure::Reset)
            }
            E::UnexpectedEof | E::InvalidData => Some(Failure::Incomplete),
            _ => None,
        }
    }
}
