//! Why a call got no answer.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use crate::failure::Failure;

/// How many attempts an error lists: the last ones.
pub const MAX_LISTED_ATTEMPTS: usize = 16;

/// An attempt that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Attempt<K, E> {
    /// The endpoint that was called.
    pub key: K,
    /// The error; `None` if the time of the attempt was over.
    pub error: Option<E>,
    /// The failure that counts against the endpoint, if any.
    pub failure: Option<Failure>,
    /// How long the attempt took.
    pub elapsed: Duration,
    /// Whether it was a trial of an ejected endpoint.
    pub is_trial: bool,
}

/// Why a call ended without an answer.
///
/// What ends it before its time is one of the last three. At the end of its time the reason is what the last look for an endpoint
/// found, if there was nobody to attempt since: one of the first five. Otherwise it is `AllRefused` if nothing but refusals
/// came of all its attempts, and else `OutOfTime`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum GaveUp {
    /// The set of endpoints is not known yet.
    NobodyKnown,
    /// The set of endpoints is known, and empty.
    NobodyRegistered,
    /// No endpoint has the labels that the configuration asks for.
    NoMatch,
    /// Every endpoint is draining or has the weight 0.
    AllClosed,
    /// Every endpoint has as many calls in flight as it may have.
    Saturated,
    /// Each attempt was refused, in every round until the time was over.
    AllRefused,
    /// The time of the whole call is over.
    OutOfTime,
    /// All callers together have made as many retries as the [`Budget`](crate::Budget) allows.
    BudgetSpent,
    /// The call has made as many attempts, or refused ones, as its configuration allows.
    AttemptsSpent,
    /// The last failure allows no retry: the error says so, or the operation may have had an effect and is not idempotent.
    Final,
}

impl GaveUp {
    /// Returns the name of the reason in metrics: `nobody_known`, `budget_spent` and so on.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::NobodyKnown => "nobody_known",
            Self::NobodyRegistered => "nobody_registered",
            Self::NoMatch => "no_match",
            Self::AllClosed => "all_closed",
            Self::Saturated => "saturated",
            Self::AllRefused => "all_refused",
            Self::OutOfTime => "out_of_time",
            Self::BudgetSpent => "budget_spent",
            Self::AttemptsSpent => "attempts_spent",
            Self::Final => "final",
        }
    }
}

impl fmt::Display for GaveUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NobodyKnown => "the endpoints are not known yet",
            Self::NobodyRegistered => "there are no endpoints",
            Self::NoMatch => "no endpoint has the labels that are asked for",
            Self::AllClosed => "all endpoints are draining or have the weight 0",
            Self::Saturated => "all endpoints are at their limit of calls in flight",
            Self::AllRefused => "all refused",
            Self::OutOfTime => "out of time",
            Self::BudgetSpent => "the retry budget is spent",
            Self::AttemptsSpent => "all attempts are spent",
            Self::Final => "a final error",
        })
    }
}

/// The error of a call that no endpoint answered.
///
/// `Display` is one line; the error of the last attempt is the `source`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallError<K, E> {
    pub(super) reason: GaveUp,
    pub(super) attempts: Vec<Attempt<K, E>>,
    pub(super) count: usize,
    pub(super) elapsed: Duration,
}

impl<K, E> CallError<K, E> {
    /// Returns why the call ended.
    #[must_use]
    pub fn reason(&self) -> GaveUp {
        self.reason
    }

    /// Returns the last [`MAX_LISTED_ATTEMPTS`] attempts, in the order in which they ended.
    #[must_use]
    pub fn attempts(&self) -> &[Attempt<K, E>] {
        &self.attempts
    }

    /// Returns how many attempts ended without an answer; trials beside the call are none.
    #[must_use]
    pub fn count(&self) -> usize {
        self.count
    }

    /// Returns how long the call took.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.elapsed
    }

    /// Returns the error of the last attempt, if it had one.
    #[must_use]
    pub fn into_last_error(mut self) -> Option<E> {
        self.attempts.pop()?.error
    }
}

impl<K: fmt::Display, E> fmt::Display for CallError<K, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = if self.count == 1 { "" } else { "s" };
        write!(f, "{} after {:.1?}, {} attempt{plural}", self.reason, self.elapsed, self.count)?;
        let Some(last) = self.attempts.last() else { return Ok(()) };
        let what: &dyn fmt::Display = match &last.failure {
            Some(failure) => failure,
            None if last.error.is_none() => &"cut off",
            None => &"failed",
        };
        write!(f, ", the last at {} {what} after {:.1?}", last.key, last.elapsed)
    }
}

impl<K: fmt::Debug + fmt::Display, E: Error + 'static> Error for CallError<K, E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        let error = self.attempts.last()?.error.as_ref()?;
        Some(error)
    }
}
