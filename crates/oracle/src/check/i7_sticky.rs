//! I7: nobody deletes its own znode while that is wanted, a take-over is one transaction, and no view changes without a cause.

use crate::findings::Findings;
use crate::judgement::Invariant::I7;
use crate::timeline::{Ending, Moment, Process, Secs, Tenure, Timeline, ViewRecord};

pub(super) fn check(timeline: &Timeline<'_>, findings: &mut Findings) {
    for (name, tenures) in timeline.truth.tenures.iter().enumerate() {
        findings.judged(I7, tenures.len() as u64);
        for (place, tenure) in tenures.iter().enumerate() {
            let (Ending::Deleted { zxid, by_process: Some(by), .. }, Some(to)) = (tenure.ending, tenure.to)
            else {
                continue;
            };
            let next = tenures.get(place + 1).filter(|next| next.czxid == zxid);
            deleted_by(timeline, (name, tenure, to), by, next.is_some(), findings);
        }
    }
    for (number, process) in timeline.processes.iter().enumerate() {
        findings.judged(I7, process.views.len() as u64);
        process.views.windows(2).for_each(|pair| revised(timeline, number, pair, findings));
    }
}

/// A process deleted a znode.
fn deleted_by(
    timeline: &Timeline<'_>,
    (name, tenure, to): (usize, &Tenure<'_>, Moment),
    by: usize,
    is_take_over: bool,
    findings: &mut Findings,
) {
    let process = &timeline.processes[by];
    let owner = tenure.session.and_then(|session| timeline.sessions.at(session, to.index));
    // What belongs to others is judged by I6.
    if owner.is_none_or(|owner| owner.process != by) || !is_wanted(timeline, process, name, to) {
        return;
    }
    let (who, what) = (process.name, timeline.name_of(name));
    let is_present = tenure.session == process.session_at(to.index)
        && owner.is_some_and(|owner| owner.to.is_none_or(|end| end >= to));
    if is_present {
        findings.violated(I7, to.at, &[tenure.from.index, to.index], || {
            let since = Secs(tenure.from.at);
            format!("{who} deleted its own znode {what} of its present session, which had stood since {since} and was wanted")
        });
    } else if !is_take_over && !timeline.is_old {
        findings.violated(I7, to.at, &[tenure.from.index, to.index], || {
            format!(
                "a take-over is one transaction, but {who} deleted the stale znode {what} without creating its own in the same \
                 one: readers of the list see a gap"
            )
        });
    }
}

/// Whether a process has wanted an instance for so long that no deletion of an earlier leave is on its way any more.
fn is_wanted(timeline: &Timeline<'_>, process: &Process<'_>, name: usize, at: Moment) -> bool {
    let Some(want) = process.want_at(name, at.index) else { return false };
    let earlier =
        process.wants[&name].iter().filter(|other| other.life == want.life && other.from < want.from);
    let left = earlier.filter_map(|other| other.to).map(|to| to.at).max();
    left.is_none_or(|left| left + timeline.bounds.recovered_within() < at.at)
}

/// A number is that of one set: another number is another set, and the same number the same. Numbers only grow.
fn revised(timeline: &Timeline<'_>, number: usize, pair: &[ViewRecord<'_>], findings: &mut Findings) {
    let [before, after] = pair else { return };
    let (Some(old), Some(new)) = (before.revision, after.revision) else { return };
    if before.life != after.life {
        return;
    }
    let is_same = before.shown.len() == after.shown.len()
        && before.shown.iter().zip(&after.shown).all(|((name, one), (other_name, other))| {
            name == other_name
                && (one.weight, one.draining, &one.incarnation)
                    == (other.weight, other.draining, &other.incarnation)
        });
    let wrong = match (new.cmp(&old), is_same) {
        (std::cmp::Ordering::Less, _) => "went back",
        (std::cmp::Ordering::Equal, false) => "stayed, though the set changed",
        (std::cmp::Ordering::Greater, true) if !has_cause(timeline, number, before, after) => {
            "grew, though nothing in the set and none of its znodes changed"
        }
        _ => return,
    };
    findings.violated(I7, after.moment.at, &[before.moment.index, after.moment.index], || {
        format!("the number of the set of {} {wrong}: {old}, then {new}", timeline.process_name(number))
    });
}

/// Whether something happened to a znode that is shown: its tags may have changed, which are not recorded, or it may have
/// gone and come back between two records of the view.
fn has_cause(
    timeline: &Timeline<'_>,
    process: usize,
    before: &ViewRecord<'_>,
    after: &ViewRecord<'_>,
) -> bool {
    let bounds = timeline.bounds;
    let is_undisturbed = timeline.disturbances.changes(process).is_free(before.moment.at, after.moment.at);
    let lag = if is_undisturbed { bounds.record_shown_within() } else { bounds.audited_within() };
    let since = before.moment.at.saturating_sub(lag);
    let until = after.moment.at + timeline.bounds.propagation;
    let is_meanwhile = |moment: Moment| (since..=until).contains(&moment.at);
    let happened = |tenure: &Tenure<'_>| {
        is_meanwhile(tenure.from)
            || tenure.to.is_some_and(is_meanwhile)
            || tenure.writes.iter().any(|write| is_meanwhile(write.moment))
    };
    let shown = after.shown.iter().map(|(name, _)| &timeline.truth.tenures[*name]);
    shown.flatten().any(happened) || !timeline.truth.is_seen(since, until)
}
