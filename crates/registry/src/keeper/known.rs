//! What a keeper knows about its znode, and what it asks next.

use tokio::time::Instant;
use tracing::debug;
use zk_core::{SessionId, Stat, ZnodePath};

use super::io::{Moment, Request};
use super::pace::Pace;
use super::watching::{Cover, Watching};
use crate::decide::Claim;
use crate::inbox::EventCounts;
use crate::readiness::{Line, Ready};
use crate::status::{Holder, Trouble};
use crate::wish::{Record, Wish};

/// What a keeper knows about its znode.
#[derive(Debug)]
pub(super) struct Known {
    path: ZnodePath,
    pub(super) claim: Claim,
    pub(super) written: Option<Written>,
    pub(super) watching: Watching,
    /// What was registered when the shared watch ended: a later one may confirm it, without a read.
    unconfirmed: Option<Unconfirmed>,
    pub(super) pace: Pace,
    /// The server may lag behind what we know: a write met another znode than the read before it.
    pub(super) lagging: bool,
    /// The last write has failed.
    pub(super) write_failed: bool,
    /// Our znode is deleted as one that is told, until that has failed.
    pub(super) tells: bool,
    /// The session whose stale znode was taken over, until the registration is reported.
    pub(super) took_over: Option<SessionId>,
}

/// Data that is known to be on the znode, as it was found or written last.
#[derive(Debug)]
pub(super) struct Written {
    pub(super) stat: Stat,
    pub(super) session: SessionId,
    pub(super) record: Record,
    /// Nothing has happened to the znode since, as far as was reported: its version is known.
    pub(super) stands: bool,
}

/// A znode that was registered under a shared watch that has ended.
#[derive(Debug)]
struct Unconfirmed {
    /// The number of the ready connection.
    ready: u64,
    epoch: u64,
}

/// Where a keeper decides.
pub(super) struct Scene {
    pub(super) line: Line,
    /// `None` where the connection is not prepared: only leaving is possible.
    pub(super) ready: Option<Ready>,
    pub(super) wish: Wish,
    /// The status says that the znode is registered.
    pub(super) is_registered: bool,
    pub(super) moment: Moment,
}

/// What comes next.
#[derive(Debug)]
pub(super) enum Next {
    Ask(Request),
    /// Decide again.
    Again,
    /// The znode is ours, with data of ours, and every change is reported.
    Registered,
    Conflict(Holder),
    /// Another client overwrites our data again and again: look later.
    Overwritten,
    Failed(Trouble),
    /// The connection has ended.
    Ended,
    /// No znode of ours exists.
    Gone,
}

impl Written {
    /// Whether the znode has the data that we wrote last.
    pub(super) fn is_on(&self, stat: &Stat) -> bool {
        // The session, too: an ensemble that lost its data starts again with its transaction ids.
        self.stat.mzxid == stat.mzxid && Some(self.session) == stat.ephemeral_owner
    }

    /// Whether the znode is as it was then.
    pub(super) fn is_unchanged(&self, now: &Stat) -> bool {
        self.is_on(now) && self.stat.czxid == now.czxid
    }
}

impl Known {
    pub(super) fn new(path: ZnodePath, claim: Claim, watching: Watching, pace: Pace) -> Self {
        Self {
            path,
            claim,
            written: None,
            watching,
            unconfirmed: None,
            pace,
            lagging: false,
            write_failed: false,
            tells: true,
            took_over: None,
        }
    }

    /// The znode, if nothing has happened to it.
    pub(super) fn standing(&self) -> Option<&Written> {
        self.written.as_ref().filter(|written| written.stands)
    }

    /// Whether every later change is reported.
    pub(super) fn is_covered(&self) -> bool {
        self.watching.cover() != Cover::Nothing
    }

    /// Something may have happened to the znode.
    pub(super) fn doubt(&mut self) {
        if let Some(written) = &mut self.written {
            written.stands = false;
        }
    }

    /// The watch has ended, or the connection with it. `registered_in` is the epoch, if the znode was registered.
    pub(super) fn uncover(&mut self, registered_in: Option<u64>) {
        if let (Some(epoch), Cover::Shared(ready)) = (registered_in, self.watching.cover()) {
            self.unconfirmed = Some(Unconfirmed { ready, epoch });
        }
        self.watching.end();
        self.doubt();
    }

    /// A connection is ready. Returns whether it confirms the znode as it was registered: then it stands again.
    pub(super) fn renew(&mut self, ready: &Ready, registered_in: Option<u64>, counts: EventCounts) -> bool {
        if matches!(self.watching.cover(), Cover::Shared(number) if number != ready.number) {
            self.uncover(registered_in);
        }
        if self.is_covered() {
            return false;
        }
        let is_told = !self.watching.settle(counts);
        let confirms = |before: Unconfirmed| ready.confirms(before.ready) && before.epoch == ready.line.epoch;
        let is_confirmed = self.unconfirmed.take().is_some_and(confirms) && is_told;
        if is_confirmed {
            self.watching.ask(Some(ready));
            self.written.iter_mut().for_each(|written| written.stands = true);
        }
        is_confirmed
    }

    /// The znode is registered in this epoch.
    pub(super) fn registered(&mut self, epoch: u64) {
        self.pace.registered();
        self.claim.registered_before = true;
        self.claim.seen_in = Some(epoch);
    }

    /// When the znode is audited next.
    pub(super) fn next_audit(&mut self, is_first: bool, moment: &Moment) -> Instant {
        let is_shared = matches!(self.watching.cover(), Cover::Shared(_));
        moment.now + self.pace.audit(is_first, is_shared.then_some(moment.shared_audits))
    }

    /// Decides what to ask, with nothing under way.
    pub(super) fn next(&mut self, scene: &Scene) -> Next {
        if self.watching.take_change(scene.moment.counts).is_some() {
            self.doubt();
        }
        let stands = self.standing().map(|written| (written.stat.version, written.record.clone()));
        match (&scene.wish, stands) {
            (Wish::Absent, Some((version, _))) => self.leave(version),
            // D7: a server may lag behind what we have seen, until a sync. One of our own waits for nobody.
            (Wish::Absent, None) => {
                Next::Ask(Request::Stat { watch: false, sync: self.lagging || scene.ready.is_none() })
            }
            // No znode of this session can exist: create, and read only if the name is taken.
            (Wish::Present(record), _) if self.claim.create_sent_in != Some(scene.line.epoch) => {
                if self.claim.seen_in.take().is_some() {
                    debug!(session = %scene.line.session, "registering again in a new session");
                }
                self.create(record, scene)
            }
            (Wish::Present(record), Some((version, on_znode)))
                if *record != on_znode && (scene.is_registered || self.is_covered()) =>
            {
                self.write(record, version, true, scene)
            }
            (Wish::Present(_), Some(_)) if self.is_covered() => Next::Registered,
            (Wish::Present(_), _) if self.lagging => Next::Ask(Request::Sync),
            (Wish::Present(_), _) => self.look(scene),
        }
    }

    fn look(&mut self, scene: &Scene) -> Next {
        self.watching.ask(scene.ready.as_ref());
        Next::Ask(Request::Stat { watch: !self.is_covered(), sync: false })
    }

    pub(super) fn create(&mut self, record: &Record, scene: &Scene) -> Next {
        self.took_over = None;
        self.asks(Request::Create(record.clone()), record, scene)
    }

    pub(super) fn write(&mut self, record: &Record, version: i32, is_update: bool, scene: &Scene) -> Next {
        self.asks(Request::Write { record: record.clone(), version, is_update }, record, scene)
    }

    pub(super) fn take_over(&mut self, record: &Record, seen: Stat, scene: &Scene) -> Next {
        debug!(czxid = %seen.czxid, session = ?seen.ephemeral_owner, "taking over a stale znode");
        self.asks(Request::TakeOver { record: record.clone(), seen }, record, scene)
    }

    fn asks(&mut self, write: Request, record: &Record, scene: &Scene) -> Next {
        if let Err(trouble) = self.pace.admit(&self.path, record, scene.moment.now) {
            return Next::Failed(trouble);
        }
        if !matches!(write, Request::Write { .. }) {
            self.claim.create_sent_in = Some(scene.line.epoch);
        }
        self.watching.ask(scene.ready.as_ref());
        Next::Ask(write)
    }

    pub(super) fn leave(&self, version: i32) -> Next {
        Next::Ask(if self.tells { Request::Leave { version } } else { Request::Delete { version } })
    }
}
