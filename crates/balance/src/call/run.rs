//! The course of one call.

use std::collections::HashSet;
use std::hash::Hash;
use std::sync::atomic::Ordering;
use tokio::time::{Instant, sleep_until};
use tracing::trace;

use super::answered::Answered;
use super::attempt::{Attempt, Limits, Report};
use super::classify::Classify;
use super::common::Common;
use super::error::{self, CallError, GaveUp};
use super::history::History;
use super::progress::{FIRST_PAUSE, Failed, Next, Progress, Rules};
use super::race::{Finish, Race};
use super::target::Target;
use crate::entry::Entry;
use crate::info::EndpointInfo;
use crate::metrics;
use crate::pick::Pick;
use crate::picker::Picker;
use crate::reader::{PickError, Wanted, Wish};

/// How a call is made.
#[derive(Clone, Copy, Debug)]
pub(super) struct Manner {
    /// The hash of the caller's key.
    pub(super) key: Option<u64>,
    pub(super) is_idempotent: bool,
    /// Whether its first attempt may be a trial.
    pub(super) may_try: bool,
}

/// Makes a call: attempts until one is answered, or there can be no more.
pub(super) async fn run<K, V, P, T, E, F, Fut>(
    common: &Common<K, V, P>,
    manner: Manner,
    op: F,
) -> Result<Answered<K, V, T>, CallError<K, E>>
where
    K: Eq + Hash + Clone,
    V: EndpointInfo,
    P: Picker<K, V>,
    E: Classify,
    F: FnMut(Target<K, V>) -> Fut,
    Fut: Future<Output = Result<T, E>>,
{
    let mut call = Call::new(common, manner, op);
    match call.answer().await {
        Ok((report, value)) => {
            let from = if call.race.len() > 0 { "racing" } else { "calling" };
            trace!(target: "arrow", machine = "call", from, on = "answered", to = "answered");
            Ok(call.answered(report, value))
        }
        Err(reason) => {
            metrics::call_failed(reason.name());
            Err(call.history.give_up(reason, call.began.elapsed()))
        }
    }
}

struct Call<'a, K, V, P, E, F, Fut> {
    common: &'a Common<K, V, P>,
    manner: Manner,
    op: F,
    began: Instant,
    deadline: Instant,
    progress: Progress,
    /// The endpoints of this round.
    tried: HashSet<K>,
    race: Race<K, V, Fut>,
    /// When the attempt under way takes too long for a call that hedges.
    slow_at: Option<Instant>,
    history: History<K, E>,
}

impl<'a, K, V, P, T, E, F, Fut> Call<'a, K, V, P, E, F, Fut>
where
    K: Eq + Hash + Clone,
    V: EndpointInfo,
    P: Picker<K, V>,
    E: Classify,
    F: FnMut(Target<K, V>) -> Fut,
    Fut: Future<Output = Result<T, E>>,
{
    fn new(common: &'a Common<K, V, P>, manner: Manner, op: F) -> Self {
        let (config, began) = (&common.config, Instant::now());
        config.budget.deposit(began);
        let rules = Rules {
            max_attempts: config.max_attempts,
            max_refused: config.max_refused,
            is_idempotent: manner.is_idempotent,
        };
        Self {
            common,
            manner,
            op,
            began,
            deadline: began + config.overall,
            progress: Progress::new(rules),
            tried: HashSet::new(),
            race: Race::new(),
            slow_at: None,
            history: History::new(),
        }
    }

    /// Makes attempts until one is answered. Returns what the answer says of the endpoint, and the answer.
    async fn answer(&mut self) -> Result<(Report<K, V>, T), GaveUp> {
        loop {
            while self.race.len() == 0 {
                let now = Instant::now();
                if now >= self.deadline {
                    return Err(self.progress.out_of_time());
                }
                match self.pick() {
                    Ok(pick) => self.begin(pick, now),
                    Err(reason) => self.pause(reason, now).await,
                }
            }
            match self.race.next(self.slow_at).await {
                Some((report, Ok(Ok(value)))) => return Ok((report, value)),
                Some(finish) => self.failed(finish)?,
                None => self.hedge(),
            }
        }
    }

    /// Chooses an endpoint that was not tried in this round: for the first attempt any, later one that is known to answer if there
    /// is one. Else, in a set that is new to its callers, a call could meet one hung endpoint after the other.
    ///
    /// If there is none, either may be the way out: those that have answered and are ejected, perhaps for a trifle, or those in
    /// service that have not answered yet. So it alternates between them.
    fn pick(&self) -> Result<Pick<K, V>, PickError> {
        if self.progress.is_round_over() {
            return Err(PickError::AllExcluded);
        }
        let Self { manner, tried, .. } = self;
        let mut reader = self.common.reader.lock();
        let mut pick = |wanted: Option<Wanted<'_, K, V>>, may_try| {
            reader.pick_by(&Wish { key: manner.key, wanted }, may_try)
        };
        if self.race.len() == 0 && self.history.count() == 0 {
            // Whoever wants any endpoint has a quicker pick.
            return pick(None, manner.may_try);
        }
        let is_new = |entry: &Entry<K, V>| !tried.contains(entry.key());
        let has_answered = |entry: &Entry<K, V>| entry.state.has_answered.load(Ordering::Relaxed);
        let prefers_answered = self.race.len() == 0 && self.history.count() % 2 == 1;
        pick(Some(&|entry| entry.is_proven() && is_new(entry)), false)
            .or_else(|error| match prefers_answered {
                true => pick(Some(&|entry| has_answered(entry) && is_new(entry)), false),
                false => Err(error),
            })
            .or_else(|_| pick(Some(&is_new), false))
    }

    /// Chooses one in service that was not tried before the pause.
    fn pick_newcomer(&self) -> Option<Pick<K, V>> {
        let is_in_service = |entry: &Entry<K, V>| entry.state.until_ms.load(Ordering::Relaxed) == 0;
        let is_newcomer = |entry: &Entry<K, V>| is_in_service(entry) && !self.tried.contains(entry.key());
        let wish = Wish { key: self.manner.key, wanted: Some(&is_newcomer) };
        self.common.reader.lock().pick_by(&wish, false).ok()
    }

    fn begin(&mut self, pick: Pick<K, V>, now: Instant) {
        let config = &self.common.config;
        let left = self.deadline.saturating_duration_since(now);
        // A trial leaves time for an attempt in earnest.
        let most = if pick.is_trial() { left / 2 } else { left };
        let limits = Limits {
            connect: config.connect,
            attempt: config.attempt.min(most),
            fair: self.common.fair_time.get(),
        };
        if self.history.count() > 0 && self.race.len() == 0 {
            metrics::retry();
        }
        self.progress.started();
        self.slow_at = config.hedge_after.filter(|_| self.race.len() == 0).map(|after| now + after);
        self.tried.insert(pick.key().clone());
        self.race.add(Attempt::begin(pick, limits, &mut self.op));
    }

    /// Pauses before the next round. Who comes into service ends the pause: it need not be the last that is left of the call's time.
    async fn pause(&mut self, reason: PickError, began: Instant) {
        let jitter = 0.75 + self.common.reader.lock().rng().unit() / 2.0;
        let pause = self.progress.nobody(reason).mul_f64(jitter);
        let left = self.deadline.saturating_duration_since(began);
        let until = began + Progress::fit(pause, left);
        let mut now = began;
        while now < until {
            sleep_until(until.min(now + FIRST_PAUSE)).await;
            now = Instant::now();
            if now < until
                && let Some(pick) = self.pick_newcomer()
            {
                return self.begin(pick, now);
            }
        }
        self.tried.clear();
    }

    /// The attempt takes long: another one begins in a race with it.
    fn hedge(&mut self) {
        self.slow_at = None;
        let now = Instant::now();
        if self.progress.may_hedge()
            && now < self.deadline
            && self.common.config.budget.balance(now) > 0
            && let Ok(pick) = self.pick()
            && self.common.config.budget.withdraw(now)
        {
            metrics::hedge();
            self.begin(pick, now);
        }
    }

    /// An attempt failed: goes on if that is possible.
    fn failed(&mut self, (report, result): Finish<K, V, Result<T, E>>) -> Result<(), GaveUp> {
        let (key, elapsed, is_trial) = (report.entry.key().clone(), report.began.elapsed(), report.is_trial);
        let (error, failure) = match result {
            Ok(Ok(_)) => return Ok(()),
            Ok(Err(error)) => {
                let failure = error.failure();
                report.failed(failure);
                (Some(error), failure)
            }
            Err(_) => (None, report.unanswered()),
        };
        let failed = Failed {
            failure,
            may_retry: error.as_ref().is_none_or(Classify::may_retry),
            had_no_effect: error.as_ref().is_some_and(Classify::had_no_effect),
        };
        self.history.push(error::Attempt { key, error, failure, elapsed, is_trial });
        let now = Instant::now();
        match self.progress.failed(failed, self.race.len() > 0) {
            Next::GiveUp(reason) => Err(reason),
            Next::Wait => Ok(()),
            Next::Retry { .. } if now >= self.deadline => Err(self.progress.out_of_time()),
            Next::Retry { costs: true } if !self.common.config.budget.withdraw(now) => {
                Err(self.progress.budget_spent())
            }
            Next::Retry { .. } => Ok(()),
        }
    }

    fn answered(&mut self, report: Report<K, V>, value: T) -> Answered<K, V, T> {
        let (began, entry) = (report.began, report.entry.clone());
        self.common.fair_time.answered(began.elapsed());
        report.answered();
        let others: Vec<_> = self.race.take().collect();
        let attempts = self.history.count() + 1 + others.len();
        for other in others {
            if other.began < began {
                other.overtaken();
            }
        }
        Answered { value, entry, attempts }
    }
}
