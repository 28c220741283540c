//! From what ZooKeeper lists to what is shown: pure, with the time given.
//!
//! Additions show at once, or with their records where those are asked for, which is not waited for for
//! long. A removal settles first, because a take-over reaches a watcher as a deletion and a creation.
//! Removals that together make a mass disappearance are held for longer. What became of a record never
//! removes anything.
//!
//! One endpoint is one instance, under however many names it stands: other programs may spell it in their
//! own way. It stays for as long as one of them does, and its record is that of the youngest znode.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;
use std::time::Duration;

use instance::{Decoded, Endpoint, Format, Instance, Remark};
use rand::Rng;
use tokio::time::Instant;
use zk_core::Reading;

use crate::record_cache::{Batch, RecordCache, Verdict, Why};
use crate::source::Listing;

mod skipped;
mod spellings;

use skipped::Skipped;
use spellings::Spellings;

/// Removals this close to one another count together.
const TOGETHER: Duration = Duration::from_secs(1);

/// Fewer removals than this are no mass disappearance, however small the set.
const MASS: usize = 3;

/// However often the link comes and goes, nothing is held for longer than so many times the hold, counted
/// in time with a link.
const HOLDS: u32 = 3;

/// How long an addition waits for its record.
pub(crate) const RECORD_WAIT: Duration = Duration::from_millis(250);

/// How long a change waits for others whose records are then read together with its own.
const GATHER: Duration = Duration::from_millis(5);

/// What is listed, what is shown, and what is between the two.
#[derive(Debug)]
pub(crate) struct Membership {
    format: Box<dyn Format>,
    settle: Duration,
    hold: Duration,
    /// Whether there is a link: without one time does not count.
    linked: bool,
    /// What ZooKeeper lists: an instance is there for as long as one of its names is.
    listed: BTreeMap<Endpoint, Spellings>,
    /// What is shown.
    shown: BTreeMap<Endpoint, Arc<Instance>>,
    /// Listed, and waiting for its record: until when at the latest. Empty without records.
    arriving: BTreeMap<Endpoint, Instant>,
    /// Counts what happened to `shown`.
    steps: u64,
    /// Shown and not listed.
    leaving: BTreeMap<Endpoint, Leaving>,
    /// Removals that were let through lately, and have not returned.
    recent: BTreeMap<Endpoint, Instant>,
    /// Names of children that are no instances.
    skipped: Skipped,
    /// The records, where they are asked for.
    cache: Option<RecordCache>,
    /// Names of instances whose records cannot be read, or make no sense.
    unreadable: Skipped,
    /// How many removals were held, ever.
    ever_held: u64,
}

#[derive(Clone, Copy, Debug)]
struct Leaving {
    /// When it went; or, where that was on an earlier link, when this one came up.
    since: Instant,
    /// For how long it has been leaving on earlier links.
    earlier: Duration,
    /// Whether it is part of a mass disappearance.
    held: bool,
}

impl Leaving {
    fn new(now: Instant) -> Self {
        Self { since: now, earlier: Duration::ZERO, held: false }
    }

    /// When it is believed.
    fn due(&self, settle: Duration, hold: Duration) -> Instant {
        let wait = if self.held { hold.min((hold * HOLDS).saturating_sub(self.earlier)) } else { settle };
        self.since + wait
    }
}

impl Membership {
    pub(crate) fn new(format: Box<dyn Format>, settle: Duration, records: bool) -> Self {
        Self {
            format,
            settle,
            hold: Duration::ZERO,
            linked: false,
            listed: BTreeMap::new(),
            shown: BTreeMap::new(),
            arriving: BTreeMap::new(),
            steps: 0,
            leaving: BTreeMap::new(),
            recent: BTreeMap::new(),
            skipped: Skipped::new("no instance: skipped"),
            cache: records.then(RecordCache::new),
            unreadable: Skipped::new("no record: the defaults are used"),
            ever_held: 0,
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
                cache.born(name, now + GATHER);
            }
            self.leaving.remove(&endpoint);
            self.listed.entry(endpoint.clone()).or_default().add(&endpoint, name);
            self.show(endpoint, now);
        }
    }

    /// A child was deleted.
    pub(crate) fn deleted(&mut self, name: &str, now: Instant) {
        match self.format.decode_name(name) {
            Ok(endpoint) => {
                let counted = !self.is_outdone(&endpoint, name);
                self.forget(name);
                let spellings = self.listed.get_mut(&endpoint);
                if spellings.is_none_or(|spellings| spellings.remove(&endpoint, name)) {
                    self.gone(endpoint, now);
                } else if counted {
                    self.reconsider(&endpoint, now + GATHER);
                }
            }
            Err(_) => self.skipped.remove(name),
        }
    }

    /// A child's data was written.
    pub(crate) fn written(&mut self, name: &str, now: Instant) {
        if let Some(cache) = &mut self.cache {
            cache.written(name, now + GATHER);
        }
    }

    /// All children, as listed; in a new session for the first time, or again. Returns whether that was
    /// news.
    ///
    /// Where our session is new, those of the servers may be, too, and they may not be back yet: after a
    /// loss of ZooKeeper's data for one. A first list that lacks more than half is held, however small.
    pub(crate) fn listed(&mut self, listing: &Listing, now: Instant, new_session: bool) -> bool {
        self.skipped.retain(&listing.names);
        self.unreadable.retain(&listing.names);
        let mut listed: BTreeMap<Endpoint, Spellings> = BTreeMap::new();
        let mut names = Vec::with_capacity(listing.names.len());
        for name in &listing.names {
            if let Some(endpoint) = self.endpoint(name) {
                names.push(name.as_str());
                match listed.entry(endpoint) {
                    Entry::Occupied(mut there) => {
                        let endpoint = there.key().clone();
                        there.get_mut().add(&endpoint, name);
                    }
                    Entry::Vacant(free) => {
                        let spellings = Spellings::of(free.key(), name);
                        free.insert(spellings);
                    }
                }
            }
        }
        if let Some(cache) = &mut self.cache {
            cache.listed(names.iter().copied(), now);
            for name in names.iter().filter(|name| listing.reborn.contains(**name)) {
                cache.born(name, now);
            }
        }
        if listed == self.listed {
            return false;
        }
        let before = std::mem::replace(&mut self.listed, listed);
        for (endpoint, spellings) in before {
            match self.listed.get(&endpoint) {
                None => self.gone(endpoint, now),
                Some(left) if *left != spellings => self.reconsider(&endpoint, now),
                Some(_) => {}
            }
        }
        for endpoint in self.listed.keys().cloned().collect::<Vec<_>>() {
            self.leaving.remove(&endpoint);
            self.show(endpoint, now);
        }
        let known = self.len();
        if new_session && self.leaving.len() * 2 > known {
            tracing::warn!(disappeared = self.leaving.len(), of = known, hold = ?self.hold,
                "the first list of a new session is much smaller: held back");
            self.hold_back(|_| true);
        }
        true
    }

    fn show(&mut self, endpoint: Endpoint, now: Instant) {
        self.recent.remove(&endpoint);
        if self.shown.contains_key(&endpoint) {
            return;
        }
        if self.cache.is_some() {
            self.arriving.entry(endpoint).or_insert(now + RECORD_WAIT);
        } else {
            self.put(Instance::new(endpoint));
        }
    }

    /// Shows an instance as it is from now on.
    fn put(&mut self, instance: Instance) {
        self.arriving.remove(instance.endpoint());
        match self.shown.entry(instance.endpoint().clone()) {
            Entry::Occupied(shown) if **shown.get() == instance => return,
            Entry::Occupied(mut shown) => {
                shown.insert(Arc::new(instance));
            }
            Entry::Vacant(free) => {
                free.insert(Arc::new(instance));
            }
        }
        self.steps += 1;
    }

    fn gone(&mut self, endpoint: Endpoint, now: Instant) {
        self.listed.remove(&endpoint);
        self.arriving.remove(&endpoint);
        if self.shown.contains_key(&endpoint) {
            self.leaving.entry(endpoint).or_insert(Leaving::new(now));
        }
    }

    /// Another of its names is gone, and its record may have been that one's: what the others say counts now.
    fn reconsider(&mut self, endpoint: &Endpoint, at: Instant) {
        if let (Some(cache), Some(spellings)) = (&mut self.cache, self.listed.get(endpoint)) {
            for name in spellings.names(endpoint) {
                cache.born(&name, at);
            }
        }
    }

    /// Whether another name of the same instance has a younger record than this one.
    fn is_outdone(&self, endpoint: &Endpoint, name: &str) -> bool {
        let (Some(cache), Some(spellings)) = (&self.cache, self.listed.get(endpoint)) else { return false };
        spellings.are_several()
            && spellings.names(endpoint).any(|other| other != name && cache.birth(&other) > cache.birth(name))
    }

    fn forget(&mut self, name: &str) {
        if let Some(cache) = &mut self.cache {
            cache.gone(name);
            self.unreadable.remove(name);
        }
    }

    /// Records that are to be read by now, at most so many at a time.
    pub(crate) fn take_reads(&mut self, now: Instant, most: usize) -> Option<Batch> {
        let cache = self.cache.as_mut()?;
        // One that is due takes those along that soon will be.
        cache.next_due().filter(|due| *due <= now)?;
        cache.take(now + GATHER, most)
    }

    /// When [`take_reads`](Self::take_reads) will have something to give.
    pub(crate) fn next_read(&self) -> Option<Instant> {
        self.cache.as_ref()?.next_due()
    }

    /// The answer about one record; without one it is asked again, not before `retry`. Returns whether it
    /// was a surprise: no event had told.
    pub(crate) fn answered(
        &mut self,
        ticket: u64,
        name: &str,
        reading: Option<Reading>,
        retry: Instant,
    ) -> bool {
        let Some(cache) = &mut self.cache else { return false };
        match cache.answered(ticket, name, reading, retry) {
            Verdict::Nothing => false,
            Verdict::Record { data, surprise } => {
                self.record(name, &data);
                surprise
            }
            Verdict::Denied { known } => {
                self.unreadable.add(name, &"access denied");
                // Of another life of the znode nothing is known; of the same one, what was read stays.
                if let (false, Ok(endpoint)) = (known, self.format.decode_name(name))
                    && !self.is_outdone(&endpoint, name)
                {
                    self.put(Instance::new(endpoint));
                }
                false
            }
        }
    }

    fn record(&mut self, name: &str, data: &[u8]) {
        let Ok(Decoded { instance, remarks }) = self.format.decode(name, data) else { return };
        match remarks.iter().find(|remark| makes_no_sense(remark)) {
            Some(remark) => self.unreadable.add(name, remark),
            None => {
                self.unreadable.remove(name);
                for remark in &remarks {
                    tracing::debug!(child = name, %remark, "invalid record");
                }
            }
        }
        if !self.is_outdone(instance.endpoint(), name) {
            self.put(instance);
        }
    }

    /// All records are to be read again, spread over a time.
    pub(crate) fn sweep(&mut self, now: Instant, within: Duration, why: Why, rng: &mut impl Rng) {
        if let Some(cache) = &mut self.cache {
            cache.sweep(now, within, why, rng);
        }
    }

    /// Whether there are instances that wait for their records.
    pub(crate) fn is_arriving(&self) -> bool {
        !self.arriving.is_empty()
    }

    /// Shows what waits for its record without it.
    pub(crate) fn hurry(&mut self) {
        for endpoint in std::mem::take(&mut self.arriving).into_keys() {
            self.put(Instance::new(endpoint));
        }
    }

    /// Nobody listens there: if it is held, it need not be any longer. Returns whether it was.
    pub(crate) fn refused(&mut self, endpoint: &Endpoint) -> bool {
        let held = self.leaving.get(endpoint).is_some_and(|leaving| leaving.held);
        if held {
            self.leaving.remove(endpoint);
            self.shown.remove(endpoint);
            self.steps += 1;
        }
        held
    }

    /// There is a link. What was leaving had no chance to come back while there was none.
    pub(crate) fn linked(&mut self, now: Instant) {
        if !std::mem::replace(&mut self.linked, true) {
            self.leaving.values_mut().for_each(|leaving| leaving.since = now);
        }
    }

    /// There is no link any more.
    pub(crate) fn unlinked(&mut self, now: Instant) {
        if std::mem::replace(&mut self.linked, false) {
            self.leaving.values_mut().for_each(|leaving| leaving.earlier += now - leaving.since);
        }
    }

    /// Believes every disappearance that is held.
    pub(crate) fn release(&mut self) {
        self.let_go(|leaving| leaving.held);
    }

    /// Moves on to `now`: what has settled, or was held for long enough, is shown no more.
    pub(crate) fn advance(&mut self, now: Instant) {
        let late: Vec<_> =
            self.arriving.iter().filter(|(_, until)| **until <= now).map(|(e, _)| e.clone()).collect();
        for endpoint in late {
            self.put(Instance::new(endpoint));
        }
        self.remove_ripe(now);
        // An empty set would be a lie. Before anything was shown there is none yet, and a little time.
        if self.shown.is_empty() && self.steps > 0 {
            self.hurry();
        }
    }

    fn remove_ripe(&mut self, now: Instant) {
        let (hold, settle) = (self.hold, self.settle);
        if hold.is_zero() {
            self.let_go(|leaving| leaving.since + settle <= now);
            return;
        }
        self.let_go(|leaving| leaving.held && leaving.due(settle, hold) <= now);
        let ripe = |leaving: &Leaving| !leaving.held && leaving.due(settle, hold) <= now;
        let batch: Vec<_> =
            self.leaving.iter().filter(|(_, leaving)| ripe(leaving)).map(|(e, _)| e.clone()).collect();
        if batch.is_empty() {
            return;
        }
        self.recent.retain(|_, removed| *removed + TOGETHER >= now);
        // The set as it was before the removals that belong together: those that are still settling, too,
        // as what goes at one time may arrive in pieces.
        let before = self.len() + self.recent.len();
        let together = self.recent.len() + self.leaving.len();
        if together >= MASS && together * 2 > before {
            tracing::warn!(disappeared = together, of = before, ?hold, "mass disappearance: held back");
            self.hold_back(ripe);
        } else {
            self.recent.extend(batch.into_iter().map(|endpoint| (endpoint, now)));
            self.let_go(ripe);
        }
    }

    fn hold_back(&mut self, which: impl Fn(&Leaving) -> bool) {
        for leaving in self.leaving.values_mut().filter(|leaving| !leaving.held && which(leaving)) {
            leaving.held = true;
            self.ever_held += 1;
        }
    }

    fn let_go(&mut self, which: impl Fn(&Leaving) -> bool) {
        let Self { leaving, shown, steps, .. } = self;
        leaving.retain(|endpoint, state| {
            let go = which(state);
            if go {
                shown.remove(endpoint);
                *steps += 1;
            }
            !go
        });
    }

    /// When [`advance`](Self::advance) will have something to do.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        let due = |leaving: &Leaving| leaving.due(self.settle, self.hold);
        self.leaving.values().map(due).chain(self.arriving.values().copied()).min()
    }

    /// Another number than before where what is shown may have changed.
    pub(crate) fn steps(&self) -> u64 {
        self.steps
    }

    /// What is shown, sorted by endpoint.
    pub(crate) fn instances(&self) -> Box<[Arc<Instance>]> {
        self.shown.values().cloned().collect()
    }

    /// Shown, but held back from leaving.
    pub(crate) fn held(&self) -> usize {
        self.leaving.values().filter(|leaving| leaving.held).count()
    }

    /// How many are shown, or soon will be.
    pub(crate) fn len(&self) -> usize {
        self.shown.len() + self.arriving.len()
    }

    /// How many removals were held, ever.
    pub(crate) fn ever_held(&self) -> u64 {
        self.ever_held
    }

    /// Listed, but no instances.
    pub(crate) fn skipped(&self) -> usize {
        self.skipped.len()
    }

    /// Instances whose records cannot be read, or make no sense.
    pub(crate) fn unreadable(&self) -> usize {
        self.unreadable.len()
    }

    fn endpoint(&mut self, name: &str) -> Option<Endpoint> {
        self.format.decode_name(name).inspect_err(|error| self.skipped.add(name, error)).ok()
    }
}

/// Whether nothing at all was understood, rather than a part.
fn makes_no_sense(remark: &Remark) -> bool {
    matches!(
        remark,
        Remark::Oversized { .. } | Remark::NotUtf8 | Remark::NotJson { .. } | Remark::NotAnObject { .. }
    )
}

#[cfg(test)]
mod tests;
