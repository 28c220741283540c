//! The task of a service: registers it, follows its address and its health, and lets it leave.

use std::pin::pin;
use std::time::Duration;

use futures_util::stream::{SelectAll, unfold};
use futures_util::{FutureExt, StreamExt};
use registry::Registrar;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;
use tracing::{error, trace};
use zk_core::Zk;
use zk_core::time::until;

use super::leave::{self, Leave};
use super::listener::{Changes, Listener, Wanted, changes_of};
use super::mode::Mode;
use super::record::ServiceRecord;
use super::status::{LeaveError, ServiceStage, ServiceStatus};
use crate::advertise::tracker::AddressTracker;
use crate::health::{ServiceHealth, WhenSick};

/// The task of a service. It has three ends: the service has left; every handle was dropped, which deregisters what is
/// registered in the background; the runtime has ended.
pub(super) struct Driver {
    pub(super) zk: Zk,
    pub(super) registrar: Registrar,
    pub(super) listeners: Vec<Listener>,
    pub(super) record: watch::Receiver<ServiceRecord>,
    pub(super) health: watch::Receiver<ServiceHealth>,
    pub(super) when_sick: WhenSick,
    pub(super) settle: Duration,
    pub(super) leave: watch::Receiver<Leave>,
    pub(super) status: watch::Sender<ServiceStatus>,
    /// Until the service leaves.
    pub(super) helpers: Helpers,
    pub(super) mode: Mode,
    /// When an instance may have been listed last.
    pub(super) last_listed: Option<Instant>,
    /// What the records of the instances say.
    pub(super) written: (ServiceRecord, bool),
}

/// Other tasks of a service: what looks addresses up, and what checks the health. They end when this is dropped.
pub(super) type Helpers = (Vec<AddressTracker>, Option<AbortOnDropHandle<()>>);

impl Driver {
    pub(super) async fn run(mut self) {
        let mut changes: SelectAll<Changes> = self.listeners.iter().flat_map(Listener::changes).collect();
        changes.push(changes_of(self.record.clone()));
        changes.push(changes_of(self.health.clone()));
        let links =
            unfold(self.zk.states(), |mut states| async { states.changed().await.map(|_| ((), states)) });
        changes.push(links.boxed());
        loop {
            // Of many changes at one time, one look at everything.
            while let Some(Some(())) = changes.next().now_or_never() {}
            changes.extend(self.reconcile());
            self.publish(ServiceStage::Serving);
            let deadline = self.listeners.iter().filter_map(Listener::deadline).min();
            tokio::select! {
                biased;
                // An error means that every handle was dropped: this task is about to be aborted.
                _ = self.leave.wait_for(|leave| *leave != Leave::No) => break,
                Some(()) = changes.next() => {}
                () = until(deadline) => {}
            }
        }
        self.leave(&mut changes).await;
    }

    /// Compares everything with what is wanted.
    fn reconcile(&mut self) -> Vec<Changes> {
        if self.may_be_listed() {
            self.last_listed = Some(Instant::now());
        }
        self.mode = self.mode.after(&self.health.borrow(), self.when_sick);
        let draining = self.mode == Mode::Draining;
        let wanted = (self.record.borrow().clone(), draining);
        if wanted != self.written {
            self.listeners.iter_mut().for_each(|listener| listener.update(&wanted.0, draining));
            self.written = wanted;
        }
        let wanted = Wanted {
            registrar: &self.registrar,
            linked: self.zk.state().is_connected(),
            listed: self.mode != Mode::Absent,
            record: &self.written.0,
            draining,
        };
        self.listeners.iter_mut().flat_map(|listener| listener.reconcile(&wanted)).collect()
    }

    fn may_be_listed(&self) -> bool {
        self.listeners.iter().any(Listener::may_be_listed)
    }

    fn publish(&self, stage: ServiceStage) {
        let link = self.zk.state();
        let instances = self.listeners.iter().map(Listener::status).collect();
        let health = self.health.borrow().clone();
        let draining = self.mode == Mode::Draining || stage == ServiceStage::Draining;
        let (on, to) = (self.mode.name(), stage.name());
        self.status.send_if_modified(|before| {
            trace!(target: "arrow", machine = "service", from = before.stage.name(), on, to);
            let (service, was_registered) = (before.service.clone(), before.was_registered);
            let mut status =
                ServiceStatus { service, stage, health, draining, link, instances, was_registered };
            status.was_registered |= status.is_registered();
            let is_new = *before != status;
            *before = status;
            is_new
        });
    }

    async fn leave(&mut self, changes: &mut SelectAll<Changes>) {
        self.helpers = Helpers::default();
        let mut how = self.leave.clone();
        if *how.borrow() == Leave::Gently {
            let announced = leave::announce(&self.listeners, &self.written.0, self.settle);
            let announced = leave::unless_at_once(&mut how, announced);
            self.during(&ServiceStage::Draining, announced, changes).await;
        }
        let deregistered = leave::deregister(&self.registrar);
        let deregistered = self.during(&ServiceStage::Deregistering, deregistered, changes).await;
        // A service that was deregistered before, as a sick one is, has settled since then.
        let settled = match self.may_be_listed() {
            true => Some(Duration::ZERO),
            false => self.last_listed.map(|last| last.elapsed()),
        };
        let settle = settled.and_then(|settled| self.settle.checked_sub(settled));
        let stage = match (deregistered, settle) {
            (Ok(()), Some(settle)) => {
                let settled = leave::unless_at_once(&mut how, leave::settle(self.listeners.len(), settle));
                self.during(&ServiceStage::Settling, settled, changes).await;
                ServiceStage::Left
            }
            (Ok(()), None) => ServiceStage::Left,
            (Err(error), _) => ServiceStage::Lingering(error.into()),
        };
        self.publish(stage);
    }

    /// Takes a step of leaving. What happens to the link and to the registrations meanwhile shows in the status.
    async fn during<T>(
        &self,
        stage: &ServiceStage,
        step: impl Future<Output = T>,
        changes: &mut SelectAll<Changes>,
    ) -> T {
        let mut step = pin!(step);
        loop {
            self.publish(stage.clone());
            tokio::select! {
                biased;
                done = &mut step => return done,
                Some(()) = changes.next() => {}
            }
        }
    }
}

/// Whatever ends the task before the service has left: nobody is to take the last status for the present one.
impl Drop for Driver {
    fn drop(&mut self) {
        if self.status.borrow().stage.is_final() {
            return;
        }
        if std::thread::panicking() {
            error!("the task of the service has ended by a panic: its instances are deregistered");
        }
        self.status.send_modify(|status| {
            let ended = ServiceStage::Lingering(LeaveError::Ended);
            let (from, to) = (status.stage.name(), ended.name());
            trace!(target: "arrow", machine = "service", from, on = "task_ended", to);
            status.stage = ended;
            // They are dropped with the task.
            status.instances.iter_mut().for_each(|instance| instance.registration = None);
        });
    }
}
