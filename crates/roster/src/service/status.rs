//! [`ServiceStatus`]: where a service stands.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use instance::Endpoint;
use registry::{RegistrationStatus, ShutdownError};
use zk_core::{State, ZnodePath};

use crate::health::ServiceHealth;

/// How many instances `Display` shows one by one.
const SHOWN: usize = 4;

/// Where a service stands at one moment. `Display` is one line that an operator can read:
///
/// ```text
/// /services/web: 10.0.0.7:80 registered
/// /services/web: 10.0.0.7:80 pending; waiting for ZooKeeper: no server reachable (zk1:2181: Connection refused)
/// /services/web: draining, sick: the database is away; 10.0.0.7:80 registered
/// ```
///
/// With the feature `serde` it serializes; stage and health as the text that they show.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct ServiceStatus {
    /// The znode whose children are the instances of the service.
    pub service: ZnodePath,
    /// How far the service is in its life.
    #[cfg_attr(feature = "serde", serde(serialize_with = "shown"))]
    pub stage: ServiceStage,
    /// The verdict of its check.
    #[cfg_attr(feature = "serde", serde(serialize_with = "shown"))]
    pub health: ServiceHealth,
    /// Whether its records say that it is draining.
    pub draining: bool,
    /// The state of the link to ZooKeeper, with the reason why there is none.
    pub link: State,
    /// What is registered for each of its listeners.
    pub instances: Vec<InstanceStatus>,
    /// Whether all of them have been registered at one time.
    pub was_registered: bool,
}

/// What is registered for one listener.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct InstanceStatus {
    /// Where it listens.
    pub bound: SocketAddr,
    /// Where callers reach it; `None` until an address is found.
    pub endpoint: Option<Endpoint>,
    /// Why that was not found the last time; the last one stays.
    pub address_trouble: Option<String>,
    /// Where its registration stands; `None` where none is wanted, as of a sick service that has left.
    pub registration: Option<RegistrationStatus>,
    /// Why it cannot be registered at all.
    pub refused: Option<String>,
    /// Its endpoints from before its address changed, until they are deregistered.
    pub former: Vec<Endpoint>,
}

/// How far a service is in its life.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ServiceStage {
    /// It serves, and is registered as far as ZooKeeper and its health allow.
    Serving,
    /// It is about to leave: its records say that it is draining.
    Draining,
    /// It is being deregistered.
    Deregistering,
    /// It is deregistered, and serves on while callers learn of that.
    Settling,
    /// It has left: nothing of it is registered any more. Final.
    Left,
    /// It has left, but ZooKeeper did not confirm that in time, or its task has ended before. Final.
    Lingering(LeaveError),
}

/// A service is not registered in time, or not any more.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("not registered after {waited:?}: {status}")]
pub struct ServiceNotRegistered {
    /// How long the caller waited.
    pub waited: Duration,
    /// Where the service stands, and why.
    pub status: Box<ServiceStatus>,
}

/// ZooKeeper did not confirm a leave in time. The instances may stay listed until the session ends: until it is closed, or
/// for a session timeout.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LeaveError {
    /// The deletion of some instances was not confirmed.
    #[error("ZooKeeper did not confirm in time that the service has left")]
    NotConfirmed(#[from] ShutdownError),
    /// The task of the service has ended, by a panic, with its last handle or with its runtime.
    #[error("the task of the service has ended before")]
    Ended,
}

impl ServiceStatus {
    /// Whether every listener is registered at this moment.
    #[must_use]
    pub fn is_registered(&self) -> bool {
        !self.instances.is_empty() && self.instances.iter().all(InstanceStatus::is_registered)
    }
}

impl InstanceStatus {
    /// Whether it is registered at this moment.
    #[must_use]
    pub fn is_registered(&self) -> bool {
        self.registration.as_ref().is_some_and(RegistrationStatus::is_registered)
    }
}

impl ServiceStage {
    /// Whether the service has left, or its leave has ended without a confirmation.
    #[must_use]
    pub fn is_final(&self) -> bool {
        matches!(self, Self::Left | Self::Lingering(_))
    }

    /// Its name, whatever its fields are.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Serving => "serving",
            Self::Draining => "draining",
            Self::Deregistering => "deregistering",
            Self::Settling => "settling",
            Self::Left => "left",
            Self::Lingering(_) => "lingering",
        }
    }
}

// === Text ===

impl fmt::Display for ServiceStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.service)?;
        if self.stage != ServiceStage::Serving {
            write!(f, "{}, ", self.stage)?;
        } else if self.draining {
            f.write_str("draining, ")?;
        }
        if self.health != ServiceHealth::Healthy {
            write!(f, "{}; ", self.health)?;
        }
        // What is not as it should be comes first.
        let (well, other): (Vec<_>, Vec<_>) = self.instances.iter().partition(|one| one.is_registered());
        for (at, instance) in other.iter().chain(&well).take(SHOWN).enumerate() {
            write!(f, "{}{instance}", if at == 0 { "" } else { ", " })?;
        }
        if self.instances.len() > SHOWN {
            write!(f, "; {} of {} registered", well.len(), self.instances.len())?;
        }
        if !self.link.is_connected() && !self.stage.is_final() {
            write!(f, "; {}", self.link)?;
        }
        Ok(())
    }
}

impl fmt::Display for InstanceStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(endpoint) = &self.endpoint else {
            write!(f, "{}: no address to advertise yet", self.bound)?;
            return self.address_trouble.iter().try_for_each(|trouble| write!(f, ": {trouble}"));
        };
        write!(f, "{endpoint} ")?;
        match (&self.refused, &self.registration) {
            (Some(why), _) => write!(f, "cannot be registered: {why}")?,
            // Its session and its czxid are for machines.
            (None, Some(RegistrationStatus::Registered { .. })) => f.write_str("registered")?,
            (None, Some(registration)) => write!(f, "{registration}")?,
            (None, None) => f.write_str("not registered")?,
        }
        self.former.iter().try_for_each(|former| write!(f, " (formerly {former})"))
    }
}

impl fmt::Display for ServiceStage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Serving => f.write_str("serving"),
            Self::Draining => f.write_str("leaving: draining"),
            Self::Deregistering => f.write_str("leaving: deregistering"),
            Self::Settling => f.write_str("leaving: settling"),
            Self::Left => f.write_str("left"),
            Self::Lingering(error) => write!(f, "left, {error}"),
        }
    }
}

#[cfg(feature = "serde")]
fn shown<S: serde::Serializer>(value: &impl fmt::Display, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(value)
}

#[cfg(test)]
mod tests;
