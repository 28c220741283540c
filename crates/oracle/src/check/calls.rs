//! Calls end in time, make no more attempts than they may, repeat nothing that must not be repeated, and go to what the view
//! of the caller shows.

use std::time::Duration;

use crate::findings::Findings;
use crate::history::{Attempted, Called};
use crate::judgement::Invariant::Calls;
use crate::timeline::{AttemptRecord, Call, Moment, Secs, Timeline};

/// Timers are that exact.
const EXACT: Duration = Duration::from_millis(2);

pub(super) fn check(timeline: &Timeline<'_>, findings: &mut Findings) {
    findings.judged(Calls, timeline.calls.len() as u64);
    for call in &timeline.calls {
        let until = end_of(timeline, call);
        if !timeline.disturbances.still(call.process).is_free(call.began.at, until.at) {
            continue;
        }
        let checks = Checks { timeline, call, until };
        checks.takes_its_time(findings);
        checks.counts_attempts(findings);
        checks.goes_to_what_is_shown(findings);
        checks.repeats_only_what_it_may(findings);
    }
}

/// When a call was over: at its end, or that of its process or of the run.
fn end_of(timeline: &Timeline<'_>, call: &Call<'_>) -> Moment {
    let process = &timeline.processes[call.process];
    let life = process.life_at(call.began.index).map(|life| process.lives[life].end(timeline.end));
    call.ended.map_or(life.unwrap_or(timeline.end), |(moment, _)| moment)
}

struct Checks<'c, 'a> {
    timeline: &'c Timeline<'a>,
    call: &'c Call<'a>,
    until: Moment,
}

impl Checks<'_, '_> {
    fn takes_its_time(&self, findings: &mut Findings) {
        let Self { timeline, call, until } = self;
        let bounds = timeline.bounds;
        let took = until.at.saturating_sub(call.began.at);
        let (id, who) = (call.id, timeline.process_name(call.process));
        let records = [call.began.index, until.index];
        if !bounds.call.is_zero() && took > bounds.call + bounds.propagation {
            findings.violated(Calls, until.at, &records, || {
                let end = if call.ended.is_some() { "took" } else { "has no end after" };
                format!("call {id} of {who} may take {}, but {end} {}", Secs(bounds.call), Secs(took))
            });
        }
        if let Some((_, Called::Failed { reason })) = call.ended {
            if matches!(&**reason, "out_of_time" | "all_refused") && took + EXACT < bounds.call {
                findings.violated(Calls, until.at, &records, || {
                    let bound = Secs(bounds.call);
                    format!(
                        "call {id} of {who} gave up ({reason}) after {}, though it had {bound}",
                        Secs(took)
                    )
                });
            }
            if reason == "final" && call.is_idempotent {
                findings.violated(Calls, until.at, &records, || {
                    format!("call {id} of {who} may be repeated whatever came of it, but gave up ({reason})")
                });
            }
        }
    }

    /// The attempts that ended before the call did, or with it. Later ones are trials beside it.
    fn attempts(&self) -> impl Iterator<Item = &AttemptRecord> {
        self.call.attempts.iter().filter(|attempt| attempt.moment.index <= self.until.index)
    }

    fn counts_attempts(&self, findings: &mut Findings) {
        let Self { timeline, call, until } = self;
        let bounds = timeline.bounds;
        let (id, who) = (call.id, timeline.process_name(call.process));
        let refused = self.attempts().filter(|attempt| attempt.outcome == Attempted::Refused).count();
        let others = self.attempts().count() - refused;
        // A call that may be repeated may start one trial beside it, which looks like an attempt.
        let trials = usize::from(call.is_idempotent);
        for (what, count, most) in
            [("attempts", others, bounds.max_attempts), ("refused attempts", refused, bounds.max_refused)]
        {
            if most > 0 && count > most as usize + trials {
                findings.violated(Calls, until.at, &[call.began.index, until.index], || {
                    format!("call {id} of {who} may make {most} {what}, but made {count}")
                });
            }
        }
        let is_spent = others >= bounds.max_attempts as usize || refused >= bounds.max_refused as usize;
        if let Some((_, Called::Failed { reason })) = call.ended
            && reason == "attempts_spent"
            && !is_spent
        {
            findings.violated(Calls, until.at, &[call.began.index, until.index], || {
                let most = (bounds.max_attempts, bounds.max_refused);
                format!(
                    "call {id} of {who} gave up ({reason}) after {others} attempts and {refused} refused ones, though it may make \
                     {} and {}",
                    most.0, most.1
                )
            });
        }
        let most = bounds.attempt + bounds.propagation;
        for attempt in self.attempts().filter(|attempt| !bounds.attempt.is_zero() && attempt.lasted() > most)
        {
            findings.violated(Calls, attempt.moment.at, &[attempt.moment.index], || {
                let (bound, took) = (Secs(bounds.attempt), Secs(attempt.lasted()));
                let whom = timeline.name_of(attempt.endpoint);
                format!("an attempt may take {bound}, but that of call {id} of {who} at {whom} took {took}")
            });
        }
    }

    fn goes_to_what_is_shown(&self, findings: &mut Findings) {
        let Self { timeline, call, .. } = self;
        let views = &timeline.processes[call.process].views;
        if views.is_empty() {
            return;
        }
        // A view reaches the callers a moment after it was recorded.
        let slack = timeline.bounds.propagation;
        for attempt in self.attempts() {
            let from = attempt.began.saturating_sub(slack);
            let first = views.partition_point(|view| view.moment.at <= from).saturating_sub(1);
            let shown = views[first..].iter().take_while(|view| view.moment.at <= attempt.began);
            let mut shown = shown.flat_map(|view| &view.shown).map(|(name, _)| *name);
            if !shown.any(|name| name == attempt.endpoint) {
                findings.violated(Calls, attempt.began, &[attempt.moment.index], || {
                    let (id, who) = (call.id, timeline.process_name(call.process));
                    let whom = timeline.name_of(attempt.endpoint);
                    format!("calls go to what the view shows, but call {id} of {who} went to {whom}, which it did not")
                });
            }
        }
    }

    fn repeats_only_what_it_may(&self, findings: &mut Findings) {
        let Self { timeline, call, .. } = self;
        if call.is_idempotent || timeline.bounds.attempt.is_zero() {
            return;
        }
        // A shorter one may have been cut off while it connected, before anything was sent.
        let had_effect = |attempt: &&AttemptRecord| {
            attempt.outcome == Attempted::Unanswered && attempt.lasted() + EXACT >= timeline.bounds.attempt
        };
        let Some(first) = self.attempts().find(had_effect) else { return };
        if let Some(next) = self.attempts().find(|attempt| attempt.began >= first.moment.at) {
            findings.violated(Calls, next.began, &[first.moment.index, next.moment.index], || {
                let (id, who) = (call.id, timeline.process_name(call.process));
                let (before, after) = (timeline.name_of(first.endpoint), timeline.name_of(next.endpoint));
                format!(
                    "call {id} of {who} must not be repeated once it may have had an effect, but after {before} had not \
                     answered it went to {after}"
                )
            });
        }
    }
}
