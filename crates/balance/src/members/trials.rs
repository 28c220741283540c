//! Which ejected endpoint is tried next.

use std::collections::BTreeMap;
use std::ops::Bound;

/// After which time a trial that nobody settled does not count any more, in milliseconds: or after twice the time that its
/// attempt has, if that is longer.
const TRIAL_EXPIRES_MS: u64 = 30_000;

/// How many trials there are at a time.
pub(super) const MAX_TRIALS: usize = 8;

/// An ejection, or the probation after it.
#[derive(Debug)]
pub(super) struct Out {
    pub(super) until_ms: u64,
    /// Whether the last failure was a refused connection.
    pub(super) is_refused: bool,
    /// From when on it waits for a trial: at first the end of the ejection, then that of each trial without a report.
    due_ms: u64,
    /// The trial that is under way.
    trial: Option<Trial>,
    /// The number of the first trial of this ejection. Those of earlier ones have lower numbers.
    first_trial: Option<u64>,
    /// Its key in one of the queues of [`Trials`], while it may be called.
    queued: Option<QueuePlace>,
}

#[derive(Clone, Copy, Debug)]
struct Trial {
    number: u64,
    expires_ms: u64,
}

impl Out {
    pub(super) fn new(until_ms: u64, is_refused: bool) -> Self {
        Self { until_ms, is_refused, due_ms: until_ms, trial: None, first_trial: None, queued: None }
    }

    /// Whether the trial of that number is under way.
    pub(super) fn is_trial(&self, number: u64) -> bool {
        self.trial.is_some_and(|trial| trial.number == number)
    }

    /// Whether the success of a trial counts: of any of this ejection. One whose time is over has an answer, too.
    pub(super) fn may_recover(&self, number: u64) -> bool {
        self.first_trial.is_some_and(|first| number >= first)
    }

    /// Whether the failure of a trial counts: not while a later one is under way, which will tell.
    pub(super) fn may_fail(&self, number: u64) -> bool {
        self.may_recover(number) && self.trial.is_none_or(|trial| trial.number == number)
    }

    /// Ends the trial, which has no report. The endpoint waits behind those that have waited longer: otherwise one whose trials
    /// are given up for ever would keep all others from theirs.
    pub(super) fn end_trial(&mut self, at_ms: u64) {
        self.trial = None;
        self.due_ms = self.due_ms.max(at_ms);
    }

    /// Whether a trial is under way whose time is not over.
    pub(super) fn is_tried(&self, now_ms: u64) -> bool {
        self.trial.is_some_and(|trial| trial.expires_ms > now_ms)
    }
}

/// Where an endpoint waits: by the moment from which on it does, and a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct QueuePlace(u64, u64);

/// The endpoints out of service that may be called: those that wait for a trial, and those that are tried.
pub(super) struct Trials<K> {
    /// By the moment from which on they wait.
    waiting: BTreeMap<QueuePlace, K>,
    /// By the moment at which the trial expires.
    running: BTreeMap<QueuePlace, K>,
    /// Numbers the trials, and the entries of the queues.
    count: u64,
}

impl<K> Default for Trials<K> {
    fn default() -> Self {
        Self { waiting: BTreeMap::new(), running: BTreeMap::new(), count: 0 }
    }
}

impl<K: Clone> Trials<K> {
    /// Queues an endpoint, unless it is queued. A trial that is under way goes on.
    pub(super) fn enter(&mut self, out: &mut Out, key: &K) {
        if out.queued.is_some() {
            return;
        }
        self.count += 1;
        let (queue, at_ms) = match out.trial {
            Some(trial) => (&mut self.running, trial.expires_ms),
            None => (&mut self.waiting, out.due_ms),
        };
        let place = QueuePlace(at_ms, self.count);
        queue.insert(place, key.clone());
        out.queued = Some(place);
    }

    /// Takes an endpoint from its queue. A trial that is under way goes on, and its report counts.
    pub(super) fn leave(&mut self, out: &mut Out) {
        if let Some(queued) = out.queued.take() {
            // It is in one of them. No number is used twice.
            self.waiting.remove(&queued);
            self.running.remove(&queued);
        }
    }

    /// Starts the trial of an endpoint that waits for one, unless as many are tried as may be; it lasts for up to `lasts_ms`, 0
    /// if nobody knows. Returns its number.
    pub(super) fn start(&mut self, out: &mut Out, key: &K, now_ms: u64, lasts_ms: u64) -> Option<u64> {
        let is_due = |place: &QueuePlace| place.0 <= now_ms && self.waiting.contains_key(place);
        out.queued.filter(|place| is_due(place) && !self.is_full())?;
        self.leave(out);
        self.count += 1;
        let number = self.count;
        out.first_trial.get_or_insert(number);
        let expires_ms = TRIAL_EXPIRES_MS.max(lasts_ms.saturating_mul(2));
        out.trial = Some(Trial { number, expires_ms: now_ms.saturating_add(expires_ms) });
        self.enter(out, key);
        Some(number)
    }

    /// Queues an endpoint anew whose trial has [ended](Out::end_trial).
    pub(super) fn requeue(&mut self, out: &mut Out, key: &K) {
        if out.queued.is_some() {
            self.leave(out);
            self.enter(out, key);
        }
    }

    /// Takes out an endpoint whose trial's time is over, with the moment when it was. The caller ends the trial.
    pub(super) fn pop_expired(&mut self, now_ms: u64) -> Option<(u64, K)> {
        let first = self.running.first_entry().filter(|first| first.key().0 <= now_ms)?;
        let (QueuePlace(at_ms, _), key) = first.remove_entry();
        Some((at_ms, key))
    }

    /// The endpoint that has waited longest for a trial, of all or of those behind a place; `None` while as many are tried as may be.
    pub(super) fn next_due(&self, place: Option<QueuePlace>, now_ms: u64) -> Option<(QueuePlace, &K)> {
        if self.is_full() {
            return None;
        }
        let after = place.map_or(Bound::Unbounded, Bound::Excluded);
        let first = self.waiting.range((after, Bound::Unbounded)).next();
        first.filter(|(place, _)| place.0 <= now_ms).map(|(place, key)| (*place, key))
    }

    /// Whether as many are tried as may be at a time.
    fn is_full(&self) -> bool {
        self.running.len() >= MAX_TRIALS
    }

    /// When the next trial may start; `None` if there is none to start.
    pub(super) fn next_ms(&self) -> Option<u64> {
        let first = |queue: &BTreeMap<QueuePlace, K>| queue.first_key_value().map(|(place, _)| place.0);
        let waiting = if self.is_full() { None } else { first(&self.waiting) };
        waiting.into_iter().chain(first(&self.running)).min()
    }
}

#[cfg(test)]
impl<K> Trials<K> {
    pub(super) fn len(&self) -> usize {
        self.waiting.len() + self.running.len()
    }

    /// Whether an endpoint is in the right queue at the right moment.
    pub(super) fn has(&self, out: &Out) -> bool {
        let Some(queued) = out.queued else { return false };
        match out.trial {
            Some(trial) => self.running.contains_key(&queued) && queued.0 == trial.expires_ms,
            None => self.waiting.contains_key(&queued) && queued.0 == out.due_ms,
        }
    }
}
