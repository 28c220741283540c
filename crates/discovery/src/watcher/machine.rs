//! Decides what the view shows, what is to be read, and when to mistrust the watch. No I/O, and no clock: the caller
//! passes the moment, and does what the [`Effect`]s say.
//!
//! ```text
//!             Live
//!   Stale ────────────────────▶ Following
//!    ▲                              │
//!    └──────────────────────────────┘
//!            Down, Lost, Trouble
//!
//!   Closed, Stop: from anywhere ──▶ Ended
//! ```

use std::sync::Arc;
use std::time::Duration;

use instance::{Endpoint, Format};
use rand::rngs::SmallRng;
use root_watch::{ListReason, Listing, Update};
use tokio::time::Instant;
use tracing::{debug, info, warn};
use zk_core::{Backoff, Error, Session};

use super::effect::{Effect, Input};
use super::following::Following;
use super::output::Output;
use crate::config::DiscoveryConfig;
use crate::membership::{After, Membership};
use crate::metrics::Count;
use crate::record_cache::{Batch, ReadReason};
use crate::view::View;

/// After a reconnect the records are read again within this time, by each follower at random moments.
const REREAD_WITHIN: Duration = Duration::from_secs(1);

/// Every variant says what is true in it.
#[derive(Debug)]
enum Stage {
    /// The root is not followed, the view says so, and only the operator removes instances. What is updated meanwhile
    /// shows when the root is followed.
    Stale,
    /// The view is what ZooKeeper lists, and every change arrives as an update.
    Following(Following),
    /// There is nothing to do any more.
    Ended,
}

impl Stage {
    fn name(&self) -> &'static str {
        match self {
            Self::Stale => "stale",
            Self::Following(_) => "following",
            Self::Ended => "ended",
        }
    }

    fn following(&mut self) -> Option<&mut Following> {
        match self {
            Self::Following(following) => Some(following),
            _ => None,
        }
    }
}

#[derive(Debug)]
pub(crate) struct Machine {
    config: DiscoveryConfig,
    membership: Membership,
    stage: Stage,
    output: Output,
    rng: SmallRng,
}

impl Machine {
    /// `view` is the one that is published before anything is known.
    pub(crate) fn new(config: DiscoveryConfig, format: Arc<dyn Format>, view: View, rng: SmallRng) -> Self {
        let membership = Membership::new(format, &config);
        Self { config, membership, stage: Stage::Stale, output: Output::new(view), rng }
    }

    /// The name of the stage.
    pub(crate) fn stage(&self) -> &'static str {
        self.stage.name()
    }

    /// Takes an input. After all inputs that have arrived, [`advance`](Self::advance) follows.
    pub(crate) fn handle(&mut self, input: Input, now: Instant) {
        if let Stage::Ended = self.stage {
            return;
        }
        match input {
            Input::Update(update) => self.update(update, now),
            Input::Refused(endpoint) => self.refused(&endpoint),
            Input::Release => self.release(),
            Input::Stop => self.end("discovery was shut down"),
        }
    }

    /// Does what is due by `now`, and shows the outcome of all inputs so far as one view. At most `max_batch` records
    /// may be read at one time.
    pub(crate) fn advance(&mut self, now: Instant, max_batch: usize) {
        let Some(following) = self.stage.following() else { return };
        self.membership.advance(now);
        self.output.show(&self.membership);
        if following.take_confirmed() {
            self.output.push(Effect::Confirm);
        }
        while let Some(Batch { ticket, names }) = following.take_reads(&mut self.membership, now, max_batch) {
            let records = names.len().try_into().unwrap_or(u64::MAX);
            self.output.push(Effect::Count(Count::RecordReads, records));
            self.output.push(Effect::Read { ticket, names });
        }
    }

    /// The next effect.
    pub(crate) fn poll_effect(&mut self) -> Option<Effect> {
        self.output.pop()
    }

    /// When [`advance`](Self::advance) is due next.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let Stage::Following(following) = &self.stage else { return None };
        let read = if following.has_room() { self.membership.next_read() } else { None };
        self.membership.next_deadline().into_iter().chain(read).min()
    }

    fn update(&mut self, update: Update, now: Instant) {
        match update {
            Update::Down => {
                self.stale(now);
                self.membership.set.link_down(now);
            }
            Update::Closed => self.end("the link is closed"),
            Update::Trouble(error) => self.trouble(&error, now),
            Update::Lost => self.stale(now),
            Update::Live(live) => self.live(live.connection.session(), now),
            Update::Created(name) => {
                self.reported(Count::Created, Some(&name));
                self.membership.created(&name, now);
            }
            Update::Deleted { name, told } => {
                self.reported(Count::Deleted, Some(&name));
                self.membership.deleted(&name, told, now);
            }
            Update::Written(name) => {
                self.reported(Count::Written, None);
                self.membership.written(&name, now);
            }
            Update::Listed(listing) => self.listed(listing, now),
            Update::Audited => self.audited(now),
            Update::Records { ticket, records } => {
                if let Some(following) = self.stage.following()
                    && following.apply_reply((ticket, records), &mut self.membership, now, &mut self.rng)
                {
                    self.distrust();
                }
            }
        }
    }

    fn live(&mut self, session: Session, now: Instant) {
        self.membership.set.set_hold(self.config.hold(session.timeout));
        self.membership.set.link_up(now);
        self.membership.reread_all(now, REREAD_WITHIN, ReadReason::Resync, &mut self.rng);
        let (instances, session) = (self.membership.set.len(), session.id);
        info!(instances, %session, "discovery view is live");
        self.output.set_live(now);
        self.stage = Stage::Following(Following::new());
    }

    /// There was an event, of a child that was created or deleted in some cases.
    fn reported(&mut self, kind: Count, name: Option<&str>) {
        self.output.count(kind);
        if let Some(following) = self.stage.following() {
            following.reported(name);
        }
    }

    fn listed(&mut self, listing: Listing, now: Instant) {
        let Listing { names, recreated, reason, new_session } = listing;
        let after = match reason {
            _ if new_session => After::NewSession,
            ListReason::Gap => After::Gap,
            ListReason::Changed | ListReason::Audit => After::Following,
        };
        let changed = self.membership.listed(&names, &recreated, after, now);
        match reason {
            ListReason::Gap => {}
            ListReason::Changed => self.reported(Count::Children, None),
            ListReason::Audit => {
                if let Some(following) = self.stage.following() {
                    following.audit_listed(changed);
                }
            }
        }
    }

    fn audited(&mut self, now: Instant) {
        let Some(following) = self.stage.following() else { return };
        let (mismatch, is_silent) = (following.audited(), following.take_silence());
        if mismatch && is_silent {
            return self.distrust();
        }
        if mismatch {
            // ZooKeeper sends no event of a child that we may not read, and the watch is alive: the list is enough.
            self.output.count(Count::AuditMismatches);
        }
        let within = self.config.audit_interval() / 2;
        self.membership.reread_all(now, within, ReadReason::Audit, &mut self.rng);
    }

    /// An event was lost: another watch is to replace the present one.
    fn distrust(&mut self) {
        if self.stage.following().is_some_and(Following::distrust) {
            self.output.count(Count::AuditMismatches);
            self.output.push(Effect::Distrust);
        }
    }

    /// There is a connection, and the root cannot be followed.
    fn trouble(&mut self, error: &Error, now: Instant) {
        self.membership.set.link_up(now);
        self.stale(now);
        if self.output.publish_trouble(error.to_string()) {
            warn!(%error, retry_within = ?Backoff::default().cap(), "cannot follow the root");
        }
    }

    /// The root is not followed any more: the last set stays.
    fn stale(&mut self, now: Instant) {
        self.stage = Stage::Stale;
        if self.output.is_live() {
            // What came before the end belongs to the last view.
            self.membership.advance(now);
            info!(instances = self.membership.set.len(), "discovery view is stale");
            // The records that instances wait for are not read any more.
            self.membership.show_without_records();
            self.output.set_stale(now);
            self.output.show(&self.membership);
        }
    }

    fn end(&mut self, reason: &'static str) {
        self.stage = Stage::Ended;
        self.output.push(Effect::End(reason));
    }

    fn refused(&mut self, endpoint: &Endpoint) {
        // While the view is stale only the operator removes instances.
        if self.stage.following().is_some() && self.membership.set.refused(endpoint) {
            info!(%endpoint, "held instance removed: it refuses connections");
        }
    }

    fn release(&mut self) {
        let held = self.membership.set.held();
        if held > 0 {
            debug!(held, "held instances released");
        }
        self.membership.set.release_held();
        if self.output.is_synced() {
            self.output.show(&self.membership);
        }
    }
}

#[cfg(test)]
mod tests;
