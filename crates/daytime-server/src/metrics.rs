//! The metrics of the server; `docs/metrics.md` lists them.

use metrics::{counter, describe_counter, describe_gauge, gauge};

const REQUESTS: &str = "daytime_requests_total";
const CONNECTIONS: &str = "daytime_connections";

/// The outcome of a request.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Outcome {
    /// The system has taken the line for sending.
    Answered,
    /// The connection broke, or the datagram could not be sent.
    Failed,
    /// The connection exceeded its time limit.
    TimedOut,
    /// The server had too many connections, or too few file descriptors.
    TurnedAway,
    /// A datagram that could start a loop or hit a third party.
    Ignored,
}

/// Describes the metrics to the recorder.
pub(crate) fn describe() {
    describe_counter!(REQUESTS, "Requests by transport and outcome.");
    describe_gauge!(CONNECTIONS, "Open TCP connections by state.");
}

/// Counts a request.
pub(crate) fn request(transport: &'static str, outcome: Outcome) {
    let outcome = match outcome {
        Outcome::Answered => "answered",
        Outcome::Failed => "failed",
        Outcome::TimedOut => "timed_out",
        Outcome::TurnedAway => "turned_away",
        Outcome::Ignored => "ignored",
    };
    counter!(REQUESTS, "transport" => transport, "outcome" => outcome).increment(1);
}

/// Counts an open connection until drop: as `answering`, later as `closing`.
#[derive(Debug)]
pub(crate) struct Open(&'static str);

impl Open {
    pub(crate) fn answering() -> Self {
        Self::count("answering")
    }

    /// The line is sent; the caller has not closed yet.
    pub(crate) fn closing(&mut self) {
        *self = Self::count("closing");
    }

    fn count(state: &'static str) -> Self {
        gauge!(CONNECTIONS, "state" => state).increment(1);
        Self(state)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        gauge!(CONNECTIONS, "state" => self.0).decrement(1);
    }
}
