//! What is published about a registration.

use std::collections::VecDeque;

use zk_core::{SessionId, Stat};

use super::io::Effect;
use crate::status::{Holder, Status, Trouble};

/// The status of a registration. It is true: each change of it says what has become known.
#[derive(Debug)]
pub(super) struct Standing {
    status: Status,
}

type Out = VecDeque<Effect>;

impl Standing {
    pub(super) fn new() -> Self {
        Self { status: Status::Pending { trouble: None } }
    }

    pub(super) fn is_registered(&self) -> bool {
        self.status.is_registered()
    }

    fn report(&mut self, status: Status, took_over: Option<SessionId>, out: &mut Out) {
        if self.status != status {
            self.status = status.clone();
            out.push_back(Effect::Report { status, took_over });
        }
    }

    pub(super) fn registered(
        &mut self,
        stat: &Stat,
        session: SessionId,
        took_over: Option<SessionId>,
        out: &mut Out,
    ) {
        self.report(Status::Registered { czxid: stat.czxid, session }, took_over, out);
    }

    pub(super) fn conflict(&mut self, holder: Holder, out: &mut Out) {
        self.report(Status::Conflict(holder), None, out);
    }

    /// The znode is missing. The trouble of an earlier report stays until it is registered.
    pub(super) fn pending(&mut self, out: &mut Out) {
        if !matches!(self.status, Status::Pending { .. }) {
            self.report(Status::Pending { trouble: None }, None, out);
        }
    }

    pub(super) fn failed(&mut self, trouble: Trouble, out: &mut Out) {
        self.report(Status::Pending { trouble: Some(trouble) }, None, out);
    }

    /// The link is down: nothing is known to have changed, and nothing is confirmed.
    pub(super) fn unlinked(&mut self, out: &mut Out) {
        match self.status {
            Status::Registered { .. } => self.report(Status::Unconfirmed, None, out),
            // The other owner may be gone.
            Status::Conflict(_) => self.report(Status::Pending { trouble: None }, None, out),
            _ => {}
        }
    }

    /// The link is up, and no connection is prepared for a reason.
    pub(super) fn troubled(&mut self, trouble: Trouble, out: &mut Out) {
        self.unlinked(out);
        if matches!(self.status, Status::Pending { .. }) {
            self.failed(trouble, out);
        }
    }
}
