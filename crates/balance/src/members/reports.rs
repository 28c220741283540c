//! What calls tell of endpoints.

use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;

use super::health::{Identity, MAX_TRIALS, Out};
use super::{Members, millis};
use crate::ejection::Verdict;
use crate::endpoint::State;
use crate::entry::{Entry, Ticket};
use crate::failure::Failure;
use crate::info::EndpointInfo;

/// How many endpoints that are due are looked at for one to try.
const MAX_LOOKED_AT: usize = 64;

impl<K: Eq + Hash + Clone, V: EndpointInfo> Members<K, V> {
    /// A call in service failed. Returns whether the endpoint is ejected for it.
    pub(crate) fn failed(
        &mut self,
        key: &K,
        state: &Arc<State>,
        generation: u16,
        failure: Failure,
        took: Duration,
        now_ms: u64,
    ) -> bool {
        let Some(history) = state.outcomes.record_failure(generation) else { return false };
        if self.identity(key, state).is_none_or(|identity| identity.out.is_some()) {
            return false;
        }
        let (out, listed, max_share) = (self.out, self.members.len(), self.config.ejection.max_share);
        match self.config.ejection.verdict(failure, history) {
            Verdict::Keep => return false,
            Verdict::EjectWithinCap if (out + 1) as f64 > max_share * listed as f64 => return false,
            Verdict::Eject | Verdict::EjectWithinCap => {}
        }
        // A hundred calls that fail at the same time are one failure: the first one closes the generation.
        if !state.outcomes.close(generation) {
            return false;
        }
        self.eject(key, state, failure, took, now_ms)
    }

    /// A trial, or a call because all look bad, succeeded. Returns whether the endpoint is back in service.
    pub(crate) fn recovered(&mut self, key: &K, state: &Arc<State>, ticket: Ticket, now_ms: u64) -> bool {
        let Some(identity) = self.identity(key, state) else { return false };
        let Some(out) = &identity.out else { return false };
        let is_current = match ticket {
            Ticket::Trial { number } => out.trial == Some(number),
            Ticket::LastResort { generation } | Ticket::InService { generation } => {
                generation == state.outcomes.generation()
            }
        };
        if !is_current {
            return false;
        }
        identity.returned_ms = now_ms;
        state.outcomes.close(state.outcomes.generation());
        self.set_out(key, state, None);
        true
    }

    /// A trial, or a call because all look bad, failed. Returns whether the endpoint is ejected again for it.
    pub(crate) fn failed_again(
        &mut self,
        key: &K,
        state: &Arc<State>,
        ticket: Ticket,
        failure: Failure,
        took: Duration,
        now_ms: u64,
    ) -> bool {
        let Some(identity) = self.identity(key, state) else { return false };
        let Some(out) = &identity.out else { return false };
        let is_refused = failure == Failure::Refused;
        match ticket {
            Ticket::Trial { number } if out.trial == Some(number) => {
                self.eject(key, state, failure, took, now_ms)
            }
            // No trial: only the kind of failure is new.
            Ticket::LastResort { generation } if generation == state.outcomes.generation() => {
                if out.is_refused != is_refused {
                    let until_ms = out.until_ms;
                    self.set_out(key, state, Some(Out::new(until_ms, is_refused)));
                }
                false
            }
            _ => false,
        }
    }

    /// A trial ended without a report: the next one may start.
    pub(crate) fn gave_up(&mut self, key: &K, state: &Arc<State>, ticket: Ticket) {
        let Ticket::Trial { number } = ticket else { return };
        if let Some(member) = self.members.get_mut(key)
            && Arc::ptr_eq(&member.identity.state, state)
            && let Some(out) = &mut member.identity.out
            && out.trial == Some(number)
        {
            self.trials.schedule(out, key);
        }
    }

    /// Starts the trial that has waited longest, of an endpoint that is `wanted`, unless there are enough.
    pub(crate) fn start_trial(
        &mut self,
        wanted: &dyn Fn(&Entry<K, V>) -> bool,
        now_ms: u64,
    ) -> Option<(Arc<Entry<K, V>>, Ticket)> {
        loop {
            // Few are not wanted: those that a call has tried.
            let due: Vec<&K> = self.trials.due(now_ms).take(MAX_LOOKED_AT).collect();
            let may_start = |key: &&K| match self.members.get(*key) {
                Some(member) => member.place.is_none() || wanted(&member.entry),
                None => false,
            };
            let key = (*due.iter().find(|key| may_start(key))?).clone();
            let member = self.members.get_mut(&key)?;
            let out = member.identity.out.as_mut()?;
            if member.place.is_none() {
                // Nobody may call it: there is nothing to try.
                let state = Arc::clone(&member.identity.state);
                self.set_out(&key, &state, None);
                continue;
            }
            // One whose time is over makes room for its successor.
            if out.trial.is_none() && self.trials.running() >= MAX_TRIALS {
                return None;
            }
            let number = self.trials.start(out, &key, now_ms);
            return Some((Arc::clone(&member.entry), Ticket::Trial { number }));
        }
    }

    /// When the next trial may start.
    pub(crate) fn next_trial_ms(&self) -> Option<u64> {
        self.trials.next_ms()
    }

    fn eject(&mut self, key: &K, state: &Arc<State>, failure: Failure, took: Duration, now_ms: u64) -> bool {
        let cap_ms = millis(self.config.ejection.cap);
        let Some(identity) = self.identity(key, state) else { return false };
        let forgotten = identity.out.is_none() && now_ms.saturating_sub(identity.returned_ms) >= cap_ms;
        identity.ejections = if forgotten { 1 } else { identity.ejections.saturating_add(1) };
        let ejections = identity.ejections;
        let time = self.config.ejection.time(ejections, took, &mut self.rng);
        let out = Out::new(now_ms.saturating_add(millis(time)), failure == Failure::Refused);
        self.set_out(key, state, Some(out));
        true
    }

    /// Takes an endpoint into service or out of it, or changes the time of its ejection.
    fn set_out(&mut self, key: &K, state: &Arc<State>, mut now: Option<Out>) {
        let Some(member) =
            self.members.get_mut(key).filter(|member| Arc::ptr_eq(&member.identity.state, state))
        else {
            if let Some(identity) = self.identity(key, state) {
                identity.set_out(now);
            }
            return;
        };
        let was_in_service = member.identity.out.is_none();
        if let Some(out) = &mut member.identity.out {
            self.trials.forget(out);
        }
        if let Some(out) = &mut now {
            self.trials.schedule(out, key);
        }
        let in_service = now.is_none();
        member.identity.set_out(now);
        let traits = member.traits;
        self.out = self.out + usize::from(!in_service) - usize::from(!was_in_service);
        self.count_zone(traits, was_in_service, -1);
        self.count_zone(traits, in_service, 1);
        self.settle(key);
    }

    /// The identity that a report is about, also if it has left: not that of a later process with the same key.
    fn identity(&mut self, key: &K, state: &Arc<State>) -> Option<&mut Identity> {
        let listed = self.members.get_mut(key).map(|member| &mut member.identity);
        listed.or_else(|| self.absent.get_mut(key)).filter(|identity| Arc::ptr_eq(&identity.state, state))
    }
}
