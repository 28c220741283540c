//! Why there is no connection.

use std::error::Error;
use std::fmt;
use std::io;
use std::sync::Arc;

use balance::{Classify, Failure};
use tower::BoxError;

use super::causes::{find, io_error};
use crate::dial::DialError;

/// Why a connection to an instance could not be made. A clone is cheap: all calls that waited for the connection get one.
///
/// Nothing was sent, so every call may go on elsewhere. The endpoint is at fault, except where the chain of sources has an
/// [`DialError`] or an [`io::Error`] that is the caller's own: no file descriptor, no local port, forbidden here.
#[derive(Clone, Debug)]
pub struct ConnectError {
    failure: Option<Failure>,
    source: Option<Arc<dyn Error + Send + Sync>>,
}

impl ConnectError {
    pub(crate) fn new(source: BoxError) -> Self {
        Self { failure: failure(&*source), source: Some(source.into()) }
    }

    /// There was none within the time of a connection.
    pub(crate) fn out_of_time() -> Self {
        Self { failure: Some(Failure::Unreachable), source: None }
    }
}

fn failure(error: &(dyn Error + 'static)) -> Option<Failure> {
    // It has its cause in its text, and not as its source.
    if let Some(dialed) = find::<DialError>(error) {
        return dialed.failure();
    }
    match io_error(error) {
        Some(error) if error.kind() == io::ErrorKind::ConnectionRefused => Some(Failure::Refused),
        // This process, and no endpoint, is to blame.
        Some(error) if error.raw_os_error().is_some() && error.failure().is_none() => None,
        _ => Some(Failure::Unreachable),
    }
}

impl Classify for ConnectError {
    fn failure(&self) -> Option<Failure> {
        self.failure
    }

    fn had_no_effect(&self) -> bool {
        true
    }
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.source.is_some() { "no connection" } else { "no connection in time" })
    }
}

impl Error for ConnectError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_ref().map(|source| &**source as &(dyn Error + 'static))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("wrapped")]
    struct Wrapped(#[source] io::Error);

    fn failure_of(error: io::Error) -> Option<Failure> {
        ConnectError::new(Wrapped(error).into()).failure()
    }

    #[test]
    fn the_innermost_io_error_says_who_is_to_blame() {
        assert_eq!(failure_of(io::ErrorKind::ConnectionRefused.into()), Some(Failure::Refused));
        assert_eq!(failure_of(io::ErrorKind::ConnectionReset.into()), Some(Failure::Unreachable));
        assert_eq!(failure_of(io::ErrorKind::InvalidData.into()), Some(Failure::Unreachable));
        assert_eq!(failure_of(io::Error::from_raw_os_error(24)), None, "too many open files");
        assert_eq!(ConnectError::new("no TLS".into()).failure(), Some(Failure::Unreachable));
        let dialed = |error| ConnectError::new(DialError::Connect(error).into()).failure();
        assert_eq!(dialed(io::ErrorKind::ConnectionRefused.into()), Some(Failure::Refused));
        assert_eq!(dialed(io::Error::from_raw_os_error(24)), None);
        assert!(ConnectError::out_of_time().had_no_effect());
        assert!(ConnectError::new(Wrapped(io::Error::from_raw_os_error(24)).into()).had_no_effect());
    }
}
