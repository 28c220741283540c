//! I2: some time after everything is healed every wanted instance is registered by its process, every view is live and equals
//! what ZooKeeper lists, and so it stays until the end.
//!
//! Which instances a view shows is judged beside the exact rule; which records, here.

use std::time::Duration;

use super::quiet::{self, Wanted};
use super::records::differs;
use crate::findings::Findings;
use crate::history::Stated;
use crate::judgement::Invariant::I2;
use crate::timeline::{Process, Secs, Timeline};

pub(super) fn check(timeline: &Timeline<'_>, findings: &mut Findings) {
    let Some(healed) = timeline.healed else {
        findings.unknown(I2, "nothing says that everything was healed");
        return;
    };
    if !timeline.has_ended {
        findings.unknown(I2, "the records end before the run did");
        return;
    }
    if !timeline.truth.is_seen(healed.at, timeline.end.at) {
        findings.unknown(I2, "ZooKeeper was out of sight after the heal");
        return;
    }
    for wanted in &quiet::wanted(timeline) {
        if wanted.by > timeline.end.at {
            let what = timeline.name_of(wanted.name);
            let (by, end) = (Secs(wanted.by), Secs(timeline.end.at));
            findings
                .unknown(I2, format!("{what} has until {by} to be registered, and the run ended at {end}"));
            continue;
        }
        findings.judged(I2, 1);
        stands(timeline, wanted, findings);
        says_so(timeline, wanted, findings);
    }
    for (number, process) in timeline.processes.iter().enumerate() {
        if !process.views.is_empty() && process.is_running() {
            view(timeline, (number, process), findings);
        }
    }
}

/// From its time on, and until the end, there is a znode.
fn stands(timeline: &Timeline<'_>, wanted: &Wanted<'_, '_>, findings: &mut Findings) {
    let mut since = wanted.by;
    let (who, what) = (timeline.process_name(wanted.process), timeline.name_of(wanted.name));
    let mut is_missing = |from: Duration, to: Duration, place: usize| {
        findings.violated(I2, from, &[wanted.want.from.index, place], || {
            let (by, from, to) = (Secs(wanted.by), Secs(from), Secs(to));
            format!("{who} wants {what} to be registered, and it has to be from {by} on, but was not from {from} to {to}")
        });
    };
    for tenure in &timeline.truth.tenures[wanted.name] {
        if tenure.from.at > since {
            is_missing(since, tenure.from.at, tenure.from.index);
        }
        since = since.max(tenure.to.map_or(timeline.end.at, |to| to.at));
    }
    if since < timeline.end.at {
        is_missing(since, timeline.end.at, timeline.end.index);
    }
}

/// From its time on, and until the end, its process says that it is registered.
fn says_so(timeline: &Timeline<'_>, wanted: &Wanted<'_, '_>, findings: &mut Findings) {
    let process = &timeline.processes[wanted.process];
    // A server that keeps nothing registered says nothing.
    let Some(statuses) = process.statuses.get(&wanted.name) else { return };
    let late = statuses.iter().filter(|status| status.to.unwrap_or(timeline.end).at > wanted.by);
    for status in late.filter(|status| !matches!(status.status, Stated::Registered { .. })) {
        let from = status.from.at.max(wanted.by);
        findings.violated(I2, from, &[status.from.index], || {
            let (who, what) = (process.name, timeline.name_of(wanted.name));
            let (by, status, from) = (Secs(wanted.by), status.status, Secs(from));
            format!("{who} has to say that {what} is registered from {by} on, but says {status:?} at {from}")
        });
    }
}

/// It is live from its time on, and shows the records that there are at the end.
fn view(timeline: &Timeline<'_>, (number, process): (usize, &Process<'_>), findings: &mut Findings) {
    let (bounds, end) = (timeline.bounds, timeline.end);
    let Some(life) = process.lives.last() else { return };
    let Some(calm) = quiet::calm(timeline, number) else { return };
    let by = calm.max(life.from.at) + bounds.registered_within();
    if by > end.at {
        findings.unknown(I2, format!("the view of {} has until {} to be live", process.name, Secs(by)));
        return;
    }
    findings.judged(I2, 1);
    let views = process.views_of(process.lives.len() - 1);
    let last_before = views.partition_point(|view| view.moment.at <= by).saturating_sub(1);
    for view in views[last_before..].iter().filter(|view| !view.live) {
        let from = view.moment.at.max(by);
        findings.violated(I2, from, &[view.moment.index], || {
            let (who, by, from) = (process.name, Secs(by), Secs(from));
            format!("the view of {who} has to be live from {by} on, but is not at {from}")
        });
    }
    let Some(last) = views.last().filter(|view| view.live && process.reads_records) else { return };
    for (name, shown) in &last.shown {
        let Some(standing) = timeline.truth.at(*name, end.index) else { continue };
        let written = standing.writes.last().map_or(standing.from, |write| write.moment);
        let is_due = written.at.max(by) + bounds.record_shown_within() <= end.at;
        if is_due && standing.latest().weight.is_some() && differs(shown, standing.latest()) {
            findings.violated(I2, end.at, &[written.index, last.moment.index], || {
                let (who, what, data) = (process.name, timeline.name_of(*name), standing.latest());
                format!("in the end the view of {who} shows {what} as {shown:?}, but its znode has {data:?}")
            });
        }
    }
}
