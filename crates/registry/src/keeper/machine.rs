//! What comes in: the state machine of a keeper, `(stage, input, moment) -> (stage, effects)`, without I/O, clock and
//! tasks.

use std::mem;
use std::time::Duration;

use tokio::time::Instant;
use tracing::debug;

use super::io::{Effect, Fact, Failure, Input, Moment, Reply, Request};
use super::known::{Known, Next};
use super::reply::Replied;
use super::work::{Stage, Work};
use crate::readiness::Ready;
use crate::status::{RegistrationStatus, Trouble};
use crate::wish::{Record, Wish};

/// How long a leave waits for the reply to an earlier request of its znode. Then it looks: on the same connection the
/// look comes after that request.
const PATIENCE: Duration = Duration::from_millis(500);

/// Keeps one ephemeral znode in place.
#[derive(Debug)]
pub(super) struct Machine {
    work: Work,
}

impl Machine {
    pub(super) fn new(wish: Wish, known: Known) -> Self {
        Self { work: Work::new(wish, known) }
    }

    /// What is asked for, in this order.
    pub(super) fn next_effect(&mut self) -> Option<Effect> {
        self.work.effects.pop_front()
    }

    /// The name of the stage.
    pub(super) fn stage(&self) -> &'static str {
        self.work.stage.name()
    }

    /// When [`Input::Timer`] is due.
    pub(super) fn deadline(&self) -> Option<Instant> {
        match self.work.stage {
            Stage::Asking { wished_at: at, .. } => at.filter(|_| self.work.leaves()).map(|at| at + PATIENCE),
            Stage::Registered { audit_at } => audit_at,
            Stage::Conflict { until } | Stage::Waiting { until } => Some(until),
            Stage::Unready | Stage::Queued | Stage::Over => None,
        }
    }

    /// The record that the znode is known to have, if it is registered and that is the wanted one.
    pub(super) fn on_znode(&self) -> Option<&Record> {
        let work = &self.work;
        let stands = work.status.is_registered() && !work.stage.is_writing();
        let record = work.known.standing().map(|written| &written.record);
        record.filter(|record| stands && work.wish.is_for(record))
    }

    /// Whether any connection of the link will do: to leave, it need not be prepared.
    pub(super) fn wants_connection(&self) -> bool {
        let work = &self.work;
        matches!(work.stage, Stage::Unready) && work.leaves() && work.on.is_none()
    }

    pub(super) fn handle(&mut self, input: Input, moment: &Moment) {
        let (wants_connection, work) = (self.wants_connection(), &mut self.work);
        match input {
            _ if matches!(work.stage, Stage::Over) => {}
            Input::Wish(wish) if wish != work.wish => self.on_wish(wish, moment),
            Input::Ready(ready) => self.on_ready(ready, moment),
            Input::Unprepared(trouble) => self.on_unprepared(trouble),
            Input::Down => work.unlink(),
            Input::Linked(on) if wants_connection => {
                work.on = Some(on);
                work.proceed(moment);
            }
            Input::Wish(_) | Input::Linked(_) => {}
            Input::Closed { clean } => {
                let is_gone = clean || !work.known.claim.may_exist();
                work.finish(if is_gone {
                    RegistrationStatus::Deregistered
                } else {
                    RegistrationStatus::Abandoned
                });
            }
            // A leave needs no prepared connection.
            Input::Orphaned if work.leaves() => {}
            Input::Orphaned => work.finish(RegistrationStatus::Abandoned),
            Input::Permit if matches!(work.stage, Stage::Queued) => {
                work.holds_permit = true;
                work.proceed(moment);
            }
            Input::Permit => work.effects.push_back(Effect::Release),
            Input::Reply(reply) => self.on_reply(reply, moment),
            Input::Fired(kind) => {
                work.known.watching.fired(kind);
                work.on_change(moment);
            }
            Input::Counted => work.on_change(moment),
            Input::Timer => self.on_timer(moment),
        }
    }

    fn on_wish(&mut self, wish: Wish, moment: &Moment) {
        let work = &mut self.work;
        work.wish = wish;
        let leaves = work.leaves();
        // The caller vouches for the socket for as long as it wants the instance registered.
        work.known.claim.vouched &= !leaves;
        match &mut work.stage {
            Stage::Asking { request, wished_at, .. } if !(leaves && request.is_for_all()) => {
                *wished_at = Some(moment.now);
            }
            Stage::Unready | Stage::Queued | Stage::Conflict { .. } if !leaves => {}
            _ => work.proceed(moment),
        }
    }

    fn on_ready(&mut self, ready: Ready, moment: &Moment) {
        let work = &mut self.work;
        if work.on.is_some_and(|on| on != ready.on) {
            work.unlink();
        }
        let is_confirmed = work.known.renew(&ready, work.is_registered(), moment.counts);
        (work.on, work.ready) = (Some(ready.on), Some(ready));
        match work.stage {
            Stage::Unready | Stage::Registered { .. } if is_confirmed && !work.leaves() => {
                work.registered(moment);
            }
            // Its own watch goes on.
            Stage::Registered { .. } if work.known.is_covered() => {}
            Stage::Unready | Stage::Registered { .. } | Stage::Conflict { .. } => work.proceed(moment),
            Stage::Queued | Stage::Asking { .. } | Stage::Waiting { .. } | Stage::Over => {}
        }
    }

    fn on_unprepared(&mut self, trouble: Option<Trouble>) {
        let work = &mut self.work;
        if work.ready.is_some_and(|ready| ready.is_shared()) {
            work.known.uncover(work.is_registered());
            work.ready = None;
            if !work.leaves() {
                work.stop();
            }
        }
        let concerns = work.ready.is_none() || matches!(work.stage, Stage::Unready);
        if let Some(trouble) = trouble.filter(|_| concerns) {
            work.troubled(trouble);
        }
    }

    fn on_reply(&mut self, reply: Result<Reply, Failure>, moment: &Moment) {
        let work = &mut self.work;
        match mem::replace(&mut work.stage, Stage::Unready) {
            Stage::Asking { request, on, wished_at } => {
                let scene = work.scene(on, moment);
                let (known, out) = (&mut work.known, &mut work.effects);
                let next = Replied { known, scene: &scene, out }.judge(request, reply);
                if work.on == Some(on) || matches!(next, Next::Gone) {
                    work.follow(next, on, moment);
                } else {
                    // The connection has ended meanwhile: nothing that was found on it, or set, is good any more.
                    work.known.uncover(false);
                    work.follow(Next::Again, on, moment);
                }
                // The wait is that of an earlier wish.
                if wished_at.is_some() && matches!(work.stage, Stage::Waiting { .. }) {
                    work.proceed(moment);
                }
            }
            Stage::Registered { audit_at: None } => self.on_audited(reply, moment),
            // Nobody waits for it any more.
            stage => work.stage = stage,
        }
    }

    fn on_audited(&mut self, reply: Result<Reply, Failure>, moment: &Moment) {
        let work = &mut self.work;
        let is_as_written =
            |now| work.known.written.as_ref().is_some_and(|written| written.is_unchanged(now));
        match reply {
            Ok(Reply::Audit(Some(now))) if is_as_written(&now) => {
                debug!("audit: znode unchanged");
                work.stage = Stage::Registered { audit_at: Some(work.known.next_audit(false, moment)) };
                work.on_change(moment);
                // An event that came with the reply is later than the stat.
                if work.is_registered() {
                    work.known.watching.settle(moment.counts);
                }
                return;
            }
            Ok(_) => work.effects.push_back(Effect::Note(Fact::AuditMismatch)),
            Err(failure) if failure.ended => {
                work.stage = Stage::Registered { audit_at: None };
                return work.unlink();
            }
            // The znode may have changed.
            Err(failure) => debug!(error = %failure.error, "audit failed"),
        }
        work.known.doubt();
        work.proceed(moment);
    }

    fn on_timer(&mut self, moment: &Moment) {
        let is_due = self.deadline().is_some_and(|at| at <= moment.now);
        let work = &mut self.work;
        match &mut work.stage {
            Stage::Registered { audit_at } if is_due => {
                *audit_at = None;
                work.effects.push_back(Effect::Request(Request::Audit));
            }
            Stage::Asking { .. } if is_due => {
                work.known.doubt();
                work.proceed(moment);
            }
            Stage::Conflict { .. } | Stage::Waiting { .. } if is_due => work.proceed(moment),
            _ => {}
        }
    }
}
