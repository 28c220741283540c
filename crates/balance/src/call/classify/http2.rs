//! What HTTP/2 says about requests that were not processed.

use std::error::Error;

use crate::failure::Failure;

/// Returns how the endpoint failed that has certainly not processed the request (RFC 9113, section 8.7): it refused the stream, or
/// went away before it came to it. `None` without the feature `http2`.
#[cfg(feature = "http2")]
pub(super) fn unprocessed(error: &(dyn Error + 'static)) -> Option<Failure> {
    let error = super::chain::find::<h2::Error>(error).filter(|error| error.is_remote())?;
    match error.reason()? {
        h2::Reason::REFUSED_STREAM if error.is_reset() => Some(Failure::Overloaded),
        // Streams that it may have processed do not get this error. With any other reason the connection broke.
        h2::Reason::NO_ERROR if error.is_go_away() => Some(Failure::Unavailable),
        _ => None,
    }
}

#[cfg(not(feature = "http2"))]
pub(super) fn unprocessed(_: &(dyn Error + 'static)) -> Option<Failure> {
    None
}
