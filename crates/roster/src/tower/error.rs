//! How an attempt failed.

use balance::{Classify, Failure};

use super::connect_error::ConnectError;

/// How an attempt of a [`Balanced`](super::Balanced) failed; `E` is the error of the connection.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AttemptError<E> {
    /// There is no connection. Nothing was sent.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The connection took no request within the attempt's time. Nothing was sent.
    #[error("the connection takes no request")]
    Busy,
    /// A new connection broke before it took the request. Nothing was sent.
    #[error("the new connection is broken")]
    Broken(#[source] E),
    /// The connection took the request, and returned this error.
    #[error("no answer")]
    Failed {
        /// The error of the connection.
        #[source]
        error: E,
        /// Whether there is a copy of the request for another attempt.
        has_copy: bool,
    },
    /// An earlier attempt has taken the request, and there is no copy. This one has sent nothing.
    #[error("the request was sent already, and cannot be copied")]
    Sent,
}

impl<E> AttemptError<E> {
    /// With another error of the connection.
    #[cfg(feature = "tonic")]
    pub(crate) fn map<F>(self, map: impl FnOnce(E) -> F) -> AttemptError<F> {
        match self {
            Self::Connect(error) => AttemptError::Connect(error),
            Self::Busy => AttemptError::Busy,
            Self::Broken(error) => AttemptError::Broken(map(error)),
            Self::Failed { error, has_copy } => AttemptError::Failed { error: map(error), has_copy },
            Self::Sent => AttemptError::Sent,
        }
    }
}

impl<E: Classify> Classify for AttemptError<E> {
    fn failure(&self) -> Option<Failure> {
        match self {
            Self::Connect(error) => error.failure(),
            Self::Busy => Some(Failure::Overloaded),
            Self::Broken(_) => Some(Failure::Unreachable),
            Self::Failed { error, .. } => error.failure(),
            Self::Sent => None,
        }
    }

    fn may_retry(&self) -> bool {
        match self {
            Self::Connect(_) | Self::Busy | Self::Broken(_) => true,
            Self::Failed { error, has_copy } => *has_copy && error.may_retry(),
            Self::Sent => false,
        }
    }

    fn had_no_effect(&self) -> bool {
        match self {
            Self::Connect(_) | Self::Busy | Self::Broken(_) | Self::Sent => true,
            Self::Failed { error, .. } => error.had_no_effect(),
        }
    }
}
