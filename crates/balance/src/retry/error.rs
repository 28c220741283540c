//! Why a call got no answer.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use tokio::time::Instant;

use crate::balancer::PickError;
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
}

/// Why a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum GaveUp {
    /// The time of the whole call is over.
    TimeIsOver,
    /// The last error does not allow a retry.
    NoRetry,
}

/// The error of a call that no endpoint answered.
///
/// `Display` is one line; the error of the last attempt is the `source`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallError<K, E> {
    gave_up: GaveUp,
    attempts: Vec<Attempt<K, E>>,
    count: usize,
    nothing_to_pick: Option<PickError>,
    elapsed: Duration,
}

impl<K, E> CallError<K, E> {
    /// Returns why the call ended.
    #[must_use]
    pub fn gave_up(&self) -> GaveUp {
        self.gave_up
    }

    /// Returns the last [`MAX_LISTED_ATTEMPTS`] attempts, the latest last.
    #[must_use]
    pub fn attempts(&self) -> &[Attempt<K, E>] {
        &self.attempts
    }

    /// Returns how many attempts there were in all.
    #[must_use]
    pub fn count(&self) -> usize {
        self.count
    }

    /// Returns why there was nothing to call, if there was nothing after the last attempt.
    #[must_use]
    pub fn nothing_to_pick(&self) -> Option<PickError> {
        self.nothing_to_pick
    }

    /// Returns how long the call took.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.elapsed
    }
}

impl<K: fmt::Display, E> fmt::Display for CallError<K, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reason = match self.gave_up {
            GaveUp::TimeIsOver => "no answer",
            GaveUp::NoRetry => "a final error",
        };
        let plural = if self.count == 1 { "" } else { "s" };
        write!(f, "{reason} in {:.1?}, {} attempt{plural}", self.elapsed, self.count)?;
        if let Some(last) = self.attempts.last() {
            let what: &dyn fmt::Display = match &last.failure {
                Some(failure) => failure,
                None if last.error.is_none() => &"cut off",
                None => &"failed",
            };
            write!(f, ", the last at {} {what} after {:.1?}", last.key, last.elapsed)?;
        }
        match self.nothing_to_pick {
            Some(reason) => write!(f, "; {reason}"),
            None => Ok(()),
        }
    }
}

impl<K: fmt::Debug + fmt::Display, E: Error + 'static> Error for CallError<K, E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        let error = self.attempts.last()?.error.as_ref()?;
        Some(error)
    }
}

/// Collects the attempts of a call, with bounded memory.
pub(super) struct History<K, E> {
    began: Instant,
    attempts: Vec<Attempt<K, E>>,
    count: usize,
    nothing_to_pick: Option<PickError>,
}

impl<K, E> History<K, E> {
    pub(super) fn new(began: Instant) -> Self {
        Self { began, attempts: Vec::new(), count: 0, nothing_to_pick: None }
    }

    pub(super) fn count(&self) -> usize {
        self.count
    }

    pub(super) fn nothing_to_pick(&mut self, reason: PickError) {
        self.nothing_to_pick = Some(reason);
    }

    pub(super) fn attempted(&mut self, attempt: Attempt<K, E>) {
        if self.attempts.len() == MAX_LISTED_ATTEMPTS {
            self.attempts.remove(0);
        }
        self.attempts.push(attempt);
        self.count += 1;
        // There is something to call now.
        self.nothing_to_pick = None;
    }

    pub(super) fn give_up(self, gave_up: GaveUp) -> CallError<K, E> {
        let Self { began, attempts, count, nothing_to_pick } = self;
        CallError { gave_up, attempts, count, nothing_to_pick, elapsed: began.elapsed() }
    }
}
