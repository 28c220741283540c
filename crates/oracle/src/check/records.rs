//! Exact, of records: a live view that reads them shows the one that a znode has, a moment after it was written.

use crate::findings::Findings;
use crate::history::{Data, Shown};
use crate::judgement::Invariant::Exact;
use crate::timeline::{Moment, Process, Secs, Timeline};

pub(super) fn check(timeline: &Timeline<'_>, findings: &mut Findings) {
    let readers: Vec<_> =
        timeline.processes.iter().enumerate().filter(|(_, process)| process.reads_records).collect();
    for (name, tenures) in timeline.truth.tenures.iter().enumerate() {
        for tenure in tenures {
            let created = (tenure.from, tenure.data);
            let written = tenure.writes.iter().map(|write| (write.moment, write.data));
            let mut records = std::iter::once(created).chain(written).peekable();
            while let Some((since, data)) = records.next() {
                let until = records.peek().map(|(next, _)| *next).or(tenure.to).unwrap_or(timeline.end);
                for reader in &readers {
                    one(timeline, *reader, (name, data), (since, until), findings);
                }
            }
        }
    }
}

/// A record that a znode had for a while, and a client.
fn one(
    timeline: &Timeline<'_>,
    (number, process): (usize, &Process<'_>),
    (name, data): (usize, &Data),
    (since, until): (Moment, Moment),
    findings: &mut Findings,
) {
    let due = since.at + timeline.bounds.record_shown_within();
    // What makes no sense shows somehow.
    if data.weight.is_none() || due >= until.at {
        return;
    }
    let views = &process.views;
    let Some(last) = views.partition_point(|view| view.moment.at <= due).checked_sub(1) else { return };
    let first = views.partition_point(|view| view.moment.at <= since.at).saturating_sub(1);
    let was_live = views[first..=last].iter().all(|view| view.live && view.life == views[last].life);
    let is_undisturbed = timeline.disturbances.changes(number).is_free(since.at, due);
    let is_running = process.lives[views[last].life].end(timeline.end).at > due;
    if views[first].moment > since
        || !was_live
        || !is_undisturbed
        || !is_running
        || !timeline.truth.is_seen(since.at, due)
    {
        return;
    }
    let Some((_, shown)) = views[last].shown.iter().find(|(shown, _)| *shown == name) else { return };
    findings.judged(Exact, 1);
    if differs(shown, data) {
        findings.violated(Exact, due, &[since.index, views[last].moment.index], || {
            let (who, what, since, due) = (process.name, timeline.name_of(name), Secs(since.at), Secs(due));
            format!(
                "{what} has had {data:?} since {since}, but the live view of {who} shows {shown:?} at {due}"
            )
        });
    }
}

/// Whether what is shown is not what the znode has.
pub(super) fn differs(shown: &Shown, data: &Data) -> bool {
    let other_writer =
        shown.incarnation.is_some() && data.incarnation.is_some() && shown.incarnation != data.incarnation;
    (Some(shown.weight), shown.draining) != (data.weight, data.draining) || other_writer
}
