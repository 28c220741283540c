//! The client crate's errors, by what they mean for the caller.

use zookeeper_client::Error;

use crate::error::ErrorKind;

/// D5: a lost connection is `ConnectionLoss`, `Custom`, `Timeout` or `UnexpectedError`, depending on how
/// it was lost. So the question is turned round: what the *server* answered is listed, and everything
/// else, known or new, leaves the outcome unknown.
pub(super) fn kind(error: Error) -> ErrorKind {
    match error {
        Error::NoNode => ErrorKind::NoNode,
        Error::NodeExists => ErrorKind::NodeExists,
        Error::BadVersion => ErrorKind::BadVersion,
        Error::NotEmpty => ErrorKind::NotEmpty,
        Error::NoAuth => ErrorKind::Denied,
        Error::Unimplemented => ErrorKind::Unsupported,
        Error::SessionExpired | Error::ClientClosed => ErrorKind::SessionOver,
        Error::BadArguments(_)
        | Error::NoChildrenForEphemerals
        | Error::InvalidAcl
        | Error::NotReadOnly
        | Error::QuotaExceeded
        | Error::Throttled
        | Error::MarshallingError
        | Error::ReconfigDisabled => ErrorKind::Refused(error.to_string()),
        other => ErrorKind::ConnectionLost(other.to_string()),
    }
}
