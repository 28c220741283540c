//! What the errors of reqwest say.

use std::io;

use ::reqwest::Error;

use super::{Classify, chain, status};
use crate::failure::Failure;

/// As the error of hyper that is its cause; and the status, if it comes from `error_for_status`.
///
/// | | failure | retried |
/// | --- | --- | --- |
/// | refused | `Refused` | always: nothing was sent |
/// | no route, no name, no connection within `connect_timeout`, no TLS | `Unreachable` | always: nothing was sent |
/// | this side is short of file descriptors or ports | none | always: nothing was sent |
/// | `timeout`, `read_timeout` | `Timeout` | idempotent calls |
/// | the connection broke | `Reset` | idempotent calls; all, if the request was not sent yet |
/// | the answer ended early, or was no HTTP | `Incomplete` | idempotent calls |
/// | status 502, 503, 504 | `Unavailable` | idempotent calls |
/// | status 429 | `Overloaded` | always |
/// | any other status of 400 and above, 500 among them: a proper answer | none | no |
/// | the request cannot be built, too many redirects, a body that is not what the caller expects (JSON) | none | no |
///
/// A 503 with `Retry-After` counts as one without: the error does not have the header. Without a `connect_timeout` of the client, an
/// endpoint that does not accept is found out by the end of the attempt only, and after that nobody knows what was sent. Errors
/// of a proxy count against the endpoint: `no_proxy` takes it out of the way. So do errors on the way to where a redirect leads, and
/// a connection that is refused there says *not sent* although the endpoint has served the request: turn redirects off, by
/// `redirect(Policy::none())`.
impl Classify for Error {
    fn failure(&self) -> Option<Failure> {
        match cause(self) {
            Cause::Status(status) => status::failure(status),
            Cause::Connecting => chain::while_connecting(self),
            Cause::Http(error) => error.failure(),
            Cause::Time => Some(Failure::Timeout),
            Cause::Io(error) => Some(chain::once_connected(error)),
            Cause::Own => None,
        }
    }

    fn may_retry(&self) -> bool {
        match cause(self) {
            Cause::Status(status) => status::failure(status).is_some(),
            Cause::Connecting | Cause::Time | Cause::Io(_) => true,
            Cause::Http(error) => error.may_retry(),
            Cause::Own => false,
        }
    }

    fn had_no_effect(&self) -> bool {
        match cause(self) {
            Cause::Connecting => true,
            Cause::Http(error) => error.had_no_effect(),
            Cause::Status(_) | Cause::Time | Cause::Io(_) => {
                self.failure().is_some_and(Failure::had_no_effect)
            }
            Cause::Own => false,
        }
    }
}

/// Where an error comes from.
enum Cause<'a> {
    Status(u16),
    Connecting,
    Time,
    Http(&'a hyper::Error),
    Io(&'a io::Error),
    /// The caller, or an answer that it does not understand.
    Own,
}

fn cause(error: &Error) -> Cause<'_> {
    if let Some(status) = error.status() {
        Cause::Status(status.as_u16())
    } else if error.is_builder() || error.is_redirect() || error.is_upgrade() {
        Cause::Own
    } else if error.is_connect() {
        Cause::Connecting
    } else if error.is_timeout() {
        Cause::Time
    } else if let Some(error) = chain::find(error) {
        Cause::Http(error)
    } else if let Some(error) = chain::find(error) {
        Cause::Io(error)
    } else {
        Cause::Own
    }
}
