//! Makes a plan that fails as small as is cheap: fewer steps, fewer processes, shorter waits, a simpler configuration, and
//! it still fails for the same reason.

mod actors;
mod simpler;

use std::time::Duration;

use tokio::time::Instant;

use crate::plan::{Plan, Step};

/// How much may be tried.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// So many plans.
    pub tries: u64,
    /// For so long.
    pub time: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { tries: 4_000, time: Duration::from_secs(20) }
    }
}

/// What is left of a plan.
#[derive(Clone, Debug)]
pub struct Shrunk {
    /// The smallest plan found.
    pub plan: Plan,
    /// How many were tried.
    pub tries: u64,
}

/// Makes a plan smaller that fails for `cause`. `fails` says why a plan fails, if it does.
pub fn shrink<C: PartialEq>(
    plan: &Plan,
    cause: &C,
    limits: Limits,
    fails: impl FnMut(&Plan) -> Option<C>,
) -> Shrunk {
    let mut search = Search { best: plan.clone(), cause, tries: 0, limits, begun: Instant::now(), fails };
    loop {
        let before = search.best.clone();
        search.fewer_steps();
        search.fewer_actors();
        search.simpler_spec();
        search.shorter();
        if search.best == before || search.is_over() {
            return Shrunk { plan: search.best, tries: search.tries };
        }
    }
}

struct Search<'a, C, F> {
    /// The smallest plan that fails, so far.
    best: Plan,
    cause: &'a C,
    tries: u64,
    limits: Limits,
    begun: Instant,
    fails: F,
}

impl<C: PartialEq, F: FnMut(&Plan) -> Option<C>> Search<'_, C, F> {
    fn is_over(&self) -> bool {
        self.tries >= self.limits.tries || self.begun.elapsed() >= self.limits.time
    }

    /// Takes another plan if it fails for the same reason.
    fn attempt(&mut self, other: Plan) -> bool {
        if other == self.best || self.is_over() {
            return false;
        }
        self.tries += 1;
        let is_good = (self.fails)(&other).as_ref() == Some(self.cause);
        if is_good {
            self.best = other;
        }
        is_good
    }

    /// Tries the plan with some change.
    fn attempt_with(&mut self, change: impl FnOnce(&mut Plan)) -> bool {
        let mut other = self.best.clone();
        change(&mut other);
        self.attempt(other)
    }

    /// Leaves out halves, quarters and so on, down to single steps.
    fn fewer_steps(&mut self) {
        let mut size = self.best.steps.len().div_ceil(2);
        while size > 0 && !self.is_over() {
            // From the end: what comes after the failure goes first, and changes nothing before it.
            let mut end = self.best.steps.len();
            let mut is_smaller = false;
            while end > 0 {
                let begin = end.saturating_sub(size);
                is_smaller |= self.attempt_with(|plan| leave_out(&mut plan.steps, begin, end));
                end = begin;
            }
            // Without some steps others can go that were needed before.
            if !is_smaller || size > 1 {
                size /= 2;
            }
        }
    }

    /// Waits and lasting faults that are shorter, or round.
    fn shorter(&mut self) {
        for i in 0..self.best.steps.len() {
            for time in shorter_times(self.best.steps[i].after_ms) {
                if self.attempt_with(|plan| plan.steps[i].after_ms = time) {
                    break;
                }
            }
            let lasts = self.best.steps[i].act.lasts().unwrap_or(0);
            for time in shorter_times(lasts).into_iter().filter(|time| *time > 0) {
                let change = |plan: &mut Plan| {
                    if let Some(lasts) = plan.steps[i].act.lasts_mut() {
                        *lasts = time;
                    }
                };
                if self.attempt_with(change) {
                    break;
                }
            }
        }
    }
}

/// Leaves out some steps; the others happen when they did.
fn leave_out(steps: &mut Vec<Step>, begin: usize, end: usize) {
    let gone: u64 = steps.drain(begin..end).map(|step| step.after_ms).sum();
    if let Some(next) = steps.get_mut(begin) {
        next.after_ms += gone;
    }
}

/// Shorter times, the best first.
fn shorter_times(time: u64) -> Vec<u64> {
    let mut times =
        vec![0, time / 4, time / 2, time * 3 / 4, time / 1_000 * 1_000, time / 100 * 100, time / 10 * 10];
    times.retain(|shorter| *shorter < time);
    times.dedup();
    times
}

#[cfg(test)]
mod tests;
