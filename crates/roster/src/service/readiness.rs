//! [`Readiness`] and [`Liveness`]: what a handler answers an orchestrator.

use std::fmt;

use registry::RegistrationStatus;

use super::status::{LeaveError, ServiceStage, ServiceStatus};
use crate::health::ServiceHealth;

/// Whether a service is ready for calls. `Display` says why not.
///
/// It is ready once it has been registered, while it is healthy, until it leaves. ZooKeeper's absence after that does not
/// count: callers keep their last set, so the calls still come, and an orchestrator that took every instance out at the same
/// time would turn an outage of ZooKeeper into one of the service. Before the first registration it does count, so that a
/// rolling restart waits for each new instance to be listed before it stops the next old one.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Readiness {
    /// It is ready.
    Ready,
    /// It was never registered yet, or its link is closed for good: the status that says why.
    NotRegistered(String),
    /// No health check has ended yet.
    Unchecked,
    /// It is sick, for this reason.
    Sick(String),
    /// It leaves, or has left.
    Leaving,
    /// Its task has ended, by a panic or with its runtime: nothing keeps it registered.
    TaskEnded,
}

/// Whether a service is alive: whether a restart of the process is no remedy. `Display` says why it is not.
///
/// It is alive while its task runs and the link to ZooKeeper is not closed for good, connected or not. A service that leaves is
/// alive for as long as its process: what ends then is meant to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Liveness {
    /// It is alive.
    Alive,
    /// Its task has ended, or that of a registration, by a panic or with its runtime: nothing keeps it registered.
    TaskEnded,
    /// The link to ZooKeeper is closed, and the service did not leave before.
    LinkClosed,
}

impl Readiness {
    /// Whether it is ready.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        *self == Self::Ready
    }

    pub(super) fn of(status: &ServiceStatus) -> Self {
        match &status.health {
            _ if status.stage == ServiceStage::Lingering(LeaveError::Ended) => Self::TaskEnded,
            _ if status.stage != ServiceStage::Serving => Self::Leaving,
            ServiceHealth::Unknown => Self::Unchecked,
            ServiceHealth::Sick(reason) => Self::Sick(reason.clone()),
            ServiceHealth::Healthy if status.was_registered && !status.link.is_closed() => Self::Ready,
            ServiceHealth::Healthy => Self::NotRegistered(status.to_string()),
        }
    }
}

impl Liveness {
    /// Whether it is alive.
    #[must_use]
    pub fn is_alive(self) -> bool {
        self == Self::Alive
    }

    pub(super) fn of(status: &ServiceStatus, link_is_closed: bool) -> Self {
        let abandoned = Some(RegistrationStatus::Abandoned);
        match &status.stage {
            ServiceStage::Lingering(LeaveError::Ended) => Self::TaskEnded,
            ServiceStage::Serving if link_is_closed => Self::LinkClosed,
            // With a link, only a registration whose task has ended is given up.
            ServiceStage::Serving if status.instances.iter().any(|one| one.registration == abandoned) => {
                Self::TaskEnded
            }
            _ => Self::Alive,
        }
    }
}

impl fmt::Display for Readiness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ready => f.write_str("ready"),
            Self::NotRegistered(status) => write!(f, "not registered: {status}"),
            Self::Unchecked => f.write_str("not checked yet"),
            Self::Sick(reason) => write!(f, "sick: {reason}"),
            Self::Leaving => f.write_str("leaving"),
            Self::TaskEnded => Liveness::TaskEnded.fmt(f),
        }
    }
}

impl fmt::Display for Liveness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Alive => "alive",
            Self::TaskEnded => "the task that keeps the service registered has ended",
            Self::LinkClosed => "the link to ZooKeeper is closed",
        })
    }
}
