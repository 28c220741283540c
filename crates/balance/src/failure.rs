//! How a call failed, and what that means.

use thiserror::Error;

/// How a call failed.
///
/// | failure | of HTTP and gRPC | retried | a retry costs budget | ejects |
/// | --- | --- | --- | --- | --- |
/// | `Refused` | connection refused | always: nothing was sent | no | at the first |
/// | `Unreachable` | no route, no name, no connection in time | always: nothing was sent | no | at the first |
/// | `Timeout` | no answer in time | idempotent calls | yes | at the first |
/// | `Reset` | the connection broke | idempotent calls | yes | at the first |
/// | `Incomplete` | the answer ended early or made no sense | idempotent calls | yes | at the first |
/// | `Unavailable` | 502, 503, 504; `UNAVAILABLE` | idempotent calls | yes | at the fifth in a row, or by share |
/// | `Overloaded` | 429, 503 with `Retry-After`; `RESOURCE_EXHAUSTED` | always: it was not served | yes | at the fifth in a row, or by share |
///
/// *At the first* and *at the fifth* are defaults of [`BalancerConfig`](crate::BalancerConfig).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
#[non_exhaustive]
pub enum Failure {
    /// The connection was refused: nothing listens there.
    #[error("refused")]
    Refused,
    /// No connection: no route to the host, its name could not be resolved, or it did not accept in time.
    #[error("unreachable")]
    Unreachable,
    /// There was no answer in time.
    #[error("timed out")]
    Timeout,
    /// The connection broke.
    #[error("reset")]
    Reset,
    /// The answer ended early or made no sense.
    #[error("incomplete answer")]
    Incomplete,
    /// The endpoint answered that it, or what it depends on, cannot serve.
    #[error("unavailable")]
    Unavailable,
    /// The endpoint answered that it has too much to do, and did nothing.
    #[error("overloaded")]
    Overloaded,
}

impl Failure {
    /// Every failure.
    pub const ALL: [Self; 7] = [
        Self::Refused,
        Self::Unreachable,
        Self::Timeout,
        Self::Reset,
        Self::Incomplete,
        Self::Unavailable,
        Self::Overloaded,
    ];

    /// Returns the name of the failure in metrics: `refused`, `unreachable` and so on.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Unreachable => "unreachable",
            Self::Timeout => "timeout",
            Self::Reset => "reset",
            Self::Incomplete => "incomplete",
            Self::Unavailable => "unavailable",
            Self::Overloaded => "overloaded",
        }
    }

    /// Returns whether the operation was not even sent: a retry elsewhere is then no more load than the call itself.
    #[must_use]
    pub fn was_not_sent(self) -> bool {
        matches!(self, Self::Refused | Self::Unreachable)
    }

    /// Returns whether the operation certainly had no effect: a call that must not be repeated may be tried elsewhere.
    #[must_use]
    pub fn had_no_effect(self) -> bool {
        matches!(self, Self::Refused | Self::Unreachable | Self::Overloaded)
    }

    /// Whether the caller has waited in vain all the time that the attempt took.
    pub(crate) fn is_by_time(self) -> bool {
        matches!(self, Self::Unreachable | Self::Timeout)
    }

    /// Returns whether the endpoint gave no proper answer at all. A soft failure, the opposite, is an answer: another
    /// call may well succeed.
    #[must_use]
    pub fn is_hard(self) -> bool {
        !matches!(self, Self::Unavailable | Self::Overloaded)
    }
}
