//! Metrics, through the facade of the crate `metrics`; `docs/metrics.md` has the table.
//!
//! A pick, and a report of success that changes nothing, call none of these: they take nanoseconds, and a recorder
//! takes a lock.

use metrics::{counter, gauge};

use crate::failure::Failure;

/// Counts an ejection: the first one, or one more because the trial failed.
pub(crate) fn ejection(failure: Failure) {
    counter!("balance_ejections_total", "cause" => failure.name()).increment(1);
}

/// Changes the number of endpoints of current sets that are out of service.
pub(crate) fn out_of_service(before: u64, now: u64) {
    if before != now {
        gauge!("balance_ejected").increment(now as f64 - before as f64);
    }
}

/// How an attempt or a trial ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    Answered,
    Failed(Failure),
    /// An error that says nothing about the endpoint.
    Error,
    /// The caller had no time left, before the endpoint had a fair time.
    CutShort {
        /// Whether it counts as a soft failure nevertheless.
        is_doubtful: bool,
    },
}

impl Ended {
    fn outcome(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Failed(failure) => failure.name(),
            Self::Error => "error",
            Self::CutShort { .. } => "cut_short",
        }
    }
}

/// Counts an attempt of a call, which was no trial.
pub(crate) fn attempt(ended: Ended) {
    counter!("balance_attempts_total", "outcome" => ended.outcome()).increment(1);
}

/// Counts an attempt that follows a failed one.
pub(crate) fn retry() {
    counter!("balance_retries_total").increment(1);
}

/// Counts an attempt in a race with a slow one.
pub(crate) fn hedge() {
    counter!("balance_hedges_total").increment(1);
}

/// Counts a trial of an ejected endpoint: by a pick, beside a call, or by a probe. `None` if nobody told how it ended.
pub(crate) fn trial(ended: Option<Result<(), Failure>>) {
    let outcome = match ended {
        Some(Ok(())) => "answered",
        Some(Err(failure)) => failure.name(),
        None => "unsettled",
    };
    counter!("balance_trials_total", "outcome" => outcome).increment(1);
}

/// Counts a call without an answer.
pub(crate) fn call_failed(reason: &'static str) {
    counter!("balance_calls_failed_total", "reason" => reason).increment(1);
}
