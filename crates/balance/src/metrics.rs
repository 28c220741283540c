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
