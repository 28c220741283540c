//! Maps the errors of the client crate to their meaning for the caller.

use zookeeper_client::Error;

use crate::error::ErrorKind;

/// D5: a lost connection is `ConnectionLoss`, `Custom`, `Timeout` or `UnexpectedError`, depending on how it was lost.
/// So this lists the errors that the *server* replied, and every other error, known or new, leaves the outcome unknown.
pub(super) fn kind(error: Error) -> ErrorKind {
    match error {
        Error::NoNode => ErrorKind::NoNode,
        Error::NodeExists => ErrorKind::NodeExists,
        Error::BadVersion => ErrorKind::BadVersion,
        Error::NotEmpty => ErrorKind::NotEmpty,
        Error::NoAuth => ErrorKind::Denied,
        Error::Unimplemented => ErrorKind::Unsupported,
        // The server throttles requests.
        Error::Throttled => ErrorKind::Busy,
        Error::SessionExpired | Error::ClientClosed => ErrorKind::SessionOver,
        Error::BadArguments(_)
        | Error::NoChildrenForEphemerals
        | Error::InvalidAcl
        | Error::NotReadOnly
        | Error::QuotaExceeded
        | Error::MarshallingError
        | Error::ReconfigDisabled => ErrorKind::Refused(error.to_string()),
        Error::UnexpectedErrorCode(code) => unknown(code),
        Error::UnmarshalError { .. } => ErrorKind::Unexpected(error.to_string()),
        other => ErrorKind::ConnectionLost(other.to_string()),
    }
}

/// An error code that the crate does not know. The numbers are those of `org.apache.zookeeper.KeeperException`.
fn unknown(code: i32) -> ErrorKind {
    /// `REQUESTTIMEOUT`: not completed in time.
    const REQUEST_TIMEOUT: i32 = -122;
    /// `EPHEMERALONLOCALSESSION`.
    const EPHEMERAL_ON_LOCAL_SESSION: i32 = -120;
    /// Codes below it are refusals; codes above it are errors inside the server, after which the outcome is unknown.
    const API_ERROR: i32 = -100;
    match code {
        EPHEMERAL_ON_LOCAL_SESSION => ErrorKind::Refused(
            "a local session cannot own ephemeral znodes; with localSessionsEnabled the servers also need \
             localSessionsUpgradingEnabled"
                .into(),
        ),
        REQUEST_TIMEOUT => ErrorKind::Unexpected(format!("error code {code}, the ensemble took too long")),
        _ if code < API_ERROR => ErrorKind::Refused(format!("error code {code}")),
        _ => ErrorKind::Unexpected(format!("error code {code}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Outcome;

    #[test]
    fn an_unknown_error_code_is_a_reply_and_no_lost_connection() {
        for (code, outcome) in [
            (-120, Outcome::NotDone),
            (-116, Outcome::NotDone),
            (-999, Outcome::NotDone),
            (-122, Outcome::Unknown),
            (-1, Outcome::Unknown),
            (-7, Outcome::Unknown),
            (-100, Outcome::Unknown),
            (7, Outcome::Unknown),
        ] {
            let kind = kind(Error::UnexpectedErrorCode(code));
            assert_eq!(kind.outcome(), outcome, "{code}: {kind}");
            assert!(!matches!(kind, ErrorKind::ConnectionLost(_)), "{code}: {kind}");
        }
        assert!(matches!(kind(Error::ConnectionLoss), ErrorKind::ConnectionLost(_)));
    }
}
