//! The machine that decides what is asked of the ensemble, and what the user is told. It does nothing itself.
//!
//! ```text
//!                 not followed: sync                          followed
//!              ┌───────────────────────▶ Syncing ─▶ Prepared ───────────┐
//!              │                            │                           ▼
//!  Unlinked ───┤ connected                  │ failed     lost       Recursive ── refused ─▶ OneShot, or Syncing
//!   ▲          │                            ▼            ┌──────────────┤                     │
//!   │          └────────── Pausing ◀── Trouble ──────────│──────────────┴─────────────────────┤
//!   │          followed       │                          └─▶ Recursive, OneShot ◀─────────────┘ lost
//!   │                         └─ a while later: as if connected
//!   └── the connection has ended, in every stage: Down                  the link is closed: Closed
//! ```
//!
//! `Recursive` and `OneShot` have diagrams of their own: [`looks`](crate::looks), [`one_shot`](crate::one_shot).

use rand::rngs::SmallRng;
use tokio::time::Instant;
use tracing::debug;
use zk_core::{Error, ErrorKind};

use crate::common::{Common, End};
use crate::config::Config;
use crate::io::{Effect, Input};
use crate::one_shot::{self, OneShots};
use crate::recursive::Recursive;
use crate::update::{Update, Watched};

#[derive(Debug)]
pub(crate) struct Machine {
    common: Common,
    stage: Stage,
    /// The user wishes the root to be followed.
    followed: bool,
    /// The connection's server is said to have recursive watches.
    recursive: bool,
    /// The session in which a server refused them: they are not requested again in it.
    refused_in: u64,
}

#[derive(Debug)]
enum Stage {
    /// There is no connection.
    Unlinked,
    /// The root is not followed; the sync is on its way.
    Syncing,
    /// The root is not followed, and the connection is prepared.
    Prepared,
    /// The connection could not be prepared, or the root not be followed any more. Another attempt follows.
    Pausing { until: Instant },
    /// The root is followed by a recursive watch, or about to be.
    Recursive(Recursive),
    /// The root is followed by watches that fire once, or about to be.
    OneShot(OneShots),
    /// The link is closed for good.
    Closed,
}

impl Machine {
    pub(crate) fn new(config: Config, rng: SmallRng) -> Self {
        let common = Common::new(config, rng);
        Self { common, stage: Stage::Unlinked, followed: false, recursive: false, refused_in: 0 }
    }

    /// What is to be done next.
    pub(crate) fn poll_effect(&mut self) -> Option<Effect> {
        self.common.poll_effect()
    }

    /// When [`Input::Due`] is to be passed.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        match &self.stage {
            Stage::Pausing { until } => Some(*until),
            Stage::Recursive(recursive) => recursive.deadline(),
            Stage::OneShot(one_shots) => one_shots.deadline(),
            Stage::Unlinked | Stage::Syncing | Stage::Prepared | Stage::Closed => None,
        }
    }

    /// Whether events are to be passed as they come. Before a reply they are passed in any case.
    pub(crate) fn takes_events(&self) -> bool {
        match &self.stage {
            Stage::Recursive(recursive) => recursive.takes_events(),
            _ => true,
        }
    }

    pub(crate) fn is_closed(&self) -> bool {
        matches!(self.stage, Stage::Closed)
    }

    /// How many records one read may ask for.
    pub(crate) fn max_batch(&self) -> usize {
        match &self.stage {
            Stage::OneShot(_) => one_shot::MAX_BATCH,
            _ => zk_core::MAX_READS,
        }
    }

    pub(crate) fn handle(&mut self, input: Input, now: Instant) {
        match input {
            Input::Connected { epoch, recursive } => {
                self.common.connected(epoch);
                self.recursive = recursive;
                self.prepare(now);
            }
            Input::Ended => {
                self.clear();
                self.common.tell(Update::Down);
                self.stage = Stage::Unlinked;
            }
            Input::Closed => {
                self.common.tell(Update::Closed);
                self.stage = Stage::Closed;
            }
            Input::SetFollowed(followed) => self.set_followed(followed, now),
            Input::Distrust => {
                self.common.owed = true;
                if self.is_live() {
                    self.end(End::Lost, now);
                }
            }
            Input::Synced(synced) if matches!(self.stage, Stage::Syncing) => match synced {
                Ok(()) => self.synced(now),
                Err(error) => self.end(End::Failed(error), now),
            },
            Input::Due if matches!(self.stage, Stage::Pausing { until } if until <= now) => self.prepare(now),
            input => {
                if let Err(end) = self.watched(input, now) {
                    self.end(end, now);
                }
            }
        }
    }

    /// Passes what concerns the watches to whatever follows the root.
    fn watched(&mut self, input: Input, now: Instant) -> Result<(), End> {
        let common = &mut self.common;
        match (&mut self.stage, input) {
            (Stage::Recursive(_) | Stage::OneShot(_), Input::WatchEnded) => return Err(End::Lost),
            (Stage::Recursive(recursive), input) => match input {
                Input::Event(received) => recursive.event(&received.0, common, now)?,
                Input::WatchSet { watch, sync, stat } => {
                    recursive.watch_set(watch, sync, stat, common, now)?
                }
                Input::Stat(stat) => recursive.stat(stat, common, now)?,
                Input::Listed(listed) => recursive.listed(listed, common, now)?,
                Input::Wanted { ticket, names } => common.ask(Effect::Read { ticket, names }),
                Input::Read { ticket, records } => recursive.read(ticket, records, common)?,
                Input::Due => recursive.due(common, now),
                _ => {}
            },
            (Stage::OneShot(one_shots), input) => match input {
                Input::ListFired => one_shots.list_fired(),
                Input::RecordFired { name, deleted } => one_shots.record_fired(name, deleted, common),
                Input::Stat(stat) => one_shots.stat(stat, common, now)?,
                Input::Listed(listed) => one_shots.listed(listed, common, now)?,
                Input::Wanted { ticket, names } => one_shots.wanted(ticket, names, common),
                Input::Read { ticket, records } => one_shots.read(ticket, records, common),
                Input::Due => one_shots.due(common, now),
                _ => {}
            },
            _ => {}
        }
        Ok(())
    }

    /// Whether the root is followed.
    fn is_live(&self) -> bool {
        match &self.stage {
            Stage::Recursive(recursive) => recursive.is_live(),
            Stage::OneShot(one_shots) => one_shots.is_live(),
            _ => false,
        }
    }

    /// Whether the root can be followed on this connection.
    fn can_follow(&self) -> bool {
        self.can_watch_recursively() || self.common.config.one_shot
    }

    fn can_watch_recursively(&self) -> bool {
        self.recursive && self.refused_in != self.common.epoch()
    }

    /// Begins to follow the root, or only to prepare the connection.
    fn prepare(&mut self, now: Instant) {
        self.stage = if self.followed && self.can_watch_recursively() {
            Stage::Recursive(Recursive::start(&mut self.common, now))
        } else if self.followed && self.can_follow() {
            Stage::OneShot(OneShots::start(&mut self.common, now))
        } else {
            self.common.ask(Effect::Sync);
            Stage::Syncing
        }
    }

    /// The connection is prepared, as far as it is without a watch.
    fn synced(&mut self, now: Instant) {
        if self.followed && self.can_follow() {
            // The user has come to wish it in the meantime.
            return self.prepare(now);
        }
        self.stage = Stage::Prepared;
        let watched = if self.followed { Watched::Unsupported } else { Watched::No };
        self.common.live(watched, false);
    }

    fn set_followed(&mut self, followed: bool, now: Instant) {
        let is_new = followed && !self.followed;
        self.followed = followed;
        if is_new && matches!(self.stage, Stage::Prepared) {
            self.synced(now);
        }
    }

    /// Drops every watch and request.
    fn clear(&mut self) {
        if let Stage::Recursive(recursive) = &mut self.stage {
            recursive.release(&mut self.common);
        }
        self.common.clear();
    }

    /// The watch, or the attempt to prepare the connection, has come to an end.
    fn end(&mut self, end: End, now: Instant) {
        self.clear();
        match end {
            End::Lost => {
                self.common.tell(Update::Lost);
                self.prepare(now);
            }
            End::Refused => self.refused(now),
            // Many registrations of a user who may not read the root need not follow it.
            End::Failed(error) if *error.kind() == ErrorKind::Denied && self.unwatched_will_do() => {
                debug!(%error, "the root is not followed");
                self.common.tell(Update::Lost);
                self.refused(now);
            }
            End::Failed(error) => self.pause(error, now),
        }
    }

    /// The user has no use for a root that is followed in another way.
    fn unwatched_will_do(&self) -> bool {
        !self.common.config.one_shot && matches!(self.stage, Stage::Recursive(_))
    }

    fn refused(&mut self, now: Instant) {
        self.refused_in = self.common.epoch();
        self.prepare(now);
    }

    fn pause(&mut self, error: Error, now: Instant) {
        use ErrorKind::{ConnectionLost, NotConnected, SessionOver};
        // A connection that is ending is no trouble of the root: its end follows.
        if !matches!(error.kind(), ConnectionLost(_) | NotConnected | SessionOver) {
            debug!(%error, "root not followed, retrying");
            self.common.tell(Update::Trouble(error));
        }
        let until = now + self.common.backoff.next_wait(&mut self.common.rng);
        self.stage = Stage::Pausing { until };
    }
}
