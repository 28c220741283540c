//! The metrics of a link, through the facade `metrics`: without a recorder they cost next to nothing.

use std::sync::Arc;
use std::time::Duration;

use metrics::{counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};

use crate::error::{Error, Outcome};
use crate::state::{Phase, State};
use crate::transport::ConnectError;

/// Records the metrics of one link.
#[derive(Clone, Debug)]
pub(crate) struct Metrics {
    ensemble: Arc<str>,
}

/// The values of the label `state`.
const PHASES: [&str; 4] = ["connected", "suspended", "lost", "closed"];

impl Metrics {
    pub(crate) fn new(ensemble: String) -> Self {
        describe_gauge!("zk_session_state", "1 for the state that the link is in, 0 for the others");
        describe_gauge!("zk_session_epoch", "sessions so far");
        describe_gauge!("zk_session_timeout_seconds", "the negotiated session timeout");
        describe_counter!("zk_reconnects_total", "connections beyond the first");
        describe_counter!("zk_connect_failures_total", "attempts to connect that failed, by reason");
        describe_counter!("zk_requests_total", "requests, by verb and by what is known of the outcome");
        describe_histogram!("zk_request_seconds", "time from a request to its reply, by verb");
        Self { ensemble: ensemble.into() }
    }

    /// Records the current state, and whether it came with a new connection.
    pub(crate) fn state(&self, state: &State, reconnected: bool) {
        let now = match state.phase {
            Phase::Connected => "connected",
            Phase::Suspended => "suspended",
            Phase::Lost => "lost",
            Phase::Closed(_) => "closed",
        };
        for phase in PHASES {
            let value = if phase == now { 1.0 } else { 0.0 };
            gauge!("zk_session_state", "ensemble" => self.ensemble.clone(), "state" => phase).set(value);
        }
        gauge!("zk_session_epoch", "ensemble" => self.ensemble.clone()).set(state.epoch as f64);
        if let Some(session) = &state.session {
            let timeout = session.timeout.as_secs_f64();
            gauge!("zk_session_timeout_seconds", "ensemble" => self.ensemble.clone()).set(timeout);
        }
        counter!("zk_reconnects_total", "ensemble" => self.ensemble.clone())
            .increment(u64::from(reconnected));
    }

    /// Counts a failed attempt to connect.
    pub(crate) fn connect_failure(&self, error: &ConnectError) {
        let reason = match error {
            ConnectError::SessionExpired => "session_expired",
            ConnectError::AuthFailed { .. } => "auth_failed",
            ConnectError::NotAuthenticated { .. } => "not_authenticated",
            ConnectError::Handshake { .. } => "handshake",
            ConnectError::Unreachable(_) => "unreachable",
        };
        counter!("zk_connect_failures_total", "ensemble" => self.ensemble.clone(), "reason" => reason)
            .increment(1);
    }

    /// Counts a finished operation, under its published label `verb`.
    pub(crate) fn request<T>(&self, operation: &'static str, took: Duration, result: &Result<T, Error>) {
        let outcome = match result.as_ref().map_err(Error::outcome) {
            Ok(_) => "done",
            Err(Outcome::NotDone) => "not_done",
            Err(Outcome::Unknown) => "unknown",
            Err(Outcome::SessionOver) => "session_over",
        };
        counter!(
            "zk_requests_total", "ensemble" => self.ensemble.clone(), "verb" => operation, "outcome" => outcome
        )
        .increment(1);
        histogram!("zk_request_seconds", "ensemble" => self.ensemble.clone(), "verb" => operation)
            .record(took.as_secs_f64());
    }
}
