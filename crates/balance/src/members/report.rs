//! What is reported of a call.

use std::time::Duration;

use crate::entry::Ticket;
use crate::failure::Failure;

/// What is reported of a call.
#[derive(Clone, Copy, Debug)]
pub(crate) enum HealthReport {
    /// A call in service failed.
    Failed { generation: u16, failure: Failure, took: Duration },
    /// A trial, or a call because all look bad, succeeded.
    Recovered { ticket: Ticket },
    /// A trial, or a call because all look bad, failed.
    FailedAgain { ticket: Ticket, failure: Failure, took: Duration },
    /// A trial ended without a report.
    GaveUp { ticket: Ticket },
}

impl HealthReport {
    /// Its name, for those who follow the arrows of endpoints.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Failed { failure, .. } => failure.name(),
            Self::Recovered { ticket: Ticket::InService { .. } } => "answered",
            Self::Recovered { ticket: Ticket::LastResort { .. } } => "last_resort_answered",
            Self::Recovered { ticket: Ticket::Trial { .. } } => "trial_answered",
            Self::FailedAgain { ticket: Ticket::InService { .. }, failure, .. } => failure.name(),
            Self::FailedAgain { ticket: Ticket::LastResort { .. }, failure: Failure::Refused, .. } => {
                "last_resort_refused"
            }
            Self::FailedAgain { ticket: Ticket::LastResort { .. }, .. } => "last_resort_failed",
            Self::FailedAgain { ticket: Ticket::Trial { .. }, failure: Failure::Refused, .. } => {
                "trial_refused"
            }
            Self::FailedAgain { ticket: Ticket::Trial { .. }, .. } => "trial_failed",
            Self::GaveUp { .. } => "gave_up",
        }
    }
}
