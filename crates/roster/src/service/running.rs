//! [`RunningService`]: the handle of a service.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use instance::{EncodeError, Endpoint, Format, Owner};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;
use zk_core::{Zk, ZnodePath};

use super::leave::Leave;
use super::readiness::{Liveness, Readiness};
use super::record::ServiceRecord;
use super::status::{LeaveError, ServiceNotRegistered, ServiceStage, ServiceStatus};

/// A service that is registered until it leaves. Cheap to clone; clones are the same service.
///
/// `Drop` of the last clone deregisters in the background, without a word to callers before and without waiting:
/// [`leave`](Self::leave) first.
#[must_use = "the service leaves when its last handle is dropped"]
#[derive(Clone)]
pub struct RunningService {
    pub(super) shared: Arc<Shared>,
}

pub(super) struct Shared {
    pub(super) zk: Zk,
    pub(super) record: watch::Sender<ServiceRecord>,
    pub(super) leave: watch::Sender<Leave>,
    pub(super) status: watch::Receiver<ServiceStatus>,
    pub(super) check: RecordCheck,
    /// Ends with the last handle.
    pub(super) _task: AbortOnDropHandle<()>,
}

/// Refuses a record that cannot be written.
#[derive(Debug)]
pub(super) struct RecordCheck {
    pub(super) format: Arc<dyn Format>,
    /// Part of the record, which has a limit.
    pub(super) owner: Owner,
    pub(super) endpoint: Endpoint,
}

/// The service has left, its link is closed, or its task has ended: it is registered never again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{service} is not registered any more: it has left, or its link is closed")]
pub struct ServiceLeft {
    /// The service.
    pub service: ZnodePath,
}

/// Why a record is not updated.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ServiceUpdateError {
    /// It cannot be written.
    #[error("the record cannot be written")]
    Record(#[from] EncodeError),
    /// The service leaves, or has left.
    #[error(transparent)]
    Left(#[from] ServiceLeft),
}

impl RecordCheck {
    pub(super) fn check(&self, record: &ServiceRecord) -> Result<(), EncodeError> {
        let instance = record.instance(self.endpoint.clone(), true).with_owner(self.owner.clone());
        self.format.encode(&instance).map(drop)
    }
}

impl RunningService {
    /// Waits until every listener is registered, however long that takes; [`registered_within`](Self::registered_within) says
    /// why it takes long. A sick service that has left is waited for, too.
    ///
    /// # Errors
    /// [`ServiceLeft`] if the service leaves before, or its link is closed.
    ///
    /// # Cancel safety
    /// Safe: the registration goes on.
    pub async fn registered(&self) -> Result<(), ServiceLeft> {
        let is_over =
            |status: &ServiceStatus| status.stage != ServiceStage::Serving || status.link.is_closed();
        let mut statuses = self.statuses();
        match statuses.wait_for(|status| status.is_registered() || is_over(status)).await.as_deref() {
            Ok(status) if !is_over(status) => Ok(()),
            _ => Err(self.left()),
        }
    }

    /// Waits until every listener is registered, for some time, and says why it is not: no server reachable, a conflict, its
    /// health. With zero it answers at once. The registration goes on in any case.
    ///
    /// # Errors
    /// [`ServiceNotRegistered`] if it is not registered after `timeout`, or leaves before.
    ///
    /// # Cancel safety
    /// Safe.
    pub async fn registered_within(&self, timeout: Duration) -> Result<(), ServiceNotRegistered> {
        let started = Instant::now();
        if let Ok(Ok(())) = tokio::time::timeout(timeout, self.registered()).await {
            return Ok(());
        }
        Err(ServiceNotRegistered { waited: started.elapsed().min(timeout), status: self.status().into() })
    }

    /// Returns where the service stands.
    #[must_use]
    pub fn status(&self) -> ServiceStatus {
        self.shared.status.borrow().clone()
    }

    /// Follows where the service stands. A receiver sees the latest status, not every one in between.
    #[must_use]
    pub fn statuses(&self) -> watch::Receiver<ServiceStatus> {
        self.shared.status.clone()
    }

    /// Changes weight and tags in place. Returns at once: the znodes follow within two round trips while there is a link, and
    /// every later registration has the new record. `change` runs under a lock: it must not update the same service.
    ///
    /// ```no_run
    /// # fn example(service: zk_roster::RunningService) -> Result<(), zk_roster::ServiceUpdateError> {
    /// service.update(|record| record.weight = 10)?;
    /// service.update(|record| record.set_tag("version", "2"))?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`ServiceUpdateError`], if the record cannot be written, which changes nothing, or the service leaves.
    pub fn update(&self, change: impl FnOnce(&mut ServiceRecord)) -> Result<(), ServiceUpdateError> {
        if self.status().stage != ServiceStage::Serving || *self.shared.leave.borrow() != Leave::No {
            return Err(self.left().into());
        }
        let mut checked = Ok(());
        self.shared.record.send_if_modified(|record| {
            let mut changed = record.clone();
            change(&mut changed);
            checked = self.shared.check.check(&changed);
            let is_new = checked.is_ok() && changed != *record;
            if is_new {
                *record = changed;
            }
            is_new
        });
        Ok(checked?)
    }

    /// Returns whether the service is ready for calls.
    #[must_use]
    pub fn readiness(&self) -> Readiness {
        Readiness::of(&self.shared.status.borrow())
    }

    /// Returns whether the service is alive.
    #[must_use]
    pub fn liveness(&self) -> Liveness {
        let link_is_closed = self.shared.zk.state().is_closed();
        Liveness::of(&self.shared.status.borrow(), link_is_closed)
    }

    /// Leaves: says in the records that the instances are draining (for half a second at most, of which readers get a third of
    /// `settle`), deregisters them (a second at most), and serves on for `settle` while callers learn of that. Then the
    /// listener can be closed and what is in flight be finished, and last of all [`Zk::close`] ends the session.
    ///
    /// Further calls, and calls on clones, wait for the same end. Without a link, nothing is said and nothing settles: it
    /// takes a second.
    ///
    /// # Errors
    /// [`LeaveError`] if ZooKeeper does not confirm in time. The deregistration goes on for as long as the link exists.
    ///
    /// # Cancel safety
    /// The leave goes on if the future is dropped.
    pub async fn leave(&self) -> Result<(), LeaveError> {
        self.leave_as(Leave::Gently).await
    }

    /// As [`leave`](Self::leave), but only deregisters: where nobody answers any more, as the listener is dead, or where time
    /// is short. A leave that is under way goes on without what is left of its waits.
    ///
    /// # Errors
    /// As [`leave`](Self::leave).
    ///
    /// # Cancel safety
    /// As [`leave`](Self::leave).
    pub async fn leave_at_once(&self) -> Result<(), LeaveError> {
        self.leave_as(Leave::AtOnce).await
    }

    async fn leave_as(&self, how: Leave) -> Result<(), LeaveError> {
        self.shared.leave.send_if_modified(|now| {
            let is_new = *now < how;
            *now = how.max(*now);
            is_new
        });
        let mut status = self.statuses();
        match status.wait_for(|status| status.stage.is_final()).await.as_deref() {
            Ok(ServiceStatus { stage: ServiceStage::Lingering(error), .. }) => Err(error.clone()),
            Ok(_) => Ok(()),
            Err(_) => Err(LeaveError::Ended),
        }
    }

    fn left(&self) -> ServiceLeft {
        ServiceLeft { service: self.shared.status.borrow().service.clone() }
    }
}

impl fmt::Debug for RunningService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RunningService").field(&format_args!("{}", *self.shared.status.borrow())).finish()
    }
}
