//! Publishes, counts and logs what a keeper has found.

use std::sync::Arc;

use tokio::sync::watch;
use tracing::{debug, trace};
use zk_core::{SessionId, ZnodePath};

use super::io::Fact;
use crate::log_limiter::limited;
use crate::shared::Shared;
use crate::status::RegistrationStatus;
use crate::wish::Record;

/// Publishes the status of one registration.
pub(super) struct Reporter {
    pub(super) shared: Arc<Shared>,
    pub(super) path: ZnodePath,
    pub(super) status: watch::Sender<RegistrationStatus>,
    pub(super) on_znode: watch::Sender<Option<Record>>,
}

impl Reporter {
    /// Changes the status, logs the change and counts it. Nothing else does.
    pub(super) fn report(&self, now: RegistrationStatus, took_over: Option<SessionId>) {
        let log = &self.shared.context.log;
        match &now {
            RegistrationStatus::Registered { czxid, session } => {
                let took_over = took_over.map(tracing::field::display);
                limited!(log, info, %czxid, %session, took_over, "registered");
            }
            RegistrationStatus::Pending { trouble: Some(trouble) } => {
                limited!(log, warn, error = %trouble, "registration pending, retrying");
            }
            RegistrationStatus::Pending { trouble: None } => debug!("registration pending"),
            RegistrationStatus::Unconfirmed if self.shared.zk.state().is_connected() => {
                limited!(log, info, "registration unconfirmed: the root watch has failed");
            }
            RegistrationStatus::Unconfirmed => limited!(log, info, "registration unconfirmed: link down"),
            RegistrationStatus::Conflict(holder) => {
                limited!(log, warn, %holder, "registration conflict: another owner has the name");
            }
            RegistrationStatus::Deregistered => limited!(log, info, "deregistered"),
            RegistrationStatus::Abandoned => {
                limited!(log, warn, "registration abandoned: the znode ends with its session");
            }
        }
        let on = match (&now, took_over) {
            (RegistrationStatus::Pending { trouble: Some(trouble) }, _) => trouble.kind().name(),
            (_, Some(_)) => "taken_over",
            (_, None) => "reported",
        };
        self.status.send_modify(|status| {
            trace!(target: "arrow", machine = "registration", from = status.name(), on, to = now.name());
            self.shared.context.metrics.status_changed(status, &now);
            *status = now;
        });
    }

    /// Publishes the record that the znode is known to have.
    pub(super) fn confirm(&self, record: Option<&Record>) {
        self.on_znode.send_if_modified(|known| {
            let is_new = known.as_ref() != record;
            if is_new {
                *known = record.cloned();
            }
            is_new
        });
    }

    /// Releases the name, then reports the final status, so that an observer of the status can register the name again.
    pub(super) fn finish(&self, end: RegistrationStatus) {
        self.shared.context.names.release(&self.path, end == RegistrationStatus::Abandoned);
        self.report(end, None);
        self.confirm(None);
    }

    /// Counts and logs what has happened.
    pub(super) fn note(&self, fact: Fact) {
        let (metrics, log) = (&self.shared.context.metrics, &self.shared.context.log);
        match fact {
            Fact::Created => metrics.created(),
            Fact::TakenOver => metrics.taken_over(),
            Fact::Lost => {
                metrics.lost();
                limited!(log, info, "registration lost: znode deleted");
            }
            Fact::Updated { version } => limited!(log, info, version, "record updated"),
            Fact::Restored { version } => {
                limited!(log, info, version, "record restored: the znode had other data");
            }
            Fact::AuditMismatch => {
                limited!(log, warn, "audit mismatch: znode changed or deleted without a watch event");
            }
            Fact::Failed(trouble) => metrics.failed(&trouble),
        }
    }
}

/// However the task ends, the status becomes final, and the name is released.
impl Drop for Reporter {
    fn drop(&mut self) {
        let finished = self.status.borrow().is_final();
        if !finished {
            self.finish(RegistrationStatus::Abandoned);
        }
    }
}
