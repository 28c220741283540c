//! The metrics of the client; `docs/metrics.md` lists them.

use std::time::Duration;

use metrics::{Unit, describe_histogram, histogram};

const REQUEST: &str = "daytime_request_seconds";

/// Describes the metrics to the recorder.
pub(crate) fn describe() {
    describe_histogram!(REQUEST, Unit::Seconds, "Time from the first attempt of a request to its end.");
}

/// Records a request, with all its attempts and pauses.
pub(crate) fn request(answered: bool, took: Duration) {
    let outcome = if answered { "answered" } else { "failed" };
    histogram!(REQUEST, "outcome" => outcome).record(took);
}
