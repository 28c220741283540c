//! I3: no call fails while an instance is listed, is shown by the caller's view and answers well, all the time.
//!
//! A call may fail all the same when the budget of retries is spent; when it may have had an effect and must not be
//! repeated; and when so many others do not answer that its time, or its attempts, are spent before the good one has its turn
//! (row 59 of `docs/faults.md`).

use std::time::Duration;

use crate::findings::Findings;
use crate::history::{Attempted, Called};
use crate::judgement::Invariant::I3;
use crate::timeline::{AttemptRecord, Call, Moment, Secs, Timeline};

/// Fewer calls say nothing.
const FEWEST: u64 = 20;

pub(super) fn check(timeline: &Timeline<'_>, findings: &mut Findings) {
    let mut ended = 0;
    for call in &timeline.calls {
        let Some((moment, outcome)) = call.ended else { continue };
        ended += 1;
        let Called::Failed { reason } = outcome else { continue };
        if is_excused(timeline, call, moment, reason) {
            continue;
        }
        let mut good = usable_throughout(timeline, call, moment);
        if let Some(name) = good.find(|name| !had_no_turn(timeline, call, (moment, reason), *name)) {
            findings.violated(I3, moment.at, &[call.began.index, moment.index], || {
                let (who, what) = (timeline.process_name(call.process), timeline.name_of(name));
                let (id, took) = (call.id, Secs(moment.at.saturating_sub(call.began.at)));
                format!(
                    "call {id} of {who} failed ({reason}) after {took} and {} attempts, though {what} was listed, was \
                     shown by its view and answered well all the time",
                    call.attempts.len()
                )
            });
        }
    }
    findings.judged(I3, ended);
    let is_asked =
        !timeline.calls.is_empty() || timeline.processes.iter().any(|process| !process.views.is_empty());
    if is_asked && ended < FEWEST {
        findings.unknown(I3, format!("only {ended} calls ended, of the {FEWEST} that say something"));
    }
}

fn is_excused(timeline: &Timeline<'_>, call: &Call<'_>, ended: Moment, reason: &str) -> bool {
    let may_have_had_effect = call
        .attempts
        .iter()
        .any(|attempt| matches!(attempt.outcome, Attempted::Failed | Attempted::Unanswered));
    let by_reason = match reason {
        "budget_spent" => true,
        // Limits of the caller, which the history does not have.
        "saturated" | "no_match" => true,
        "final" => !call.is_idempotent && may_have_had_effect,
        _ => false,
    };
    by_reason || !timeline.disturbances.still(call.process).is_free(call.began.at, ended.at)
}

/// The instances that could have been called from the begin to the end.
fn usable_throughout<'t>(
    timeline: &'t Timeline<'_>,
    call: &Call<'_>,
    ended: Moment,
) -> impl Iterator<Item = usize> + 't {
    let began = call.began;
    let views = &timeline.processes[call.process].views;
    let first = views.partition_point(|view| view.moment.index <= began.index).checked_sub(1);
    let views = first.map_or(&views[..0], |first| &views[first..]);
    let views = &views[..views.partition_point(|view| view.moment.index <= ended.index)];
    let first = views.first().map_or(&[][..], |view| &view.shown[..]);
    let is_shown = |name: usize| {
        views.iter().all(|view| {
            let mut shown = view.shown.iter().filter(|(shown, _)| *shown == name);
            shown.any(|(_, shown)| shown.weight > 0 && !shown.draining)
        })
    };
    let is_listed = move |name: usize| {
        let tenure = timeline.truth.at(name, began.index);
        tenure.is_some_and(|tenure| tenure.to.is_none_or(|to| to.index > ended.index))
            && timeline.truth.is_seen(began.at, ended.at)
    };
    let names = first.iter().map(|(name, _)| *name).filter(move |name| is_shown(*name));
    names.filter(move |name| is_listed(*name) && timeline.serving.answers_well(*name, began, ended))
}

/// Whether the call was over before this instance had its turn: it was never tried in earnest, nobody was tried twice, and the
/// attempts at others took all the time that there was, or were as many as there may be.
fn had_no_turn(
    timeline: &Timeline<'_>,
    call: &Call<'_>,
    (ended, reason): (Moment, &str),
    name: usize,
) -> bool {
    let bounds = timeline.bounds;
    let attempts = || call.attempts.iter().filter(|attempt| attempt.moment.index <= ended.index);
    // What is left at the end of a call, and the half that a trial has, may be too short for any answer.
    let in_earnest = attempts().any(|attempt| {
        attempt.endpoint == name
            && (attempt.outcome != Attempted::Unanswered || attempt.lasted() >= bounds.attempt)
    });
    let mut others: Vec<_> =
        attempts().map(|attempt| attempt.endpoint).filter(|endpoint| *endpoint != name).collect();
    let all = others.len();
    others.sort_unstable();
    others.dedup();
    let spent: Duration = attempts().map(AttemptRecord::lasted).sum();
    let was_busy = ended.at.saturating_sub(call.began.at) <= spent + bounds.propagation;
    let sent = attempts().filter(|attempt| attempt.outcome != Attempted::Refused).count();
    let are_all = sent >= bounds.max_attempts as usize || all - sent.min(all) >= bounds.max_refused as usize;
    !in_earnest
        && !others.is_empty()
        && others.len() == all
        && (are_all || was_busy && reason != "attempts_spent")
}
