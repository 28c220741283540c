//! What is measured, through the facade `metrics`: nothing happens where a program installs no recorder.

use std::sync::Arc;
use std::time::Duration;

use metrics::{counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};

use crate::error::{Error, Outcome};
use crate::state::{Phase, State};
use crate::transport::ConnectError;

/// The instruments of one link.
#[derive(Clone, Debug)]
pub(crate) struct Metrics {
    ensemble: Arc<str>,
}

/// The names of the phases, in the order of a life.
const PHASES: [&str; 4] = ["connected", "suspended", "lost", "closed"];

impl Metrics {
    pub(crate) fn new(ensemble: String) -> Self {
        describe_gauge!("zk_session_state", "1 for the state that the link is in, 0 for the others");
        describe_gauge!("zk_session_epoch", "sessions so far");
        describe_gauge!("zk_session_timeout_seconds", "the negotiated session timeout");
        describe_counter!("zk_reconnects_total", "connections beyond the first");
        describe_counter!("zk_connect_failures_total", "attempts to connect that failed, by reason");
        describe_counter!("zk_requests_total", "requests, by verb and by what is known of the outcome");
        describe_histogram!("zk_request_seconds", "time from a request to its answer, by verb");
        Self { ensemble: ensemble.into() }
    }

    /// The state as it is now, and whether it came about by a new connection.
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

    /// An attempt to connect failed.
    pub(crate) fn trouble(&self, error: &ConnectError) {
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

    /// A verb ended.
    pub(crate) fn request<T>(&self, verb: &'static str, took: Duration, result: &Result<T, Error>) {
        let outcome = match result.as_ref().map_err(Error::outcome) {
            Ok(_) => "done",
            Err(Outcome::NotDone) => "not_done",
            Err(Outcome::Unknown) => "unknown",
            Err(Outcome::SessionOver) => "session_over",
        };
        counter!(
            "zk_requests_total", "ensemble" => self.ensemble.clone(), "verb" => verb, "outcome" => outcome
        )
        .increment(1);
        histogram!("zk_request_seconds", "ensemble" => self.ensemble.clone(), "verb" => verb)
            .record(took.as_secs_f64());
    }
}
