//! What the errors of hyper, and of the client of hyper-util, say.

use std::io;

use ::hyper::Error;
use hyper_util::client::legacy;

use super::{Classify, chain, http2};
use crate::failure::Failure;

/// The connection was there: whatever broke it, the request may have been processed, unless hyper says that it was not sent, or
/// (with the feature `http2`) the endpoint that it was refused.
///
/// | | failure | no effect |
/// | --- | --- | --- |
/// | the answer ended early, or was no HTTP | `Incomplete` | |
/// | a timeout | `Timeout` | |
/// | the connection broke | `Reset` | only if the request was still waiting to be sent |
/// | HTTP/2: `REFUSED_STREAM` | `Overloaded` | yes |
/// | HTTP/2: `GOAWAY` without an error, before it came to the request | `Unavailable` | yes |
/// | the caller's own: its body failed | none, and no retry | |
impl Classify for Error {
    fn failure(&self) -> Option<Failure> {
        if self.is_user() {
            return None;
        }
        Some(match http2::unprocessed(self) {
            Some(failure) => failure,
            None if self.is_timeout() => Failure::Timeout,
            None if self.is_incomplete_message() || self.is_parse() => Failure::Incomplete,
            None => chain::find::<io::Error>(self).map_or(Failure::Reset, chain::once_connected),
        })
    }

    fn may_retry(&self) -> bool {
        !self.is_user()
    }

    fn had_no_effect(&self) -> bool {
        self.is_canceled() || self.is_closed() || http2::unprocessed(self).is_some()
    }
}

/// Before there was a connection nothing was sent: `Refused`, or `Unreachable` for all else (no route, no name, no TLS), or no
/// failure where this side is short of file descriptors or ports. After that, what hyper's own error says. A request that the
/// client cannot send at all, such as one without a host, is no failure, and not retried.
impl Classify for legacy::Error {
    fn failure(&self) -> Option<Failure> {
        match self.is_connect() {
            true => chain::while_connecting(self),
            false => chain::find::<Error>(self).and_then(Classify::failure),
        }
    }

    fn may_retry(&self) -> bool {
        self.is_connect() || chain::find::<Error>(self).is_some_and(Classify::may_retry)
    }

    fn had_no_effect(&self) -> bool {
        self.is_connect() || chain::find::<Error>(self).is_some_and(Classify::had_no_effect)
    }
}
