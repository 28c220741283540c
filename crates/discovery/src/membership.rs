//! Turns what ZooKeeper lists into what the view shows. Pure: no I/O, and the caller passes the time.
//!
//! An addition shows at once, or after a short wait for its record if records are read. A removal settles first,
//! because a take-over reaches a watcher as a deletion and a creation. Removals that make up a mass disappearance
//! are held for longer, but for those of instances that were draining. A removal that was told as meant is believed at once.
//! A record that cannot be read removes nothing.
//!
//! One endpoint is one instance, under however many names it is listed: formats may name znodes as they like, and other
//! programs may spell an endpoint in their own way. The instance stays as long as one of its znodes stands, and its record
//! is that of the youngest.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use instance::{Format, Instance};
use rand::Rng;
use tokio::time::Instant;
use zk_core::Reading;

use crate::config::{DiscoveryConfig, Records};
use crate::record_cache::{Batch, ReadReason, RecordCache, Verdict};

mod arrows;
mod decoder;
mod history;
mod logged_names;
mod nodes;
mod removals;
mod set;
mod shown;

use arrows::On;
use decoder::Decoder;
use nodes::Known;
use set::Set;

/// How long an addition waits for its record.
pub(crate) const RECORD_WAIT: Duration = Duration::from_millis(250);

/// How long a change waits for others, so that one request reads the records of all of them.
const BATCH_WAIT: Duration = Duration::from_millis(5);

/// What came before a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum After {
    /// The children were followed until now.
    Following,
    /// Nothing is known about the time before: the first list, or the first after a reconnect.
    Gap,
    /// The same, and the session is a new one: the instances may have new sessions, too, and may not be back yet, after a
    /// loss of ZooKeeper's data for example. If the list lacks more than half of them, those are held, however few.
    NewSession,
}

/// What ZooKeeper lists, and what the view makes of it.
#[derive(Debug)]
pub(crate) struct Membership {
    pub(crate) set: Set,
    decoder: Decoder,
    /// Whether the record of every znode is read, or only of those whose names tell no endpoint.
    all_records: bool,
    cache: RecordCache,
    /// Names of znodes whose instances wait for the record until this time at the latest.
    awaiting: BTreeMap<Arc<str>, Instant>,
}

impl Membership {
    pub(crate) fn new(format: Arc<dyn Format>, config: &DiscoveryConfig) -> Self {
        Self {
            set: Set::new(config),
            decoder: Decoder::new(format),
            all_records: config.records() == Records::Read,
            cache: RecordCache::new(),
            awaiting: BTreeMap::new(),
        }
    }

    /// A child was created.
    pub(crate) fn created(&mut self, name: &str, now: Instant) {
        self.stands(name, now + BATCH_WAIT, false, now);
    }

    /// A znode stands, perhaps created again. Returns its name, if it may be an instance.
    fn stands(&mut self, name: &str, read_at: Instant, after_gap: bool, now: Instant) -> Option<Arc<str>> {
        let endpoint = self.decoder.name(name)?;
        let name = self.set.nodes.created(name);
        if self.all_records || endpoint.is_none() {
            self.cache.created(&name, read_at);
            if endpoint.as_ref().is_none_or(|endpoint| !self.set.shows(endpoint)) {
                self.awaiting.entry(name.clone()).or_insert(now + RECORD_WAIT);
            }
        }
        if let Some(endpoint) = endpoint {
            self.set.place(&name, Instance::new(endpoint), Known::ByName, after_gap, now);
        }
        Some(name)
    }

    /// A child was deleted. If it was `told` as meant, the removal is believed at once; so is one that settles or is held
    /// already, because a list lacked it.
    pub(crate) fn deleted(&mut self, name: &str, told: bool, now: Instant) {
        self.decoder.forget(name);
        self.cache.deleted(name);
        self.awaiting.remove(name);
        match self.set.nodes.remove(name) {
            Some((name, Some(instance))) if !told => self.set.left(&instance, name, now),
            Some((_, Some(instance))) => self.set.left_as_told(instance.endpoint(), true),
            None if told => {
                let endpoint = self.decoder.endpoint(name).or_else(|| self.set.endpoint_of_removal(name));
                endpoint.iter().for_each(|endpoint| self.set.left_as_told(endpoint, false));
            }
            Some((_, None)) | None => {}
        }
    }

    /// A child's data was written.
    pub(crate) fn written(&mut self, name: &str, now: Instant) {
        self.cache.written(name, now + BATCH_WAIT);
    }

    /// Takes over a list of all children; `recreated` are those that were deleted and created again since the list before.
    /// Returns the names that came or went.
    pub(crate) fn listed(
        &mut self,
        names: &[String],
        recreated: &BTreeSet<String>,
        after: After,
        now: Instant,
    ) -> Vec<Arc<str>> {
        let mut sorted: Vec<_> = names.iter().map(String::as_str).collect();
        sorted.sort_unstable();
        self.decoder.retain(&sorted);
        let mut changed = self.set.nodes.missing_in(&sorted);
        for name in &changed {
            self.deleted(name, false, now);
        }
        for name in names {
            let is_new = self.set.nodes.get(name).is_none();
            if (is_new || recreated.contains(name))
                && let Some(name) = self.stands(name, now, after != After::Following, now)
                && is_new
            {
                changed.push(name);
            }
        }
        if after == After::NewSession {
            self.set.hold_after_new_session();
        }
        changed
    }

    /// Takes the records that are to be read now, at most `max`.
    pub(crate) fn take_reads(&mut self, now: Instant, max: usize) -> Option<Batch> {
        // With a record that is due go those that will be due soon.
        self.cache.next_due().filter(|due| *due <= now)?;
        self.cache.take(now + BATCH_WAIT, max)
    }

    /// When [`take_reads`](Self::take_reads) will return the next batch.
    pub(crate) fn next_read(&self) -> Option<Instant> {
        self.cache.next_due()
    }

    /// Schedules a read of every record, spread over `within`.
    pub(crate) fn reread_all(
        &mut self,
        now: Instant,
        within: Duration,
        reason: ReadReason,
        rng: &mut impl Rng,
    ) {
        self.cache.reread_all(now, within, reason, rng);
    }

    /// Applies the reply for one record. Without a reply the record is read again, not before `retry`. Returns
    /// whether there is a mismatch: the record changed without an event.
    pub(crate) fn apply_reply(
        &mut self,
        ticket: u64,
        name: &str,
        reading: Option<Reading>,
        now: Instant,
        retry: Instant,
    ) -> bool {
        let verdict = self.cache.apply_reply(ticket, name, reading, retry);
        let Some((name, endpoint)) = self.set.nodes.get(name) else { return false };
        let (name, endpoint) = (name.clone(), endpoint.cloned());
        match verdict {
            Verdict::Nothing => false,
            Verdict::Record { data, czxid, mismatch } => {
                self.awaiting.remove(&name);
                if let Some(instance) = self.decoder.record(&name, &data, endpoint.is_some()) {
                    self.set.place(&name, instance, Known::ByRecord(czxid), false, now);
                }
                mismatch
            }
            Verdict::Denied { known } => {
                self.awaiting.remove(&name);
                self.decoder.denied(&name);
                // A known record stays, unless the znode was created again since.
                if !known {
                    self.set.nodes.deny(&name);
                    endpoint.iter().for_each(|endpoint| self.set.refresh(endpoint, On::Denied));
                }
                false
            }
        }
    }

    /// Returns whether instances that had come by then wait for their records.
    pub(crate) fn awaits_records(&self, then: Instant) -> bool {
        self.awaiting.values().any(|until| *until <= then + RECORD_WAIT)
    }

    /// Shows all instances that wait for their records, with defaults.
    pub(crate) fn show_without_records(&mut self) {
        for name in std::mem::take(&mut self.awaiting).into_keys() {
            self.set.show_as_known(&name);
        }
    }

    /// Applies what is due by `now`: shows instances that have waited long enough for their records, and removes
    /// those that have settled or were held for long enough.
    pub(crate) fn advance(&mut self, now: Instant) {
        for (name, _) in self.awaiting.extract_if(.., |_, until| *until <= now) {
            self.set.show_as_known(&name);
        }
        if !self.keeps_the_last() {
            self.set.remove_due(now);
        }
    }

    /// Whether the instances that are shown stay, though none has a znode, until others have their records: no empty set
    /// while instances are listed.
    fn keeps_the_last(&self) -> bool {
        !self.awaiting.is_empty() && self.set.would_be_empty()
    }

    /// When [`advance`](Self::advance) is due next.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        let removal = if self.keeps_the_last() { None } else { self.set.next_removal() };
        removal.into_iter().chain(self.awaiting.values().copied()).min()
    }

    /// How many listed names are no instances.
    pub(crate) fn skipped(&self) -> usize {
        self.decoder.skipped()
    }

    /// How many instances have a record that cannot be read or makes no sense.
    pub(crate) fn unreadable(&self) -> usize {
        self.decoder.unreadable()
    }
}

#[cfg(test)]
mod tests;
