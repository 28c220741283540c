//! What comes next: the stages of a keeper, and the ways from one to another.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;
use tracing::debug;
use zk_core::EventKind;

use super::io::{Effect, Fact, Moment, Permit, Request};
use super::known::{Known, Next, Scene};
use super::pace::HOLDER_UPDATED;
use crate::readiness::{ConnectionId, Ready};
use crate::status::{RegistrationStatus as Status, Trouble};
use crate::wish::Wish;

/// The stage of a keeper. Every variant says what is true while it lasts.
#[derive(Debug)]
pub(super) enum Stage {
    /// There is no connection to work on, or the shared watch is being set on it.
    Unready,
    /// A step waits for its permit.
    Queued,
    /// A request is under way on a connection, and the caller's wish may be later than it.
    Asking { request: Request, on: ConnectionId, wished_at: Option<Instant> },
    /// The znode is ours, with our data, and every change is reported. Audited at a moment, or now.
    Registered { audit_at: Option<Instant> },
    /// The znode belongs to another owner, and its end is reported. Looks at a moment in any case.
    Conflict { until: Instant },
    /// A step failed, or data is overwritten again and again: looks at a moment.
    Waiting { until: Instant },
    /// The task ends.
    Over,
}

impl Stage {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Unready => "unready",
            Self::Queued => "queued",
            Self::Asking { request, .. } => request.name(),
            Self::Registered { audit_at: Some(_) } => "registered",
            Self::Registered { audit_at: None } => "auditing",
            Self::Conflict { .. } => "conflict",
            Self::Waiting { .. } => "waiting",
            Self::Over => "over",
        }
    }

    /// Whether a request is under way after which the znode may be another one.
    pub(super) fn is_writing(&self) -> bool {
        matches!(self, Self::Asking { request, .. } if request.is_write())
    }
}

/// What a keeper is at.
#[derive(Debug)]
pub(super) struct Work {
    pub(super) stage: Stage,
    pub(super) wish: Wish,
    pub(super) known: Known,
    /// True at any time: each change of it says what has become known.
    pub(super) status: Status,
    /// The connection in use, and what it is prepared for.
    pub(super) on: Option<ConnectionId>,
    pub(super) ready: Option<Ready>,
    pub(super) holds_permit: bool,
    pub(super) effects: VecDeque<Effect>,
}

impl Work {
    pub(super) fn new(wish: Wish, known: Known) -> Self {
        let (stage, status, effects) = (Stage::Unready, Status::Pending { trouble: None }, VecDeque::new());
        Self { stage, wish, known, status, on: None, ready: None, holds_permit: false, effects }
    }

    pub(super) fn leaves(&self) -> bool {
        self.wish == Wish::Absent
    }

    pub(super) fn is_registered(&self) -> bool {
        matches!(self.stage, Stage::Registered { .. })
    }

    /// Where a decision is made, for a connection.
    pub(super) fn scene(&self, on: ConnectionId, moment: &Moment) -> Scene {
        let (ready, wish, is_registered) = (self.ready, self.wish.clone(), self.status.is_registered());
        Scene { on, ready, wish, is_registered, moment: *moment }
    }

    fn report(&mut self, status: Status) {
        if self.status != status {
            self.status = status.clone();
            let took_over = self.known.took_over.take_if(|_| status.is_registered());
            self.effects.push_back(Effect::Report { status, took_over });
        }
    }

    /// The znode is missing. The trouble of an earlier report stays until it is registered.
    fn pending(&mut self) {
        if !matches!(self.status, Status::Pending { .. }) {
            self.report(Status::Pending { trouble: None });
        }
    }

    /// Nothing is known to have changed, and nothing is confirmed.
    fn unconfirmed(&mut self) {
        match self.status {
            Status::Registered { .. } => self.report(Status::Unconfirmed),
            // The other owner may be gone.
            Status::Conflict(_) => self.pending(),
            _ => {}
        }
    }

    /// The link is up, and no connection is prepared for a reason.
    pub(super) fn troubled(&mut self, trouble: Trouble) {
        self.unconfirmed();
        if matches!(self.status, Status::Pending { .. }) {
            self.report(Status::Pending { trouble: Some(trouble) });
        }
    }

    /// Takes the next step, with nothing under way that has to be waited for.
    pub(super) fn proceed(&mut self, moment: &Moment) {
        let leaves = self.leaves();
        if leaves && !self.known.claim.may_exist() {
            return self.finish(Status::Deregistered);
        }
        // A znode whose version is known is written without a watch.
        let may_step =
            |ready: Ready| ready.can_watch(moment.needs_shared_watch) || self.known.standing().is_some();
        let Some(on) = self.on.filter(|_| leaves || self.ready.is_some_and(may_step)) else {
            return self.rest(Stage::Unready);
        };
        if !self.holds_permit {
            self.stage = Stage::Queued;
            let permit = if leaves { Permit::Leave } else { Permit::Step };
            return self.effects.push_back(Effect::Acquire(permit));
        }
        let next = self.known.next(&self.scene(on, moment));
        self.follow(next, on, moment);
    }

    /// Goes where a decision leads that was made for a connection.
    pub(super) fn follow(&mut self, next: Next, on: ConnectionId, moment: &Moment) {
        match next {
            Next::Ask(request) => {
                if matches!(request, Request::Create(_) | Request::TakeOver { .. }) {
                    self.pending();
                }
                self.effects.push_back(Effect::Request(request.clone()));
                self.stage = Stage::Asking { request, on, wished_at: None };
            }
            Next::Again => self.proceed(moment),
            Next::Registered => self.registered(moment),
            Next::Conflict(holder) => {
                let wait = self.known.pace.conflict();
                debug!(%holder, look_again_within = ?wait, "registration conflict: waiting for the name");
                self.report(Status::Conflict(holder));
                self.rest(Stage::Conflict { until: moment.now + wait });
                self.on_change(moment);
            }
            Next::Overwritten => self.overwritten(moment),
            Next::Failed(trouble) => {
                self.effects.push_back(Effect::Note(Fact::Failed(trouble.clone())));
                self.report(Status::Pending { trouble: Some(trouble) });
                let wait = self.known.pace.pause(moment);
                self.wait(wait, moment);
            }
            Next::Ended => self.unlink(),
            Next::Gone => self.finish(Status::Deregistered),
        }
    }

    /// The znode is ours, and every change is reported.
    pub(super) fn registered(&mut self, moment: &Moment) {
        let (Some(on), Some(written)) = (self.on, self.known.written.as_ref()) else {
            return self.proceed(moment);
        };
        let (stat, has_wanted) = (written.stat, self.wish == Wish::Present(written.record.clone()));
        // A deletion that was reported meanwhile may be later than the look.
        if self.leaves() || self.known.watching.change(moment.counts) == Some(EventKind::Deleted) {
            return self.proceed(moment);
        }
        self.known.registered(on.epoch);
        self.report(Status::Registered { czxid: stat.czxid, session: on.session });
        if !has_wanted {
            return self.proceed(moment);
        }
        let audit_at = Some(self.known.next_audit(true, moment));
        self.rest(Stage::Registered { audit_at });
        self.on_change(moment);
    }

    /// Acts on an event of the znode that is not accounted for, if there is one.
    pub(super) fn on_change(&mut self, moment: &Moment) {
        let Some(kind) = self.known.watching.change(moment.counts) else { return };
        let is_deletion = kind == EventKind::Deleted;
        // The keeper may wait a while for its permit to create the znode again. A leave reports its own end.
        if is_deletion && self.status.is_registered() && !self.leaves() {
            self.pending();
        }
        match self.stage {
            Stage::Registered { .. } | Stage::Conflict { .. } | Stage::Waiting { .. } if is_deletion => {
                self.proceed(moment);
            }
            Stage::Registered { .. } => {
                debug!("znode changed");
                self.overwritten(moment);
            }
            Stage::Conflict { .. } => self.wait(HOLDER_UPDATED, moment),
            // Known before the next step.
            _ => {}
        }
    }

    /// Another client has overwritten our data: looks later, as it may go on.
    fn overwritten(&mut self, moment: &Moment) {
        self.known.doubt();
        let wait = self.known.pace.overwritten(moment.now);
        self.wait(wait, moment);
    }

    fn wait(&mut self, wait: Duration, moment: &Moment) {
        self.rest(Stage::Waiting { until: moment.now + wait });
    }

    /// The connection has ended.
    pub(super) fn unlink(&mut self) {
        self.known.uncover(self.is_registered());
        (self.on, self.ready) = (None, None);
        self.unconfirmed();
        self.stop();
    }

    /// Waits for another connection; but the reply to a request under way comes first.
    pub(super) fn stop(&mut self) {
        if !matches!(self.stage, Stage::Asking { .. }) {
            self.rest(Stage::Unready);
        }
    }

    /// Ends a step, if there is one.
    fn rest(&mut self, stage: Stage) {
        if std::mem::take(&mut self.holds_permit) || matches!(self.stage, Stage::Queued) {
            self.effects.push_back(Effect::Release);
        }
        self.stage = stage;
    }

    pub(super) fn finish(&mut self, status: Status) {
        self.effects.push_back(Effect::Finish(status));
        self.stage = Stage::Over;
    }
}
