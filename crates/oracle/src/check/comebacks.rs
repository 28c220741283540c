//! Whoever is ejected comes back: an instance that did not answer a caller, and answers well since everything was healed, is
//! tried again.
//!
//! An ejection lasts 12.5 s at most. Then each call that may be repeated starts a trial beside it, if one is due.

use std::time::Duration;

use crate::findings::Findings;
use crate::history::Attempted;
use crate::judgement::Invariant::Calls;
use crate::timeline::{AttemptRecord, Call, Moment, Secs, Timeline, ViewRecord};

/// The longest ejection: a constant of the crate `balance`, and a quarter more.
const EJECTION: Duration = Duration::from_millis(12_500);

/// Timers are that exact.
const EXACT: Duration = Duration::from_millis(2);

/// How many calls are made meanwhile, beyond one for each instance, which may wait for its trial, too.
const CALLS: usize = 5;

pub(super) fn check(timeline: &Timeline<'_>, findings: &mut Findings) {
    let Some(healed) = timeline.healed.filter(|_| timeline.has_ended && !timeline.bounds.attempt.is_zero())
    else {
        return;
    };
    // Until then a trial may be under way that met what was broken.
    let known = healed.at + timeline.bounds.attempt + EXACT;
    for (number, process) in timeline.processes.iter().enumerate() {
        let calls: Vec<_> = timeline.calls.iter().filter(|call| call.process == number).collect();
        let is_undisturbed = timeline.disturbances.still(number).is_free(known, timeline.end.at);
        if calls.iter().any(|call| !call.is_idempotent) || !process.is_running() || !is_undisturbed {
            continue;
        }
        let late = calls.iter().filter(|call| call.began.at > known + EJECTION).count();
        let mut endpoints: Vec<_> = attempts(&calls).map(|attempt| attempt.endpoint).collect();
        endpoints.sort_unstable();
        endpoints.dedup();
        for endpoint in endpoints {
            let Some(last) = ejected_by(&calls, endpoint, known, timeline.bounds.attempt) else { continue };
            let since = process.views.partition_point(|view| view.moment.at <= last.began).saturating_sub(1);
            let views = &process.views[since..];
            let others = views.iter().map(|view| view.shown.len()).max().unwrap_or_default();
            let is_well = timeline.serving.answers_well(endpoint, healed, timeline.end);
            if !is_well || !stays(views, endpoint) || late < others + CALLS {
                continue;
            }
            findings.judged(Calls, 1);
            let after = |attempt: &AttemptRecord| attempt.endpoint == endpoint && attempt.moment.at > known;
            if !attempts(&calls).any(after) {
                tell(timeline, number, last, findings);
            }
        }
    }
}

fn attempts<'c>(calls: &'c [&Call<'_>]) -> impl Iterator<Item = &'c AttemptRecord> {
    calls.iter().flat_map(|call| &call.attempts)
}

/// The attempt by which an instance was ejected that is still out of service: its last one until then.
fn ejected_by<'c>(
    calls: &'c [&Call<'_>],
    endpoint: usize,
    until: Duration,
    attempt_time: Duration,
) -> Option<&'c AttemptRecord> {
    let here = || attempts(calls).filter(|one| one.endpoint == endpoint && one.moment.at <= until);
    let last = here().max_by_key(|one| one.moment.index)?;
    let ejects = match last.outcome {
        Attempted::Refused => true,
        Attempted::Unanswered => last.lasted() + EXACT >= attempt_time,
        Attempted::Answered | Attempted::Failed => false,
    };
    let is_answered = here().any(|one| one.outcome == Attempted::Answered && one.moment.at >= last.began);
    (ejects && !is_answered).then_some(last)
}

/// Whether all these views show an instance to be called, and the same one.
fn stays(views: &[ViewRecord<'_>], endpoint: usize) -> bool {
    let mut shown = views.iter().map(|view| {
        let (_, shown) = view.shown.iter().find(|(name, _)| *name == endpoint)?;
        (shown.weight > 0 && !shown.draining && !shown.held).then_some(&shown.incarnation)
    });
    let Some(Some(first)) = shown.next() else { return false };
    shown.all(|incarnation| incarnation == Some(first))
}

fn tell(timeline: &Timeline<'_>, process: usize, last: &AttemptRecord, findings: &mut Findings) {
    let Moment { at, index } = last.moment;
    findings.violated(Calls, timeline.end.at, &[index], || {
        let (who, what) = (timeline.process_name(process), timeline.name_of(last.endpoint));
        format!(
            "{what} did not answer {who} at {}, answers well since everything was healed, and was not tried again",
            Secs(at)
        )
    });
}
