//! The set of endpoints and their health: a machine without clock, under the balancer's lock.

mod absent;
mod health;
mod reports;
mod subset;
mod tiers;

use std::collections::HashSet;
use std::hash::Hash;
use std::sync::{Arc, Weak};
use std::time::Duration;

use indexmap::IndexMap;

use crate::config::Config;
use crate::endpoint::State;
use crate::entry::{Entry, Reports};
use crate::hash::stable_hash;
use crate::info::EndpointInfo;
use crate::rng::Rng;
use crate::table::{Facts, Slot, Standing, Table};
use absent::Absent;
use health::{Identity, Trials};
use subset::{Rank, SubsetMembers};
use tiers::{Place, Tiers};

pub use absent::{MAX_ABSENT, MEMORY};
pub use health::Health;

/// How much of the calls a zone keeps, as a multiple of its share of endpoints in service: with 72 % of them it keeps all.
const OVERPROVISIONING: f64 = 1.4;

/// A change of the set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change<K, V> {
    /// The endpoint is in the set, with this value: a new one, or a new value of one that is there.
    Insert(K, V),
    /// The endpoint is not in the set any more.
    Remove(K),
}

/// The set, the health of its endpoints, and what is remembered of those that left.
pub(crate) struct Members<K, V> {
    config: Arc<Config>,
    reports: Weak<dyn Reports<K>>,
    rng: Rng,
    members: IndexMap<K, Member<K, V>>,
    absent: Absent<K>,
    tiers: Tiers<K, V>,
    trials: Trials<K>,
    subset: Option<SubsetMembers<K>>,
    is_synced: bool,
    /// How many do not match the labels.
    mismatched: usize,
    /// How many are out of service.
    out: usize,
    /// How many in the zone could be called, and how many of them are in service.
    zone: (usize, usize),
    slow_until_ms: u64,
}

struct Member<K, V> {
    entry: Arc<Entry<K, V>>,
    identity: Identity,
    traits: Traits,
    place: Option<Place>,
}

/// What the configuration says of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Traits {
    matches: bool,
    /// Takes new calls.
    is_open: bool,
    is_held: bool,
    in_zone: bool,
    in_subset: bool,
    /// The number of bits of its weight.
    bits: u32,
}

impl<K: Eq + Hash + Clone, V: EndpointInfo> Members<K, V> {
    pub(crate) fn new(config: Arc<Config>, reports: Weak<dyn Reports<K>>, rng: Rng) -> Self {
        Self {
            subset: config.subset.map(SubsetMembers::new),
            config,
            reports,
            rng,
            members: IndexMap::new(),
            absent: Absent::default(),
            tiers: Tiers::default(),
            trials: Trials::default(),
            is_synced: false,
            mismatched: 0,
            out: 0,
            zone: (0, 0),
            slow_until_ms: 0,
        }
    }

    /// Replaces the whole set. Of a repeated key the last value counts.
    pub(crate) fn replace(&mut self, set: Vec<(K, V)>, now_ms: u64) {
        let kept: HashSet<&K> = set.iter().map(|(key, _)| key).collect();
        // In the order of the set, not of a hash: what a seed does must not depend on it.
        let gone: Vec<K> = self.members.keys().filter(|key| !kept.contains(key)).cloned().collect();
        let changes = gone.into_iter().map(Change::Remove);
        drop(kept);
        self.apply(changes.chain(set.into_iter().map(|(key, value)| Change::Insert(key, value))), now_ms);
    }

    /// Makes some changes, in order.
    pub(crate) fn apply(&mut self, changes: impl IntoIterator<Item = Change<K, V>>, now_ms: u64) {
        self.absent.forget_old(now_ms);
        // Nobody is new where all are.
        let is_in_use = self.is_synced && !self.members.is_empty();
        self.is_synced = true;
        for change in changes {
            match change {
                Change::Insert(key, value) => self.insert(key, value, is_in_use, now_ms),
                Change::Remove(key) => self.remove(&key, now_ms),
            }
        }
    }

    /// Makes the table that readers pick from.
    pub(crate) fn table(&self) -> Table<K, V> {
        let in_service = Standing::ALL.into_iter().filter(|standing| standing.is_in_service());
        let in_service: usize = in_service.map(|standing| self.tiers.count(standing)).sum();
        let callable = in_service + self.tiers.count(Standing::Suspect) + self.tiers.count(Standing::Refused);
        let panics = (in_service as f64) < self.config.panic_threshold * callable as f64;
        let (open, in_service) = self.zone;
        let spill = if open == 0 || panics {
            0.0
        } else {
            (1.0 - OVERPROVISIONING * in_service as f64 / open as f64).max(0.0)
        };
        let facts =
            Facts { is_synced: self.is_synced, listed: self.members.len(), mismatched: self.mismatched };
        Table { tiers: self.tiers.snapshot(panics), spill, slow_until_ms: self.slow_until_ms, facts }
    }

    /// How many endpoints of the set are out of service.
    pub(crate) fn out(&self) -> usize {
        self.out
    }

    /// All endpoints, with their health and the number of ejections in a row.
    pub(crate) fn healths(
        &self,
        now_ms: u64,
    ) -> impl ExactSizeIterator<Item = (&Arc<Entry<K, V>>, Health, u32)> {
        self.members.values().map(move |member| {
            let (health, ejections) = member.identity.health(now_ms);
            (&member.entry, health, ejections)
        })
    }

    fn insert(&mut self, key: K, value: V, is_in_use: bool, now_ms: u64) {
        let (incarnation, hash) = (value.incarnation(), stable_hash(&key));
        let kept = match self.members.get_mut(&key) {
            Some(member) if member.identity.is_same(incarnation) => {
                member.identity.incarnation = incarnation.or(member.identity.incarnation);
                let state = Arc::clone(&member.identity.state);
                let entry = Arc::new(Entry::new(key.clone(), value, hash, state, self.reports.clone()));
                member.entry = entry;
                self.examine(&key);
                return;
            }
            // Another process: nothing that is known of the one before is true of it.
            Some(_) => {
                self.take_out(&key);
                None
            }
            None => self.absent.take(&key).filter(|identity| identity.is_same(incarnation)),
        };
        let is_known = kept.is_some();
        let mut identity = kept.unwrap_or_else(|| Identity::new(incarnation));
        identity.incarnation = incarnation.or(identity.incarnation);
        if is_in_use && !is_known && !self.config.slow_start.is_zero() {
            identity.state.begin_slow_start(now_ms);
            self.slow_until_ms = now_ms.saturating_add(millis(self.config.slow_start));
        }
        if let Some(out) = &mut identity.out {
            self.out += 1;
            self.trials.schedule(out, &key);
        }
        let state = Arc::clone(&identity.state);
        let entry = Arc::new(Entry::new(key.clone(), value, hash, state, self.reports.clone()));
        let traits = Traits::new(&self.config, &entry);
        if !traits.matches {
            self.mismatched += 1;
        }
        self.count_zone(traits, identity.out.is_none(), 1);
        self.members.insert(key.clone(), Member { entry, identity, traits, place: None });
        if let Some(subset) = &mut self.subset
            && traits.matches
        {
            let changed = subset.insert(Rank::new(subset.client(), hash, traits.in_zone), key.clone());
            self.subset_changed(changed);
        }
        self.settle(&key);
    }

    fn remove(&mut self, key: &K, now_ms: u64) {
        if let Some(identity) = self.take_out(key) {
            self.absent.remember(key.clone(), identity, now_ms);
        }
    }

    /// Takes an endpoint out of the set.
    fn take_out(&mut self, key: &K) -> Option<Identity> {
        let member = self.members.swap_remove(key)?;
        let Member { entry, mut identity, traits, place } = member;
        if let Some(place) = place {
            self.unplace(place);
        }
        if let Some(out) = &mut identity.out {
            self.out -= 1;
            self.trials.forget(out);
        }
        if !traits.matches {
            self.mismatched -= 1;
        }
        self.count_zone(traits, identity.out.is_none(), -1);
        if let Some(subset) = &mut self.subset {
            let changed = subset.remove(&Rank::new(subset.client(), entry.hash(), traits.in_zone));
            self.subset_changed(changed);
        }
        Some(identity)
    }

    /// Looks at the value of an endpoint anew.
    fn examine(&mut self, key: &K) {
        let Some(member) = self.members.get_mut(key) else { return };
        let (before, in_service) = (member.traits, member.identity.out.is_none());
        let now = Traits { in_subset: before.in_subset, ..Traits::new(&self.config, &member.entry) };
        member.traits = now;
        let hash = member.entry.hash();
        self.mismatched = self.mismatched + usize::from(!now.matches) - usize::from(!before.matches);
        self.count_zone(before, in_service, -1);
        self.count_zone(now, in_service, 1);
        if let Some(subset) = &mut self.subset
            && (before.in_zone, before.matches) != (now.in_zone, now.matches)
        {
            let mut changed = subset.remove(&Rank::new(subset.client(), hash, before.in_zone));
            if now.matches {
                changed.extend(subset.insert(Rank::new(subset.client(), hash, now.in_zone), key.clone()));
            }
            self.subset_changed(changed);
        }
        self.settle(key);
    }

    /// Puts an endpoint where it belongs.
    fn settle(&mut self, key: &K) {
        let Some(member) = self.members.get_mut(key) else { return };
        let target = member.target(&self.config);
        let slot = Slot::new(&member.entry);
        match (member.place, target) {
            (Some(place), Some((standing, bits))) if (place.standing, place.bits) == (standing, bits) => {
                self.tiers.set(place, slot);
            }
            (before, target) => {
                member.place = target.map(|(standing, bits)| self.tiers.add(standing, bits, slot));
                if let Some(place) = before {
                    self.unplace(place);
                }
            }
        }
    }

    fn unplace(&mut self, place: Place) {
        // Another one has moved to its index.
        if let Some(moved) = self.tiers.remove(place)
            && let Some(member) = self.members.get_mut(moved.key())
        {
            member.place = Some(place);
        }
    }

    fn subset_changed(&mut self, changed: Vec<(K, bool)>) {
        for (key, in_subset) in changed {
            if let Some(member) = self.members.get_mut(&key) {
                member.traits.in_subset = in_subset;
                self.settle(&key);
            }
        }
    }

    fn count_zone(&mut self, traits: Traits, in_service: bool, by: isize) {
        if self.config.zone.is_some() && traits.matches && traits.is_open && traits.in_zone {
            self.zone.0 = self.zone.0.saturating_add_signed(by);
            if in_service && !traits.is_held {
                self.zone.1 = self.zone.1.saturating_add_signed(by);
            }
        }
    }
}

impl<K, V> Member<K, V> {
    /// Where it belongs, with the number of bits of its weight; `None` if it is not to be called.
    fn target(&self, config: &Config) -> Option<(Standing, u32)> {
        let traits = self.traits;
        if !traits.matches || !traits.is_open {
            return None;
        }
        let in_subset = config.subset.is_none() || traits.in_subset;
        let standing = match &self.identity.out {
            Some(out) if out.is_refused => Standing::Refused,
            Some(_) => Standing::Suspect,
            None if traits.is_held => Standing::Held,
            None if traits.in_zone && in_subset => Standing::Preferred,
            None => Standing::InService,
        };
        Some((standing, traits.bits))
    }
}

impl Traits {
    fn new<K, V: EndpointInfo>(config: &Config, entry: &Entry<K, V>) -> Self {
        let value = entry.value();
        let has = |(tag, wanted): &(String, String)| value.tag(tag) == Some(wanted);
        Self {
            matches: config.labels.iter().all(has),
            is_open: entry.weight() > 0 && !value.is_draining(),
            is_held: value.is_held(),
            in_zone: config.zone.as_ref().is_none_or(|zone| value.tag(&zone.tag) == Some(&*zone.name)),
            in_subset: false,
            bits: u32::BITS - entry.weight().leading_zeros(),
        }
    }
}

/// A duration in whole milliseconds, rounded up: what lasts is over when its time is.
fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
}

impl State {
    fn begin_slow_start(&self, now_ms: u64) {
        self.newcomer_since_ms.store(now_ms.max(1), std::sync::atomic::Ordering::Relaxed);
    }
}
