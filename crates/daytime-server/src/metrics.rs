//! What the server counts; `docs/metrics.md` has the table.

use metrics::{counter, describe_counter, describe_gauge, gauge};

const REQUESTS: &str = "daytime_requests_total";
const CONNECTIONS: &str = "daytime_connections";

/// What became of a request.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Outcome {
    /// The line was handed to the system for sending.
    Answered,
    /// The connection broke, or the datagram could not be sent.
    Failed,
    /// The connection took longer than it may.
    TimedOut,
    /// There were too many connections.
    TurnedAway,
    /// A datagram that could be the work of a loop or of a reflection.
    Ignored,
}

/// Tells the recorder what the metrics mean.
pub(crate) fn describe() {
    describe_counter!(REQUESTS, "Requests by transport and by what became of them.");
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

/// An open connection, counted while it lives: as `answering`, later as `closing`.
#[derive(Debug)]
pub(crate) struct Open(&'static str);

impl Open {
    pub(crate) fn answering() -> Self {
        Self::count("answering")
    }

    /// The line is sent; the caller has yet to close.
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
