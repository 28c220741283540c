//! What follows from the reply to a request.

use std::collections::VecDeque;

use tracing::debug;
use zk_core::{ErrorKind, Outcome, Stat};

use super::io::{Effect, Fact, Failure, Reply, Request};
use super::known::{Known, Next, Scene, Written};
use crate::decide::{Decision, Found, decide};
use crate::status::Trouble;
use crate::wish::{Record, Wish};

/// A reply that has come, and what it is judged by.
pub(super) struct Replied<'a> {
    pub(super) known: &'a mut Known,
    pub(super) scene: &'a Scene,
    pub(super) out: &'a mut VecDeque<Effect>,
}

impl Replied<'_> {
    /// Decides what follows.
    pub(super) fn judge(mut self, request: Request, reply: Result<Reply, Failure>) -> Next {
        if request.is_write() {
            let error = reply.as_ref().err();
            self.known.write_failed = error.is_some();
            self.known.pace.wrote(error.map(|failure| failure.error.kind()), &self.scene.moment);
        }
        match (request, reply) {
            (request, Err(failure)) => self.failed(request, failure),
            (Request::Stat { watch, .. }, Ok(Reply::Stat(stat))) => {
                self.known.lagging = false;
                if watch {
                    self.known.watching.armed();
                }
                self.seen(stat)
            }
            (Request::Data(_), Ok(Reply::Data { record, owner, stat })) => {
                let data_is_ours = self.scene.wish == Wish::Present(record);
                self.found(Found { stat, owner, data_is_ours })
            }
            (Request::Create(record), Ok(Reply::Written(stat))) => {
                self.known.claim.created = Some(stat.czxid);
                debug!(czxid = %stat.czxid, session = %self.scene.on.session, "znode created");
                self.note(Fact::Created);
                self.written(record, stat)
            }
            (Request::Write { record, is_update, .. }, Ok(Reply::Written(stat))) => {
                let version = stat.version;
                self.note(if is_update { Fact::Updated { version } } else { Fact::Restored { version } });
                self.known.watching.wrote();
                self.written(record, stat)
            }
            (Request::TakeOver { seen, .. }, Ok(_)) => {
                self.note(Fact::TakenOver);
                self.known.watching.took_over();
                self.known.took_over = seen.ephemeral_owner;
                // The reply to the transaction has no stat of the new znode.
                Next::Again
            }
            (Request::Delete { .. } | Request::Leave { .. }, Ok(_)) => {
                debug!("znode deleted");
                Next::Gone
            }
            (Request::Sync, Ok(_)) => {
                self.known.lagging = false;
                Next::Again
            }
            (_, Ok(_)) => Next::Again,
        }
    }

    fn note(&mut self, fact: Fact) {
        self.out.push_back(Effect::Note(fact));
    }

    /// The znode has this data now, by a write of ours.
    fn written(&mut self, record: Record, stat: Stat) -> Next {
        let session = self.scene.on.session;
        let is_ours = stat.ephemeral_owner == Some(session);
        self.known.written = Some(Written { stat, session, record, stands: is_ours });
        if !is_ours {
            self.known.claim.overwrote = Some(stat.czxid);
            return Next::Again;
        }
        self.if_covered(Next::Registered)
    }

    /// What follows where every later change is reported: elsewhere another look, which sets a watch.
    fn if_covered(&self, next: Next) -> Next {
        if self.known.is_covered() { next } else { Next::Again }
    }

    /// Decides about a stat.
    fn seen(&mut self, stat: Option<Stat>) -> Next {
        match (stat, &self.scene.wish) {
            (None, Wish::Absent) => Next::Gone,
            (None, Wish::Present(record)) => {
                self.known.doubt();
                if self.known.claim.seen_in.take() == Some(self.scene.on.epoch) {
                    self.note(Fact::Lost);
                }
                self.known.create(record, self.scene)
            }
            (Some(stat), wish) => match self.known.written.as_ref().filter(|written| written.is_on(&stat)) {
                Some(written) => {
                    let data_is_ours = matches!(wish, Wish::Present(record) if *record == written.record);
                    let owner = Some(self.known.claim.owner.clone());
                    self.found(Found { stat, owner, data_is_ours })
                }
                None => {
                    self.known.doubt();
                    Next::Ask(Request::Data(stat))
                }
            },
        }
    }

    /// Decides about a znode whose owner is known, as far as it can be.
    fn found(&mut self, found: Found) -> Next {
        let session = self.scene.on.session;
        let (decision, stat) = (decide(&found, session, &self.known.claim), found.stat);
        match (decision, &self.scene.wish) {
            (Decision::Leave(_), Wish::Absent) => Next::Gone,
            (Decision::Leave(holder), Wish::Present(_)) => {
                self.known.took_over = None;
                self.if_covered(Next::Conflict(holder))
            }
            (_, Wish::Absent) => self.known.leave(stat.version),
            (Decision::TakeOver, Wish::Present(record)) => self.known.take_over(record, stat, self.scene),
            (Decision::Keep, Wish::Present(record)) => {
                let record = record.clone();
                self.known.written = Some(Written { stat, session, record, stands: true });
                self.if_covered(Next::Registered)
            }
            (Decision::Rewrite, Wish::Present(record)) => {
                let older = self.known.written.as_mut().filter(|written| written.is_on(&stat));
                let is_update = older.is_some();
                match older {
                    // An older record of ours: the znode is registered, and an update follows.
                    Some(written) if !self.known.write_failed => {
                        (written.stat, written.stands) = (stat, true);
                        return self.if_covered(Next::Registered);
                    }
                    None if !self.known.pace.may_restore() => return Next::Overwritten,
                    _ => {}
                }
                self.known.write(record, stat.version, is_update, self.scene)
            }
        }
    }

    fn failed(&mut self, request: Request, failure: Failure) -> Next {
        let Failure { error, ended } = failure;
        let kind = error.kind();
        let was_sent = !matches!(kind, ErrorKind::Busy | ErrorKind::NotConnected);
        if !request.is_for_all() {
            self.known.doubt();
        }
        // A plain delete may be allowed where a leave is not. And where nobody knows what became of it: a deregistration
        // must not get worse by it.
        self.known.tells &=
            !(was_sent && matches!(request, Request::Leave { .. }) && *kind != ErrorKind::BadVersion);
        match (request, kind) {
            _ if ended => Next::Ended,
            (Request::Sync | Request::EnsureRoot, _) => Next::Failed(error.into()),
            (Request::Create(_), ErrorKind::NoNode) if self.scene.wish != Wish::Absent => {
                Next::Ask(Request::EnsureRoot)
            }
            (Request::Delete { .. } | Request::Leave { .. }, ErrorKind::NoNode) => Next::Gone,
            // An owner that hides its data stays unknown.
            (Request::Data(stat), ErrorKind::Denied) => {
                self.found(Found { stat, owner: None, data_is_ours: false })
            }
            // Another client was faster, or an earlier request of ours whose reply was lost.
            (_, ErrorKind::NoNode | ErrorKind::BadVersion | ErrorKind::NodeExists) => {
                self.known.lagging = true;
                Next::Again
            }
            (Request::Leave { version }, kind) if was_sent && kind.outcome() == Outcome::NotDone => {
                Next::Ask(Request::Delete { version })
            }
            (Request::Leave { .. }, ErrorKind::Unexpected(_)) => Next::Again,
            (Request::TakeOver { .. }, _) => Next::Failed(Trouble::from(error).at_take_over()),
            _ => Next::Failed(error.into()),
        }
    }
}
