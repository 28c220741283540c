//! Metrics, through the facade of the crate `metrics`; `docs/metrics.md` has the table.
//!
//! A pick, and a report of success that changes nothing, call none of these: they take nanoseconds, and a recorder
//! takes a lock.

use metrics::{counter, gauge};

use crate::failure::Failure;

/// How an attempt of a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    Answered,
    Failed(Failure),
    /// An error that says nothing about the endpoint.
    Error,
    /// The call ended during the attempt.
    CutShort,
}

pub(crate) fn attempt(ended: Ended) {
    let outcome = match ended {
        Ended::Answered => "answered",
        Ended::Failed(Failure::Refused) => "refused",
        Ended::Failed(Failure::Timeout) => "timeout",
        Ended::Failed(Failure::Reset) => "reset",
        Ended::Failed(Failure::Incomplete) => "incomplete",
        Ended::Error => "error",
        Ended::CutShort => "cut_short",
    };
    counter!("balance_attempts_total", "outcome" => outcome).increment(1);
}

/// Counts an attempt that is not the first of its call.
pub(crate) fn retry() {
    counter!("balance_retries_total").increment(1);
}

/// Counts an ejection: the first one, or one more because the trial failed.
pub(crate) fn ejection(failure: Failure) {
    let cause = match failure {
        Failure::Refused => "refused",
        Failure::Timeout => "timeout",
        Failure::Reset => "reset",
        Failure::Incomplete => "incomplete",
    };
    counter!("balance_ejections_total", "cause" => cause).increment(1);
}

/// Counts one more, or one less, endpoint of a current set that is out of service.
pub(crate) fn out_of_service(more: bool) {
    let gauge = gauge!("balance_ejected");
    if more { gauge.increment(1) } else { gauge.decrement(1) }
}
