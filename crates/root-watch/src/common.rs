//! What is known about the root, however it is watched, and what is still to be done.

use std::collections::{BTreeSet, VecDeque};

use rand::rngs::SmallRng;
use tokio::time::Instant;
use zk_core::time::jittered;
use zk_core::{Backoff, Error};

use crate::config::{Lists, RootWatchConfig};
use crate::count::Count;
use crate::io::Effect;
use crate::update::{ListReason, Listing, Update, Watched};

#[derive(Debug)]
pub(crate) struct Common {
    pub(crate) config: RootWatchConfig,
    pub(crate) rng: SmallRng,
    pub(crate) count: Count,
    /// Something was missed, or may have been: a list is owed, or at least the report of a gap. Kept over
    /// connections, and until it is paid.
    pub(crate) owed: bool,
    pub(crate) backoff: Backoff,
    /// The number of the session.
    epoch: u64,
    /// The number of the session of the last list; 0 before the first.
    listed_in: u64,
    effects: VecDeque<Effect>,
}

/// Why a watch is followed no further.
#[derive(Debug)]
pub(crate) enum End {
    /// Events may have been lost: watch again at once.
    Lost,
    /// The server refuses the recursive watch.
    Refused,
    /// A request failed.
    Failed(Error),
}

impl Common {
    pub(crate) fn new(config: RootWatchConfig, rng: SmallRng) -> Self {
        Self {
            config,
            rng,
            count: Count::new(),
            owed: true,
            backoff: Backoff::default(),
            epoch: 0,
            listed_in: 0,
            effects: VecDeque::new(),
        }
    }

    /// A connection of this session begins. In a new session the ensemble may be another one, with the same counts by
    /// chance.
    pub(crate) fn connected(&mut self, epoch: u64) {
        if epoch != self.epoch {
            (self.epoch, self.owed) = (epoch, true);
            self.count.reset();
        }
    }

    pub(crate) fn epoch(&self) -> u64 {
        self.epoch
    }

    pub(crate) fn ask(&mut self, effect: Effect) {
        self.effects.push_back(effect);
    }

    pub(crate) fn report(&mut self, update: Update) {
        self.effects.push_back(Effect::Report(update));
    }

    pub(crate) fn poll_effect(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    /// Drops every watch and every request in flight.
    pub(crate) fn clear(&mut self) {
        self.count.watch_ended();
        self.ask(Effect::Clear);
    }

    /// Whether a list is to be read before the root counts as followed.
    pub(crate) fn owes_list(&self) -> bool {
        self.owed && self.config.lists == Lists::Always
    }

    pub(crate) fn listed(&mut self, names: Vec<String>, recreated: BTreeSet<String>, reason: ListReason) {
        self.owed = false;
        let before = std::mem::replace(&mut self.listed_in, self.epoch);
        let new_session = before != 0 && before != self.epoch;
        self.report(Update::Listed(Listing { names, recreated, reason, new_session }));
    }

    /// The connection is prepared, and the root followed, if it is to be. A gap counts as reported by this.
    pub(crate) fn live(&mut self, watched: Watched, whole: bool) {
        self.backoff = Backoff::default();
        self.ask(Effect::Live { watched, whole });
    }

    /// Sends the stat of an audit. Where the root is followed, the audit finds out as well whether it may still be read:
    /// no list fails otherwise until something is missed. (A registration does without the right to read the root.)
    pub(crate) fn ask_audit(&mut self) {
        self.ask(match self.config.lists {
            Lists::Always => Effect::ReadRoot,
            Lists::AuditOnly => Effect::Stat,
        });
    }

    pub(crate) fn next_audit(&mut self, now: Instant) -> Instant {
        now + jittered(self.config.audit_interval, &mut self.rng)
    }
}
