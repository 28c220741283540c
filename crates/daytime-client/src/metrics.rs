//! What the client counts; `docs/metrics.md` has the table.

use std::time::Duration;

use metrics::{Unit, describe_histogram, histogram};

const REQUEST: &str = "daytime_request_seconds";

/// Tells the recorder what the metrics mean.
pub(crate) fn describe() {
    describe_histogram!(REQUEST, Unit::Seconds, "Time from the first attempt of a request to its end.");
}

/// Counts a request: all its attempts and pauses.
pub(crate) fn request(answered: bool, took: Duration) {
    let outcome = if answered { "answered" } else { "failed" };
    histogram!(REQUEST, "outcome" => outcome).record(took);
}
