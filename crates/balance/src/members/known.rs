//! The endpoints that something is known of, and what reports of calls make of them.

use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;

use tracing::{Level, enabled, trace};

use super::absent::Absent;
use super::health::{Identity, UNKNOWN};
use super::listed::Listed;
use super::report::HealthReport;
use super::trials::{Out, QueuePlace};
use crate::config::BalancerConfig;
use crate::ejection::{Ejection, Verdict};
use crate::endpoint::State;
use crate::entry::{Entry, Ticket};
use crate::failure::Failure;
use crate::rng::Rng;

/// The endpoints of the set, and those that left it a short while ago: a report counts for both.
pub(crate) struct Known<K, V> {
    ejection: Ejection,
    rng: Rng,
    pub(super) listed: Listed<K, V>,
    pub(super) absent: Absent<K>,
}

impl<K: Eq + Hash + Clone, V> Known<K, V> {
    pub(super) fn new(config: &BalancerConfig, rng: Rng) -> Self {
        let ejection = config.ejection.clone();
        Self { ejection, rng, listed: Listed::new(config.subset.as_ref()), absent: Absent::default() }
    }

    /// Takes a report of a call. Returns whether the endpoint is ejected, or ejected again, for it.
    pub(crate) fn take(&mut self, key: &K, state: &Arc<State>, report: HealthReport, now_ms: u64) -> bool {
        // Names cost a look at the endpoint each, so nobody has any who does not want them.
        let is_wanted = enabled!(target: "arrow", Level::TRACE);
        let from = is_wanted.then(|| self.name(key, state, now_ms));
        let is_ejected = match report {
            HealthReport::Failed { generation, failure, took } => {
                self.failed(key, state, generation, failure, took, now_ms)
            }
            HealthReport::FailedAgain { ticket, failure, took } => {
                self.failed_again(key, state, ticket, failure, took, now_ms)
            }
            HealthReport::Recovered { ticket } => {
                self.recovered(key, state, ticket, now_ms);
                false
            }
            HealthReport::GaveUp { ticket } => {
                self.gave_up(key, state, ticket, now_ms);
                false
            }
        };
        if let Some(from) = from {
            let (on, to) = (report.name(), self.name(key, state, now_ms));
            trace!(target: "arrow", machine = "endpoint", from, on, to);
        }
        is_ejected
    }

    fn name(&mut self, key: &K, state: &Arc<State>, now_ms: u64) -> &'static str {
        self.identity(key, state).map_or(UNKNOWN, |identity| identity.name(now_ms))
    }

    /// How many endpoints of the set are out of service.
    pub(crate) fn out(&self) -> usize {
        self.listed.counts().out
    }

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
        let counts = self.listed.counts();
        let (out, all) = (counts.open_out + 1, counts.open);
        let ejection = &self.ejection;
        match ejection.verdict(failure, history) {
            Verdict::Keep => return false,
            Verdict::EjectWithinCap if out as f64 > ejection.max_share * all as f64 => return false,
            Verdict::Eject | Verdict::EjectWithinCap => {}
        }
        // A hundred calls that fail at the same time are one failure: the first one closes the generation.
        if !state.outcomes.close(generation) {
            return false;
        }
        self.eject(key, state, failure, took, now_ms);
        true
    }

    /// A trial, or a call because all look bad, succeeded. Returns whether the endpoint is back in service.
    pub(crate) fn recovered(&mut self, key: &K, state: &Arc<State>, ticket: Ticket, now_ms: u64) -> bool {
        let Some(identity) = self.identity(key, state) else { return false };
        let Some(out) = &identity.out else { return false };
        let is_current = match ticket {
            Ticket::Trial { number } => out.may_recover(number),
            Ticket::LastResort { generation } | Ticket::InService { generation } => {
                generation == state.outcomes.generation()
            }
        };
        if !is_current {
            return false;
        }
        identity.redeemed_ms = now_ms.saturating_add(identity.ejected_for_ms.saturating_mul(2));
        // It is closed under the lock only: no other is in between.
        state.outcomes.next_generation();
        self.set_out(key, state, None);
        true
    }

    /// A trial, or a call because all look bad, failed. Returns whether the endpoint is ejected, or ejected again, for it.
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
        match (ticket, &mut identity.out) {
            (Ticket::Trial { number }, Some(out)) if out.may_fail(number) => {
                self.eject(key, state, failure, took, now_ms);
                true
            }
            (Ticket::LastResort { generation }, Some(out)) if generation == state.outcomes.generation() => {
                // No trial: only the kind of failure is new, and a trial that is under way goes on.
                out.is_refused = failure == Failure::Refused;
                self.listed.edit(key, |_| ());
                false
            }
            // Picked at the very moment when it came back into service.
            (Ticket::LastResort { generation }, None) => {
                self.failed(key, state, generation, failure, took, now_ms)
            }
            _ => false,
        }
    }

    /// A trial ended without a report: the next one may start.
    pub(crate) fn gave_up(&mut self, key: &K, state: &Arc<State>, ticket: Ticket, now_ms: u64) {
        let Ticket::Trial { number } = ticket else { return };
        let out = self.identity(key, state).and_then(|identity| identity.out.as_mut());
        let Some(out) = out.filter(|out| out.is_trial(number)) else { return };
        out.end_trial(now_ms);
        self.listed.requeue(key);
    }

    /// The endpoint that is to be tried next, of those behind a place in the queue. `None` if there is none, or as many are tried as may
    /// be at a time.
    pub(crate) fn next_due(
        &mut self,
        place: Option<QueuePlace>,
        now_ms: u64,
    ) -> Option<(QueuePlace, Arc<Entry<K, V>>)> {
        self.listed.next_due(place, now_ms)
    }

    /// Starts the trial of an endpoint, if it is due and there are not enough.
    pub(crate) fn start_trial(
        &mut self,
        key: &K,
        state: &Arc<State>,
        now_ms: u64,
        lasts: Duration,
    ) -> Option<(Arc<Entry<K, V>>, Ticket)> {
        let (entry, number) = self.listed.start_trial(key, state, now_ms, millis(lasts))?;
        trace!(target: "arrow", machine = "endpoint", from = "on_probation", on = "trial_began", to = "on_trial");
        Some((entry, Ticket::Trial { number }))
    }

    /// When the next trial may start.
    pub(crate) fn next_trial_ms(&self) -> Option<u64> {
        self.listed.trials().next_ms()
    }

    fn eject(&mut self, key: &K, state: &Arc<State>, failure: Failure, took: Duration, now_ms: u64) {
        let Some(identity) = self.identity(key, state) else { return };
        let is_forgotten = identity.out.is_none() && now_ms >= identity.redeemed_ms;
        identity.ejections = if is_forgotten { 1 } else { identity.ejections.saturating_add(1) };
        let ejections = identity.ejections;
        // A call that is reset after an hour has not waited for an hour.
        let cost = if failure.is_by_time() { took } else { Duration::ZERO };
        let time = self.ejection.time(ejections, cost, &mut self.rng);
        let time_ms = millis(time);
        let out = Out::new(now_ms.saturating_add(time_ms), failure == Failure::Refused);
        if let Some(identity) = self.identity(key, state) {
            identity.ejected_for_ms = time_ms;
        }
        self.set_out(key, state, Some(out));
    }

    /// Takes an endpoint into service or out of it, or begins another ejection.
    fn set_out(&mut self, key: &K, state: &Arc<State>, out: Option<Out>) {
        if self.listed.is(key, state) {
            self.listed.set_out(key, out);
        } else if let Some(identity) = self.identity(key, state) {
            identity.set_out(out);
        }
    }

    /// The identity that a report is about, also if it has left: not that of a later process with the same key.
    fn identity(&mut self, key: &K, state: &Arc<State>) -> Option<&mut Identity> {
        let listed = self.listed.identity(key);
        listed.or_else(|| self.absent.get_mut(key)).filter(|identity| Arc::ptr_eq(&identity.state, state))
    }
}

/// A duration in whole milliseconds, rounded up: what lasts is over when its time is.
pub(super) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
}
