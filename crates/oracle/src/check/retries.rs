//! Retries keep to their budget: within any 10 s a process makes at most a fifth as many as it makes calls, and 100.
//!
//! A retry costs one unless the attempt before it was refused. Trials beside calls cost nothing, and look like attempts: of a
//! call that may have one, one retry is not counted.

use std::time::Duration;

use crate::findings::Findings;
use crate::history::Attempted;
use crate::judgement::Invariant::Calls;
use crate::timeline::{Call, Moment, Secs, Timeline};

/// The budget that calls have where nobody sets another: these are constants of the crate `balance`.
const CALLS_PER_RETRY: usize = 5;
const RETRIES_IN_ANY_CASE: usize = 100;
const WINDOW: Duration = Duration::from_secs(10);

/// Calls count for a tenth longer, at most.
const CALLS_COUNT_FOR: Duration = Duration::from_secs(12);

pub(super) fn check(timeline: &Timeline<'_>, findings: &mut Findings) {
    for (number, process) in timeline.processes.iter().enumerate() {
        for life in &process.lives {
            let end = life.end(timeline.end);
            let is_of_life = |call: &&Call<'_>| {
                call.process == number && (life.from.index..=end.index).contains(&call.began.index)
            };
            // In the order of their beginnings.
            let calls: Vec<_> = timeline.calls.iter().filter(is_of_life).collect();
            let mut paid: Vec<_> = calls.iter().flat_map(|call| retries(call)).collect();
            paid.sort_unstable_by_key(|retry| retry.index);
            findings.judged(Calls, paid.len() as u64);
            if let Some((first, last, most)) = overdrawn(&calls, &paid) {
                let made = paid[first..=last].len();
                findings.violated(Calls, paid[last].at, &[paid[first].index, paid[last].index], || {
                    let (who, at, window) = (process.name, Secs(paid[last].at), Secs(WINDOW));
                    format!("the budget of {who} has {most} retries for the {window} before {at}, but it made {made}")
                });
            }
        }
    }
}

/// When the retries of a call were paid for: at the ends of attempts that were sent and that others followed.
fn retries(call: &Call<'_>) -> impl Iterator<Item = Moment> {
    let ended = call.ended.map_or(usize::MAX, |(moment, _)| moment.index);
    let last = call.attempts.iter().map(|attempt| attempt.began).max().unwrap_or_default();
    let is_retried = move |outcome, at: Moment| {
        matches!(outcome, Attempted::Failed | Attempted::Unanswered) && at.index < ended && at.at <= last
    };
    let paid = call.attempts.iter().map(|attempt| (attempt.outcome, attempt.moment));
    let paid = paid.filter(move |(outcome, at)| is_retried(*outcome, *at)).map(|(_, at)| at);
    paid.skip(usize::from(call.is_idempotent))
}

/// The first and the last of more retries within a window than the budget has, and how many that is.
fn overdrawn(calls: &[&Call<'_>], paid: &[Moment]) -> Option<(usize, usize, usize)> {
    let (mut first, mut first_call) = (0, 0);
    for (last, retry) in paid.iter().enumerate() {
        while paid[first].at + WINDOW <= retry.at {
            first += 1;
        }
        while calls[first_call].began.at + CALLS_COUNT_FOR <= retry.at {
            first_call += 1;
        }
        // More than that cannot be needed: most windows are far from it.
        if last - first < RETRIES_IN_ANY_CASE {
            continue;
        }
        let made = calls[first_call..].partition_point(|call| call.began.index <= retry.index);
        let most = made / CALLS_PER_RETRY + RETRIES_IN_ANY_CASE;
        if last - first + 1 > most {
            return Some((first, last, most));
        }
    }
    None
}
