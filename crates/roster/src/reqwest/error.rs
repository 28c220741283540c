//! How one attempt of a request failed.

use std::error::Error;
use std::fmt;

use balance::{Classify, Failure};
use reqwest::StatusCode;

/// How one attempt of a request failed.
#[derive(Debug)]
pub struct HttpError {
    what: What,
    /// The request cannot be sent again.
    is_last: bool,
}

#[derive(Debug)]
pub(super) enum What {
    /// The request was not answered.
    Sending(reqwest::Error),
    /// The instance answered that it cannot serve.
    Answer(StatusCode, Failure),
    /// The host under which the instance is registered cannot stand in a URL.
    Host,
    /// The body was sent by an earlier attempt, and cannot be cloned.
    Spent,
}

impl HttpError {
    pub(super) fn new(what: What, is_last: bool) -> Self {
        Self { what, is_last }
    }

    /// Returns the status, if the instance has answered that it cannot serve: 502, 503, 504 or 429.
    #[must_use]
    pub fn status(&self) -> Option<StatusCode> {
        match &self.what {
            What::Answer(status, _) => Some(*status),
            _ => None,
        }
    }

    /// Returns the error of reqwest, if there was no answer.
    #[must_use]
    pub fn sending(&self) -> Option<&reqwest::Error> {
        match &self.what {
            What::Sending(error) => Some(error),
            _ => None,
        }
    }
}

impl Classify for HttpError {
    fn failure(&self) -> Option<Failure> {
        match &self.what {
            What::Sending(error) => error.failure(),
            What::Answer(_, failure) => Some(*failure),
            What::Host => Some(Failure::Unreachable),
            What::Spent => None,
        }
    }

    fn may_retry(&self) -> bool {
        match &self.what {
            _ if self.is_last => false,
            What::Sending(error) => error.may_retry(),
            What::Answer(..) | What::Host => true,
            What::Spent => false,
        }
    }

    fn had_no_effect(&self) -> bool {
        match &self.what {
            What::Sending(error) => error.had_no_effect(),
            What::Answer(_, failure) => failure.had_no_effect(),
            What::Host | What::Spent => true,
        }
    }
}

impl fmt::Display for HttpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.what {
            What::Sending(_) => f.write_str("the request was not answered"),
            What::Answer(status, _) => write!(f, "the answer was {status}"),
            What::Host => f.write_str("the registered host cannot stand in a URL"),
            What::Spent => f.write_str("the body of the request can be sent only once"),
        }
    }
}

impl Error for HttpError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.what {
            What::Sending(error) => Some(error),
            _ => None,
        }
    }
}
