//! In service, ejected, on probation.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::endpoint::State;

/// After which time a trial that nobody settled does not count any more, in milliseconds.
const TRIAL_EXPIRES_MS: u64 = 30_000;

/// How many trials there are at a time.
pub(super) const MAX_TRIALS: usize = 8;

/// The health of an endpoint, from the calls before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// The endpoint is picked.
    InService,
    /// The endpoint failed, and is not picked as long as another one can be.
    Ejected {
        /// For how much longer.
        remaining: Duration,
    },
    /// The ejection is over: a trial decides.
    OnProbation {
        /// Whether a trial is under way.
        trial: bool,
    },
}

/// What belongs to the key of an endpoint, whatever its value.
pub(super) struct Identity {
    pub(super) state: Arc<State>,
    pub(super) incarnation: Option<u128>,
    /// `None` in service.
    pub(super) out: Option<Out>,
    /// How many ejections in a row: with less than the cap in service between them.
    pub(super) ejections: u32,
    /// When it came back into service.
    pub(super) returned_ms: u64,
}

/// An ejection, or the probation after it.
#[derive(Debug)]
pub(super) struct Out {
    pub(super) until_ms: u64,
    pub(super) is_refused: bool,
    /// Its key in [`Trials`], while the endpoint is in the set.
    scheduled: Option<(u64, u64)>,
    /// The number of the trial that is under way.
    pub(super) trial: Option<u64>,
}

impl Out {
    pub(super) fn new(until_ms: u64, is_refused: bool) -> Self {
        Self { until_ms, is_refused, scheduled: None, trial: None }
    }
}

impl Identity {
    pub(super) fn new(incarnation: Option<u128>) -> Self {
        Self { state: Arc::default(), incarnation, out: None, ejections: 0, returned_ms: 0 }
    }

    /// Whether a process of this incarnation is the same, as far as both are known.
    pub(super) fn is_same(&self, incarnation: Option<u128>) -> bool {
        match (self.incarnation, incarnation) {
            (Some(known), Some(now)) => known == now,
            _ => true,
        }
    }

    pub(super) fn set_out(&mut self, out: Option<Out>) {
        self.state.until_ms.store(out.as_ref().map_or(0, |out| out.until_ms), Ordering::Relaxed);
        self.out = out;
    }

    /// The health, and the number of ejections in a row.
    pub(super) fn health(&self, now_ms: u64) -> (Health, u32) {
        match &self.out {
            None => (Health::InService, 0),
            Some(out) if out.until_ms > now_ms => {
                let remaining = Duration::from_millis(out.until_ms - now_ms);
                (Health::Ejected { remaining }, self.ejections)
            }
            Some(out) => (Health::OnProbation { trial: out.trial.is_some() }, self.ejections),
        }
    }
}

/// Which endpoint of the set is to be tried next, and how many are being tried.
pub(super) struct Trials<K> {
    /// By the moment: the end of the ejection or, during a trial, that of its time.
    due: BTreeMap<(u64, u64), K>,
    /// How often something was scheduled: it tells trials apart.
    count: u64,
    running: usize,
}

impl<K> Default for Trials<K> {
    fn default() -> Self {
        Self { due: BTreeMap::new(), count: 0, running: 0 }
    }
}

impl<K: Clone> Trials<K> {
    /// Plans a trial at the end of the ejection.
    pub(super) fn schedule(&mut self, out: &mut Out, key: &K) {
        self.plan(out, key, out.until_ms);
    }

    /// Starts a trial. Returns its number.
    pub(super) fn start(&mut self, out: &mut Out, key: &K, now_ms: u64) -> u64 {
        self.plan(out, key, now_ms.saturating_add(TRIAL_EXPIRES_MS));
        self.running += 1;
        out.trial = Some(self.count);
        self.count
    }

    /// Takes an endpoint off the plan, with its trial if one is under way.
    pub(super) fn forget(&mut self, out: &mut Out) {
        if let Some(scheduled) = out.scheduled.take() {
            self.due.remove(&scheduled);
        }
        if out.trial.take().is_some() {
            self.running -= 1;
        }
    }

    fn plan(&mut self, out: &mut Out, key: &K, at_ms: u64) {
        self.forget(out);
        self.count += 1;
        out.scheduled = Some((at_ms, self.count));
        self.due.insert((at_ms, self.count), key.clone());
    }

    /// The endpoints whose time has come, the longest waiting first.
    pub(super) fn due(&self, now_ms: u64) -> impl Iterator<Item = &K> {
        self.due.range(..=(now_ms, u64::MAX)).map(|(_, key)| key)
    }

    /// When the next trial may start; `None` if there is none to start.
    pub(super) fn next_ms(&self) -> Option<u64> {
        self.due.first_key_value().map(|((at_ms, _), _)| *at_ms)
    }

    pub(super) fn running(&self) -> usize {
        self.running
    }
}
