//! The machine that decides what is asked of the ensemble, and what is reported to the user. It does nothing itself.
//!
//! ```text
//!                   not followed, or
//!                   not supported     Live
//!           connected ┌─▶ Syncing ───────────▶ Prepared
//! Unlinked ───────────┤      │ failed             │ to be followed
//!                     │      ▼                    ▼
//!                     │   Pausing ◀── failed ── Following ◀──┐ lost, distrusted: the same again
//!                     │      │                  (Recursive,  │ recursive watch refused: OneShot, or Syncing
//!                     │      │ a while later     OneShot) ───┘
//!                     └──────┴─ followed ───────▶ ▲
//!
//! From every stage: the connection has ended ─▶ Unlinked; the link is closed ─▶ Closed.
//! ```
//!
//! [`looks`](crate::looks) and [`one_shot`](crate::one_shot) have the diagrams of what is `Following`.

use rand::rngs::SmallRng;
use tokio::time::Instant;
use tracing::{debug, trace};
use zk_core::{Error, ErrorKind};

use crate::common::{Common, End};
use crate::config::RootWatchConfig;
use crate::follow::Follow;
use crate::io::{Effect, Input};
use crate::one_shot::OneShots;
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
    /// When the last connection ended, while there is none.
    ended_at: Option<Instant>,
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
    /// The root is followed, or about to be.
    Following(Follow),
    /// The link is closed for good.
    Closed,
}

impl Stage {
    fn name(&self) -> &'static str {
        match self {
            Self::Unlinked => "unlinked",
            Self::Syncing => "syncing",
            Self::Prepared => "prepared",
            Self::Pausing { .. } => "pausing",
            Self::Following(Follow::Recursive(_)) => "recursive",
            Self::Following(Follow::OneShot(_)) => "one_shot",
            Self::Closed => "closed",
        }
    }
}

impl Machine {
    pub(crate) fn new(config: RootWatchConfig, rng: SmallRng) -> Self {
        let common = Common::new(config, rng);
        Self {
            common,
            stage: Stage::Unlinked,
            followed: false,
            recursive: false,
            refused_in: 0,
            ended_at: None,
        }
    }

    /// What is to be done next.
    pub(crate) fn poll_effect(&mut self) -> Option<Effect> {
        self.common.poll_effect()
    }

    /// When [`Input::Due`] is to be passed.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        match &self.stage {
            Stage::Pausing { until } => Some(*until),
            Stage::Following(follow) => follow.deadline(),
            Stage::Unlinked | Stage::Syncing | Stage::Prepared | Stage::Closed => None,
        }
    }

    /// Whether events are to be passed as they come. Before a reply they are passed in any case.
    pub(crate) fn takes_events(&self) -> bool {
        self.following().is_none_or(Follow::takes_events)
    }

    /// How many records one read may ask for.
    pub(crate) fn max_batch(&self) -> usize {
        self.following().map_or(zk_core::MAX_READS, Follow::max_batch)
    }

    pub(crate) fn is_closed(&self) -> bool {
        matches!(self.stage, Stage::Closed)
    }

    fn following(&self) -> Option<&Follow> {
        match &self.stage {
            Stage::Following(follow) => Some(follow),
            _ => None,
        }
    }

    pub(crate) fn handle(&mut self, input: Input, now: Instant) {
        let (from, on) = (self.stage.name(), input.name());
        self.take(input, now);
        trace!(target: "arrow", machine = "root_watch", from, on, to = self.stage.name());
    }

    fn take(&mut self, input: Input, now: Instant) {
        match input {
            Input::Connected { epoch, timeout, recursive } => {
                self.common.connected(epoch);
                let gap = self.ended_at.take().map(|ended_at| now.saturating_duration_since(ended_at));
                // A count proves nothing where data may have been replaced, for which servers are stopped and started again.
                self.common.owed |= gap.is_some_and(|gap| gap > timeout / 2);
                self.recursive = recursive;
                self.prepare(now);
            }
            Input::Ended => {
                self.ended_at = Some(now);
                self.clear();
                self.common.report(Update::Down);
                self.stage = Stage::Unlinked;
            }
            Input::Closed => {
                self.common.report(Update::Closed);
                self.stage = Stage::Closed;
            }
            Input::SetFollowed(followed) => self.set_followed(followed, now),
            Input::Distrust => {
                self.common.owed = true;
                if self.following().is_some_and(Follow::is_live) {
                    self.end(End::Lost, now);
                }
            }
            Input::Synced(synced) if matches!(self.stage, Stage::Syncing) => match synced {
                Ok(()) => self.synced(now),
                Err(error) => self.end(End::Failed(error), now),
            },
            Input::Due if matches!(self.stage, Stage::Pausing { until } if until <= now) => self.prepare(now),
            input => {
                let Stage::Following(follow) = &mut self.stage else { return };
                if let Err(end) = follow.handle(input, &mut self.common, now) {
                    self.end(end, now);
                }
            }
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
            Stage::Following(Follow::Recursive(Recursive::start(&mut self.common, now)))
        } else if self.followed && self.can_follow() {
            Stage::Following(Follow::OneShot(OneShots::start(&mut self.common, now)))
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
        if let Stage::Following(follow) = &mut self.stage {
            follow.end(&mut self.common);
        }
        self.common.clear();
    }

    /// The watch, or the attempt to prepare the connection, has come to an end.
    fn end(&mut self, end: End, now: Instant) {
        self.clear();
        match end {
            End::Lost => {
                self.common.report(Update::Lost);
                self.prepare(now);
            }
            End::Refused => self.refused(now),
            // Many registrations of a user who may not read the root need not follow it.
            End::Failed(error) if *error.kind() == ErrorKind::Denied && self.unwatched_will_do() => {
                debug!(%error, "the root is not followed");
                self.common.report(Update::Lost);
                self.refused(now);
            }
            End::Failed(error) => {
                // No stat would show that the root may not be read: the list that is owed does.
                self.common.owed |= *error.kind() == ErrorKind::Denied;
                self.pause(error, now);
            }
        }
    }

    /// The user has no use for a root that is followed in another way.
    fn unwatched_will_do(&self) -> bool {
        !self.common.config.one_shot && matches!(self.stage, Stage::Following(_))
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
            self.common.report(Update::Trouble(error));
        }
        let until = now + self.common.backoff.next_wait(&mut self.common.rng);
        self.stage = Stage::Pausing { until };
    }
}

#[cfg(test)]
mod tests;
