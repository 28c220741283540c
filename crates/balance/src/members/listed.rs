//! The endpoints of the set, each in its tier.

use std::hash::Hash;
use std::sync::Arc;

use indexmap::IndexMap;

use super::counts::Counts;
use super::health::Identity;
use super::member::{Member, Traits};
use super::subset::SubsetMembers;
use super::tiers::{Place, Tiers};
use super::trials::{Out, QueuePlace, Trials};
use crate::config::Subset;
use crate::endpoint::State;
use crate::entry::Entry;
use crate::table::Row;

/// The endpoints of the set, each in its tier.
///
/// Every change goes through [`edit`](Self::edit), [`insert`](Self::insert) and [`remove`](Self::remove), after which each endpoint is
/// counted and placed as what it is, and is queued for a trial if it is out of service and may be called.
pub(super) struct Listed<K, V> {
    members: IndexMap<K, Member<K, V>>,
    tiers: Tiers<K, V>,
    trials: Trials<K>,
    subset: Option<SubsetMembers<K>>,
    counts: Counts,
    /// Whether the tiers are not those of the last table any more.
    is_changed: bool,
}

impl<K: Eq + Hash + Clone, V> Listed<K, V> {
    pub(super) fn new(subset: Option<&Subset>) -> Self {
        Self {
            members: IndexMap::new(),
            tiers: Tiers::default(),
            trials: Trials::default(),
            subset: subset.map(SubsetMembers::new),
            counts: Counts::default(),
            is_changed: false,
        }
    }

    pub(super) fn members(&self) -> &IndexMap<K, Member<K, V>> {
        &self.members
    }

    pub(super) fn tiers(&self) -> &Tiers<K, V> {
        &self.tiers
    }

    pub(super) fn trials(&self) -> &Trials<K> {
        &self.trials
    }

    pub(super) fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Whether the tiers have changed since the last question.
    pub(super) fn take_changed(&mut self) -> bool {
        std::mem::take(&mut self.is_changed)
    }

    /// Whether the endpoint is in the set, and is the process that this is the state of.
    pub(super) fn is(&self, key: &K, state: &Arc<State>) -> bool {
        self.members.get(key).is_some_and(|member| Arc::ptr_eq(&member.identity.state, state))
    }

    pub(super) fn identity(&mut self, key: &K) -> Option<&mut Identity> {
        self.members.get_mut(key).map(|member| &mut member.identity)
    }

    /// Adds an endpoint that is not in the set.
    pub(super) fn insert(&mut self, entry: Arc<Entry<K, V>>, traits: Traits, identity: Identity) {
        let (key, hash) = (entry.key().clone(), entry.hash());
        let member = Member { entry, identity, traits, place: None };
        self.counts.add(traits, member.is_in_service());
        self.members.insert(key.clone(), member);
        self.settle(&key);
        self.rank(&key, hash, None, Some(traits));
    }

    /// Takes an endpoint out of the set.
    pub(super) fn remove(&mut self, key: &K) -> Option<Identity> {
        let mut member = self.members.swap_remove(key)?;
        self.counts.subtract(member.traits, member.is_in_service());
        if let Some(out) = &mut member.identity.out {
            self.trials.leave(out);
        }
        if let Some(place) = member.place {
            self.unplace(place);
        }
        self.rank(key, member.entry.hash(), Some(member.traits), None);
        Some(member.identity)
    }

    /// Gives an endpoint a new value.
    pub(super) fn set_value(&mut self, entry: Arc<Entry<K, V>>, traits: Traits) {
        let (key, hash) = (entry.key().clone(), entry.hash());
        let Some(before) = self.members.get(&key).map(|member| member.traits) else { return };
        self.edit(&key, |member| {
            member.entry = entry;
            member.traits = Traits { in_subset: before.in_subset, ..traits };
        });
        self.rank(&key, hash, Some(before), Some(traits));
    }

    /// Takes an endpoint into service or out of it, or begins another ejection.
    pub(super) fn set_out(&mut self, key: &K, out: Option<Out>) {
        if let Some(member) = self.members.get_mut(key)
            && let Some(before) = &mut member.identity.out
        {
            self.trials.leave(before);
        }
        self.edit(key, |member| member.identity.set_out(out));
    }

    /// Changes an endpoint, and puts it where it belongs then.
    pub(super) fn edit(&mut self, key: &K, edit: impl FnOnce(&mut Member<K, V>)) {
        let Some(member) = self.members.get_mut(key) else { return };
        self.counts.subtract(member.traits, member.is_in_service());
        edit(member);
        self.counts.add(member.traits, member.is_in_service());
        self.settle(key);
    }

    /// The endpoint that is to be tried next, of those behind a place in the queue.
    pub(super) fn next_due(
        &mut self,
        place: Option<QueuePlace>,
        now_ms: u64,
    ) -> Option<(QueuePlace, Arc<Entry<K, V>>)> {
        self.expire_trials(now_ms);
        let (place, key) = self.trials.next_due(place, now_ms)?;
        Some((place, Arc::clone(&self.members.get(key)?.entry)))
    }

    /// Starts the trial of an endpoint, if it is due and there are not enough. Returns its number.
    pub(super) fn start_trial(
        &mut self,
        key: &K,
        state: &Arc<State>,
        now_ms: u64,
        lasts_ms: u64,
    ) -> Option<(Arc<Entry<K, V>>, u64)> {
        self.expire_trials(now_ms);
        let member = self.members.get_mut(key).filter(|member| Arc::ptr_eq(&member.identity.state, state))?;
        let number = self.trials.start(member.identity.out.as_mut()?, key, now_ms, lasts_ms)?;
        Some((Arc::clone(&member.entry), number))
    }

    /// Ends the trials whose time is over: they make room, wherever they stand.
    fn expire_trials(&mut self, now_ms: u64) {
        while let Some((at_ms, key)) = self.trials.pop_expired(now_ms) {
            if let Some(out) = self.identity(&key).and_then(|identity| identity.out.as_mut()) {
                out.end_trial(at_ms);
            }
            self.requeue(&key);
        }
    }

    /// Lets an endpoint wait for its next trial.
    pub(super) fn requeue(&mut self, key: &K) {
        if let Some(member) = self.members.get_mut(key)
            && let Some(out) = &mut member.identity.out
        {
            self.trials.requeue(out, key);
        }
    }

    /// Puts an endpoint where it belongs.
    fn settle(&mut self, key: &K) {
        let Some(member) = self.members.get_mut(key) else { return };
        let (before, target) = (member.place, member.target());
        let row = Row::new(&member.entry);
        let mut left = None;
        match (before, target) {
            (None, None) => {}
            (Some(place), Some((standing, bits))) if (place.standing, place.bits) == (standing, bits) => {
                self.is_changed |= self.tiers.set(place, row);
            }
            (before, target) => {
                member.place = target.map(|(standing, bits)| self.tiers.add(standing, bits, row));
                left = before;
            }
        }
        // A trial of one that is not to be called would wait for ever.
        match &mut member.identity.out {
            Some(out) if member.place.is_some() => self.trials.enter(out, key),
            Some(out) => self.trials.leave(out),
            None => {}
        }
        self.is_changed |= before.is_some() != target.is_some() || left.is_some();
        if let Some(place) = left {
            self.unplace(place);
        }
    }

    fn unplace(&mut self, place: Place) {
        self.is_changed = true;
        // Another one has moved to its index.
        if let Some(moved) = self.tiers.remove(place)
            && let Some(member) = self.members.get_mut(moved.key())
        {
            member.place = Some(place);
        }
    }

    /// Gives an endpoint its place in the order that the subset is the head of.
    fn rank(&mut self, key: &K, hash: u64, before: Option<Traits>, now: Option<Traits>) {
        let Some(subset) = &mut self.subset else { return };
        for (key, in_subset) in subset.change(key, hash, before, now) {
            self.edit(&key, |member| member.traits.in_subset = in_subset);
        }
    }
}

#[cfg(test)]
impl<K: Eq + Hash + Clone + std::fmt::Debug, V> Listed<K, V> {
    /// Each endpoint is in one place, which it knows; counted as what it is; and queued for a trial if it is out of service and
    /// may be called.
    pub(super) fn check(&self) {
        let mut counts = Counts::default();
        let (mut placed, mut queued) = (0, 0);
        for (key, member) in &self.members {
            assert_eq!(member.entry.key(), key);
            assert!(Arc::ptr_eq(&member.entry.state, &member.identity.state));
            counts.add(member.traits, member.is_in_service());
            assert_eq!(member.place.map(|place| (place.standing, place.bits)), member.target());
            if let Some(place) = member.place {
                placed += 1;
                assert!(self.tiers.get(place).is_some_and(|slot| Arc::ptr_eq(slot.entry, &member.entry)));
            }
            if let Some(out) = &member.identity.out {
                let is_queued = member.place.is_some();
                queued += usize::from(is_queued);
                assert_eq!(self.trials.has(out), is_queued, "{key:?} {out:?}");
            }
        }
        let all: usize =
            crate::table::Standing::ALL.into_iter().map(|standing| self.tiers.count(standing)).sum();
        assert_eq!((placed, queued, counts), (all, self.trials.len(), self.counts));
    }
}
