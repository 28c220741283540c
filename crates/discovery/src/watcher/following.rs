//! What is known about a watch while the root is followed.

use std::collections::BTreeSet;
use std::mem;
use std::sync::Arc;
use std::time::Duration;

use rand::{Rng, RngExt};
use tokio::time::Instant;
use tracing::{debug, warn};
use zk_core::Reading;

use crate::membership::Membership;
use crate::record_cache::Batch;

/// How many batches of records may be under way at one time.
const MAX_BATCHES: usize = 4;

/// A record without a reply is read again after about this time.
const RETRY: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(super) struct Following {
    /// The tickets of the batches that are under way.
    reads: BTreeSet<u64>,
    /// The instances that came or went with the list of an audit, without an event so far: that may be behind the list.
    unexplained: BTreeSet<Arc<str>>,
    /// Whether there was an event since the last audit.
    heard: bool,
    /// Whether the watch lost an event, and is to be replaced.
    distrusted: bool,
    /// Whether there was a sign, since it was taken last, that the view is correct.
    confirmed: bool,
}

impl Following {
    /// Following begins.
    pub(super) fn new() -> Self {
        Self {
            reads: BTreeSet::new(),
            unexplained: BTreeSet::new(),
            heard: false,
            distrusted: false,
            confirmed: true,
        }
    }

    pub(super) fn has_room(&self) -> bool {
        self.reads.len() < MAX_BATCHES
    }

    /// The next batch of records to be read, if any is due and may be under way.
    pub(super) fn take_reads(&mut self, from: &mut Membership, now: Instant, max: usize) -> Option<Batch> {
        let batch = if self.has_room() { from.take_reads(now, max)? } else { return None };
        debug!(records = batch.names.len(), "reading records");
        self.reads.insert(batch.ticket);
        Some(batch)
    }

    /// Applies the reply for a batch. Returns whether there is a mismatch: a record changed without an event.
    pub(super) fn apply_reply(
        &mut self,
        (ticket, records): (u64, Vec<(String, Option<Reading>)>),
        to: &mut Membership,
        now: Instant,
        rng: &mut impl Rng,
    ) -> bool {
        // A read of an earlier watch: all records are read again since.
        if !self.reads.remove(&ticket) {
            return false;
        }
        let retry = now + RETRY.mul_f64(rng.random_range(0.5..1.5));
        let mut mismatch = false;
        for (name, reading) in records {
            if to.apply_reply(ticket, &name, reading, now, retry) {
                warn!(child = name, "audit mismatch: the record changed without an event");
                mismatch = true;
            }
        }
        mismatch
    }

    /// There was an event; `name` was created or deleted.
    pub(super) fn reported(&mut self, name: Option<&str>) {
        (self.confirmed, self.heard) = (true, true);
        if let Some(name) = name {
            self.unexplained.remove(name);
        }
    }

    /// An audit has listed the children; these came or went.
    pub(super) fn audit_listed(&mut self, changed: Vec<Arc<str>>) {
        self.unexplained = changed.into_iter().collect();
    }

    /// An audit is over. Returns whether the list had changed without an event, and the list has corrected that.
    pub(super) fn audited(&mut self) -> bool {
        let mismatch = !mem::take(&mut self.unexplained).is_empty();
        if mismatch {
            warn!("audit mismatch: the list changed without an event");
        }
        self.confirmed = true;
        mismatch
    }

    /// Whether there was no event since the last call, an audit ago: the watch may be dead.
    pub(super) fn take_silence(&mut self) -> bool {
        !mem::take(&mut self.heard)
    }

    /// The watch lost an event. Returns whether that is new.
    pub(super) fn distrust(&mut self) -> bool {
        self.confirmed = false;
        !mem::replace(&mut self.distrusted, true)
    }

    /// Whether there was a sign since the last call that the view is correct.
    pub(super) fn take_confirmed(&mut self) -> bool {
        mem::take(&mut self.confirmed)
    }
}
