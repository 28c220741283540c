//! Turns what ZooKeeper lists into what the view shows. Pure: no I/O, and the caller passes the time.
//!
//! An addition shows at once, or after a short wait for its record if records are read. A removal settles first,
//! because a take-over reaches a watcher as a deletion and a creation. Removals that make up a mass disappearance
//! are held for longer. A record that cannot be read removes nothing.
//!
//! One endpoint is one instance, under however many names it is listed: other programs may spell it in their own
//! way. The instance stays as long as one of its names does, and its record is that of the youngest znode.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;
use std::time::Duration;

use instance::{Decoded, Endpoint, Format, Instance, Remark};
use rand::Rng;
use tokio::time::Instant;
use zk_core::Reading;

use crate::record_cache::{Batch, ReadReason, RecordCache, Verdict};

mod logged_names;
mod spellings;

use logged_names::LoggedNames;
use spellings::Spellings;

/// Removals within this time of one another count as one disappearance.
const MASS_WINDOW: Duration = Duration::from_secs(1);

/// Fewer removals are no mass disappearance, however small the set.
const MASS_MIN: usize = 3;

/// The longest time an instance is held, as a multiple of the hold and counted in time with a link, however often
/// the link comes and goes.
const MAX_HOLDS: u32 = 3;

/// How long an addition waits for its record.
pub(crate) const RECORD_WAIT: Duration = Duration::from_millis(250);

/// How long a change waits for others, so that one request reads the records of all of them.
const BATCH_WAIT: Duration = Duration::from_millis(5);

/// What ZooKeeper lists, what the view shows, and the instances in between.
#[derive(Debug)]
pub(crate) struct Membership {
    format: Box<dyn Format>,
    settle: Duration,
    hold: Duration,
    /// Whether the link is up: removals wait without it.
    link_up: bool,
    /// What ZooKeeper lists: an instance is listed as long as one of its names is.
    listed: BTreeMap<Endpoint, Spellings>,
    /// What the view shows.
    shown: BTreeMap<Endpoint, Arc<Instance>>,
    /// Listed, and waiting for the record until this time at the latest. Empty without records.
    awaiting_record: BTreeMap<Endpoint, Instant>,
    /// How often `shown` has changed.
    shown_changes: u64,
    /// Shown, and not listed any more.
    removals: BTreeMap<Endpoint, PendingRemoval>,
    /// Instances that were removed lately and have not returned.
    recent_removals: BTreeMap<Endpoint, Instant>,
    /// Names of children that are no instances.
    skipped: LoggedNames,
    /// The records, if they are read.
    cache: Option<RecordCache>,
    /// Names of instances whose records cannot be read, or make no sense.
    unreadable: LoggedNames,
    /// How many removals were held so far.
    total_held: u64,
}

/// A removal that is settling or held.
#[derive(Clone, Copy, Debug)]
struct PendingRemoval {
    /// When the instance was unlisted; if the link went down since, when it came up again.
    since: Instant,
    /// How long the removal waited while the link was up before.
    earlier: Duration,
    /// Whether the instance is held as part of a mass disappearance.
    held: bool,
}

impl PendingRemoval {
    fn new(now: Instant) -> Self {
        Self { since: now, earlier: Duration::ZERO, held: false }
    }

    /// When the instance is removed.
    fn due(&self, settle: Duration, hold: Duration) -> Instant {
        let wait = if self.held { hold.min((hold * MAX_HOLDS).saturating_sub(self.earlier)) } else { settle };
        self.since + wait
    }
}

impl Membership {
    pub(crate) fn new(format: Box<dyn Format>, settle: Duration, records: bool) -> Self {
        Self {
            format,
            settle,
            hold: Duration::ZERO,
            link_up: false,
            listed: BTreeMap::new(),
            shown: BTreeMap::new(),
            awaiting_record: BTreeMap::new(),
            shown_changes: 0,
            removals: BTreeMap::new(),
            recent_removals: BTreeMap::new(),
            skipped: LoggedNames::new("child skipped: not an instance"),
            cache: records.then(RecordCache::new),
            unreadable: LoggedNames::new("record unreadable"),
            total_held: 0,
        }
    }

    /// Sets for how long a mass disappearance is held.
    pub(crate) fn set_hold(&mut self, hold: Duration) {
        self.hold = hold;
    }

    /// A child was created.
    pub(crate) fn created(&mut self, name: &str, now: Instant) {
        if let Some(endpoint) = self.endpoint(name) {
            if let Some(cache) = &mut self.cache {
                cache.created(name, now + BATCH_WAIT);
            }
            self.removals.remove(&endpoint);
            self.listed.entry(endpoint.clone()).or_default().add(&endpoint, name);
            self.add(endpoint, now);
        }
    }

    /// A child was deleted.
    pub(crate) fn deleted(&mut self, name: &str, _told: bool, now: Instant) {
        match self.format.decode_name(name) {
            Ok(endpoint) => {
                let was_youngest = !self.has_younger_namesake(&endpoint, name);
                self.forget_record(name);
                let spellings = self.listed.get_mut(&endpoint);
                if spellings.is_none_or(|spellings| spellings.remove(&endpoint, name)) {
                    self.unlisted(endpoint, now);
                } else if was_youngest {
                    self.reread_names(&endpoint, now + BATCH_WAIT);
                }
            }
            Err(_) => self.skipped.remove(name),
        }
    }

    /// A child's data was written.
    pub(crate) fn written(&mut self, name: &str, now: Instant) {
        if let Some(cache) = &mut self.cache {
            cache.written(name, now + BATCH_WAIT);
        }
    }

    /// Takes over a list of all children. Returns whether it differs from what was listed before.
    ///
    /// `new_session` is true for the first list of a new session. The instances may have new sessions, too, and may not be
    /// back yet, after a loss of ZooKeeper's data for example. If that list lacks more than half of the instances,
    /// the missing ones are held, however few.
    pub(crate) fn listed(
        &mut self,
        all: &[String],
        recreated: &std::collections::BTreeSet<String>,
        now: Instant,
        new_session: bool,
    ) -> Vec<String> {
        self.skipped.retain(all);
        self.unreadable.retain(all);
        let mut listed: BTreeMap<Endpoint, Spellings> = BTreeMap::new();
        let mut names = Vec::with_capacity(all.len());
        for name in all {
            if let Some(endpoint) = self.endpoint(name) {
                names.push(name.as_str());
                match listed.entry(endpoint) {
                    Entry::Occupied(mut entry) => {
                        let endpoint = entry.key().clone();
                        entry.get_mut().add(&endpoint, name);
                    }
                    Entry::Vacant(entry) => {
                        let spellings = Spellings::of(entry.key(), name);
                        entry.insert(spellings);
                    }
                }
            }
        }
        if let Some(cache) = &mut self.cache {
            cache.listed(names.iter().copied(), now);
            for name in names.iter().filter(|name| recreated.contains(**name)) {
                cache.created(name, now);
            }
        }
        if listed == self.listed {
            return Vec::new();
        }
        let before = std::mem::replace(&mut self.listed, listed);
        let names_of = |all: &BTreeMap<Endpoint, Spellings>| -> std::collections::BTreeSet<String> {
            all.iter()
                .flat_map(|(endpoint, spellings)| spellings.names(endpoint).collect::<Vec<_>>())
                .collect()
        };
        let differs = names_of(&before).symmetric_difference(&names_of(&self.listed)).cloned().collect();
        for (endpoint, spellings) in before {
            match self.listed.get(&endpoint) {
                None => self.unlisted(endpoint, now),
                Some(left) if *left != spellings => self.reread_names(&endpoint, now),
                Some(_) => {}
            }
        }
        for endpoint in self.listed.keys().cloned().collect::<Vec<_>>() {
            self.removals.remove(&endpoint);
            self.add(endpoint, now);
        }
        let known = self.len();
        if new_session && self.removals.len() * 2 > known {
            self.hold_where(|_| true);
            let (held, hold) = (self.held(), self.hold);
            tracing::warn!(
                ?hold,
                "mass disappearance: holding {held} of {known} instances not listed in a new session"
            );
        }
        differs
    }

    /// Shows a listed endpoint, perhaps after its record was read.
    fn add(&mut self, endpoint: Endpoint, now: Instant) {
        self.recent_removals.remove(&endpoint);
        if self.shown.contains_key(&endpoint) {
            return;
        }
        if self.cache.is_some() {
            self.awaiting_record.entry(endpoint).or_insert(now + RECORD_WAIT);
        } else {
            self.show(Instance::new(endpoint));
        }
    }

    /// Shows an instance with this record from now on.
    fn show(&mut self, instance: Instance) {
        self.awaiting_record.remove(instance.endpoint());
        match self.shown.entry(instance.endpoint().clone()) {
            Entry::Occupied(shown) if **shown.get() == instance => return,
            Entry::Occupied(mut shown) => {
                shown.insert(Arc::new(instance));
            }
            Entry::Vacant(entry) => {
                entry.insert(Arc::new(instance));
            }
        }
        self.shown_changes += 1;
    }

    /// No name of an endpoint is listed any more.
    fn unlisted(&mut self, endpoint: Endpoint, now: Instant) {
        self.listed.remove(&endpoint);
        self.awaiting_record.remove(&endpoint);
        if self.shown.contains_key(&endpoint) {
            self.removals.entry(endpoint).or_insert(PendingRemoval::new(now));
        }
    }

    /// Reads the records of all names of an endpoint again, because the name whose record counted may be gone.
    fn reread_names(&mut self, endpoint: &Endpoint, at: Instant) {
        if let (Some(cache), Some(spellings)) = (&mut self.cache, self.listed.get(endpoint)) {
            for name in spellings.names(endpoint) {
                cache.created(&name, at);
            }
        }
    }

    /// Whether another name of the same instance has a younger record than this one.
    fn has_younger_namesake(&self, endpoint: &Endpoint, name: &str) -> bool {
        let (Some(cache), Some(spellings)) = (&self.cache, self.listed.get(endpoint)) else { return false };
        spellings.are_several()
            && spellings.names(endpoint).any(|other| other != name && cache.czxid(&other) > cache.czxid(name))
    }

    fn forget_record(&mut self, name: &str) {
        if let Some(cache) = &mut self.cache {
            cache.deleted(name);
            self.unreadable.remove(name);
        }
    }

    /// Takes the records that are to be read now, at most `max`.
    pub(crate) fn take_reads(&mut self, now: Instant, max: usize) -> Option<Batch> {
        let cache = self.cache.as_mut()?;
        // With a record that is due go those that will be due soon.
        cache.next_due().filter(|due| *due <= now)?;
        cache.take(now + BATCH_WAIT, max)
    }

    /// When [`take_reads`](Self::take_reads) will return the next batch.
    pub(crate) fn next_read(&self) -> Option<Instant> {
        self.cache.as_ref()?.next_due()
    }

    /// Applies the reply for one record. Without a reply the record is read again, not before `retry`. Returns
    /// whether there is a mismatch: the record changed without an event.
    pub(crate) fn apply_reply(
        &mut self,
        ticket: u64,
        name: &str,
        reading: Option<Reading>,
        retry: Instant,
    ) -> bool {
        let Some(cache) = &mut self.cache else { return false };
        match cache.apply_reply(ticket, name, reading, retry) {
            Verdict::Nothing => false,
            Verdict::Record { data, mismatch } => {
                self.apply_record(name, &data);
                mismatch
            }
            Verdict::Denied { known } => {
                self.unreadable.add(name, &"access denied");
                // A known record stays, unless the znode was created again since.
                if let (false, Ok(endpoint)) = (known, self.format.decode_name(name))
                    && !self.has_younger_namesake(&endpoint, name)
                {
                    self.show(Instance::new(endpoint));
                }
                false
            }
        }
    }

    fn apply_record(&mut self, name: &str, data: &[u8]) {
        let Ok(Decoded { instance, remarks }) = self.format.decode(name, data) else { return };
        match remarks.iter().find(|remark| is_unusable(remark)) {
            Some(remark) => self.unreadable.add(name, remark),
            None => {
                self.unreadable.remove(name);
                for remark in &remarks {
                    tracing::debug!(child = name, %remark, "record is partly invalid");
                }
            }
        }
        if !self.has_younger_namesake(instance.endpoint(), name) {
            self.show(instance);
        }
    }

    /// Schedules a read of every record, spread over `within`.
    pub(crate) fn reread_all(
        &mut self,
        now: Instant,
        within: Duration,
        reason: ReadReason,
        rng: &mut impl Rng,
    ) {
        if let Some(cache) = &mut self.cache {
            cache.reread_all(now, within, reason, rng);
        }
    }

    /// Returns whether instances wait for their records.
    pub(crate) fn awaits_records(&self) -> bool {
        !self.awaiting_record.is_empty()
    }

    /// Shows all instances that wait for their records, with defaults.
    pub(crate) fn show_without_records(&mut self) {
        for endpoint in std::mem::take(&mut self.awaiting_record).into_keys() {
            self.show(Instance::new(endpoint));
        }
    }

    /// An endpoint refused a connection. Removes the instance if it is held; returns whether it was.
    pub(crate) fn refused(&mut self, endpoint: &Endpoint) -> bool {
        let held = self.removals.get(endpoint).is_some_and(|removal| removal.held);
        if held {
            self.removals.remove(endpoint);
            self.shown.remove(endpoint);
            self.shown_changes += 1;
        }
        held
    }

    /// The link is up. Instances could not come back while it was down, so their holds begin again.
    pub(crate) fn link_up(&mut self, now: Instant) {
        if !std::mem::replace(&mut self.link_up, true) {
            self.removals.values_mut().for_each(|removal| removal.since = now);
        }
    }

    /// The link is down.
    pub(crate) fn link_down(&mut self, now: Instant) {
        if std::mem::replace(&mut self.link_up, false) {
            self.removals.values_mut().for_each(|removal| removal.earlier += now - removal.since);
        }
    }

    /// Removes all held instances.
    pub(crate) fn release_held(&mut self) {
        self.remove_where(|removal| removal.held);
    }

    /// Applies what is due by `now`: shows instances that have waited long enough for their records, and removes
    /// those that have settled or were held for long enough.
    pub(crate) fn advance(&mut self, now: Instant) {
        let late: Vec<_> =
            self.awaiting_record.iter().filter(|(_, until)| **until <= now).map(|(e, _)| e.clone()).collect();
        for endpoint in late {
            self.show(Instance::new(endpoint));
        }
        self.remove_due(now);
        // No empty set while instances are listed; but the first set waits for its records.
        if self.shown.is_empty() && self.shown_changes > 0 {
            self.show_without_records();
        }
    }

    fn remove_due(&mut self, now: Instant) {
        let (hold, settle) = (self.hold, self.settle);
        if hold.is_zero() {
            self.remove_where(|removal| removal.since + settle <= now);
            return;
        }
        self.remove_where(|removal| removal.held && removal.due(settle, hold) <= now);
        let due = |removal: &PendingRemoval| !removal.held && removal.due(settle, hold) <= now;
        let batch: Vec<_> =
            self.removals.iter().filter(|(_, removal)| due(removal)).map(|(e, _)| e.clone()).collect();
        if batch.is_empty() {
            return;
        }
        self.recent_removals.retain(|_, removed| *removed + MASS_WINDOW >= now);
        // Counts the removals of the last second, and those that are still settling: instances that go at one time
        // may arrive in pieces. `before` is the size of the set before all of these.
        let before = self.len() + self.recent_removals.len();
        let disappeared = self.recent_removals.len() + self.removals.len();
        if disappeared >= MASS_MIN && disappeared * 2 > before {
            self.hold_where(due);
            let (held, all) = (self.held(), self.len());
            tracing::warn!(?hold, disappeared, "mass disappearance: holding {held} of {all} instances");
        } else {
            self.recent_removals.extend(batch.into_iter().map(|endpoint| (endpoint, now)));
            self.remove_where(due);
        }
    }

    fn hold_where(&mut self, which: impl Fn(&PendingRemoval) -> bool) {
        for removal in self.removals.values_mut().filter(|removal| !removal.held && which(removal)) {
            removal.held = true;
            self.total_held += 1;
        }
    }

    fn remove_where(&mut self, which: impl Fn(&PendingRemoval) -> bool) {
        let Self { removals, shown, shown_changes, .. } = self;
        removals.retain(|endpoint, removal| {
            let remove = which(removal);
            if remove {
                shown.remove(endpoint);
                *shown_changes += 1;
            }
            !remove
        });
    }

    /// When [`advance`](Self::advance) is due next.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        let due = |removal: &PendingRemoval| removal.due(self.settle, self.hold);
        self.removals.values().map(due).chain(self.awaiting_record.values().copied()).min()
    }

    /// How often the shown instances have changed.
    pub(crate) fn shown_changes(&self) -> u64 {
        self.shown_changes
    }

    /// The shown instances, sorted by endpoint.
    pub(crate) fn instances(&self) -> Box<[Arc<Instance>]> {
        self.shown.values().cloned().collect()
    }

    /// How many shown instances are held.
    pub(crate) fn held(&self) -> usize {
        self.removals.values().filter(|removal| removal.held).count()
    }

    /// How many instances are shown, or wait for their records.
    pub(crate) fn len(&self) -> usize {
        self.shown.len() + self.awaiting_record.len()
    }

    /// How many removals were held so far.
    pub(crate) fn total_held(&self) -> u64 {
        self.total_held
    }

    /// How many listed names are no instances.
    pub(crate) fn skipped(&self) -> usize {
        self.skipped.len()
    }

    /// How many instances have a record that cannot be read or makes no sense.
    pub(crate) fn unreadable(&self) -> usize {
        self.unreadable.len()
    }

    fn endpoint(&mut self, name: &str) -> Option<Endpoint> {
        self.format.decode_name(name).inspect_err(|error| self.skipped.add(name, error)).ok()
    }
}

/// Whether the whole record is invalid, rather than a part of it.
fn is_unusable(remark: &Remark) -> bool {
    matches!(
        remark,
        Remark::Oversized { .. } | Remark::NotUtf8 | Remark::NotJson { .. } | Remark::NotAnObject { .. }
    )
}

#[cfg(test)]
mod tests;
