//! What the status of an HTTP response says.

use crate::failure::Failure;

/// Returns how the endpoint failed that answered with this status, or `None` if that was a proper answer.
///
/// 502, 503 and 504 say that the endpoint, or what is behind it, cannot serve now; gRPC and Envoy (`gateway-error`) retry these.
/// A 500 says that one request met a fault: every endpoint would answer it so, and five such requests would eject one after the
/// other. All else is for the caller to read.
pub(super) fn failure(status: u16) -> Option<Failure> {
    match status {
        429 => Some(Failure::Overloaded),
        502..=504 => Some(Failure::Unavailable),
        _ => None,
    }
}
