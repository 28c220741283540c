//! How a call failed.

use thiserror::Error;

/// How a call failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
pub enum Failure {
    /// The connection was refused: nothing listens there.
    #[error("refused")]
    Refused,
    /// There was no answer in time, or no route to the host.
    #[error("timed out")]
    Timeout,
    /// The connection broke.
    #[error("reset")]
    Reset,
    /// The answer ended early or made no sense.
    #[error("incomplete answer")]
    Incomplete,
}
