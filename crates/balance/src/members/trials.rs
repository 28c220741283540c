//! Which ejected endpoint is tried next.

use std::collections::BTreeMap;

/// After which time a trial that nobody settled does not count any more, in milliseconds.
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
    /// Its key in one of the queues of [`Trials`], while it may be called.
    queued: Option<(u64, u64)>,
}

#[derive(Clone, Copy, Debug)]
struct Trial {
    number: u64,
    expires_ms: u64,
}

impl Out {
    pub(super) fn new(until_ms: u64, is_refused: bool) -> Self {
        Self { until_ms, is_refused, due_ms: until_ms, trial: None, queued: None }
    }

    /// Whether the trial of that number is under way.
    pub(super) fn is_trial(&self, number: u64) -> bool {
        self.trial.is_some_and(|trial| trial.number == number)
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

/// The endpoints out of service that may be called: those that wait for a trial, and those that are tried.
pub(super) struct Trials<K> {
    /// By the moment from which on they wait.
    waiting: BTreeMap<(u64, u64), K>,
    /// By the moment at which the trial expires.
    running: BTreeMap<(u64, u64), K>,
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
        queue.insert((at_ms, self.count), key.clone());
        out.queued = Some((at_ms, self.count));
    }

    /// Takes an endpoint from its queue. A trial that is under way goes on, and its report counts.
    pub(super) fn leave(&mut self, out: &mut Out) {
        if let Some(queued) = out.queued.take() {
            // It is in one of them. No number is used twice.
            self.waiting.remove(&queued);
            self.running.remove(&queued);
        }
    }

    /// Starts a trial. Returns its number.
    pub(super) fn start(&mut self, out: &mut Out, key: &K, now_ms: u64) -> u64 {
        self.leave(out);
        self.count += 1;
        let number = self.count;
        out.trial = Some(Trial { number, expires_ms: now_ms.saturating_add(TRIAL_EXPIRES_MS) });
        self.enter(out, key);
        number
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
        let ((at_ms, _), key) = first.remove_entry();
        Some((at_ms, key))
    }

    /// The endpoints that wait for a trial, the longest waiting first.
    pub(super) fn due(&self, now_ms: u64) -> impl Iterator<Item = &K> {
        self.waiting.range(..=(now_ms, u64::MAX)).map(|(_, key)| key)
    }

    /// Whether as many are tried as may be at a time.
    pub(super) fn is_full(&self) -> bool {
        self.running.len() >= MAX_TRIALS
    }

    /// When the next trial may start; `None` if there is none to start.
    pub(super) fn next_ms(&self) -> Option<u64> {
        let first = |queue: &BTreeMap<(u64, u64), K>| queue.first_key_value().map(|((at_ms, _), _)| *at_ms);
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
