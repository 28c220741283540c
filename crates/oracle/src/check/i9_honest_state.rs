//! I9: what says that it is registered is so, but for the time that it takes to notice: 2/5 *T* + *P*. Without a connection
//! nothing says that it is registered, or live.

use std::time::Duration;

use crate::findings::Findings;
use crate::history::{LinkPhase, Stated};
use crate::judgement::Invariant::I9;
use crate::timeline::{Moment, Process, Secs, StatusSpan, Timeline};

pub(super) fn check(timeline: &Timeline<'_>, findings: &mut Findings) {
    for (number, process) in timeline.processes.iter().enumerate() {
        for (name, statuses) in &process.statuses {
            for status in statuses {
                if let Stated::Registered { czxid, session } = status.status {
                    findings.judged(I9, 1);
                    registered(timeline, (number, *name), status, (*czxid, *session), findings);
                }
            }
        }
        down(timeline, number, process, findings);
    }
}

/// It says that it is registered: that znode stands.
fn registered(
    timeline: &Timeline<'_>,
    (number, name): (usize, usize),
    status: &StatusSpan<'_>,
    (czxid, session): (i64, i64),
    findings: &mut Findings,
) {
    let bounds = timeline.bounds;
    let to = status.to.unwrap_or(timeline.end);
    // The times in which it does not.
    let mut since = status.from.at;
    let mut untrue: Vec<(Duration, Duration)> = Vec::new();
    let is_meant =
        |tenure: &&crate::timeline::Tenure<'_>| tenure.czxid == czxid && tenure.session == Some(session);
    for tenure in timeline.truth.tenures[name].iter().filter(is_meant) {
        let (from, until) = (tenure.from.at, tenure.to.unwrap_or(timeline.end).at);
        if until <= since {
            continue;
        }
        if from > since {
            untrue.push((since, from.min(to.at)));
        }
        since = since.max(until);
        if since >= to.at {
            break;
        }
    }
    if since < to.at {
        untrue.push((since, to.at));
    }
    for (from, until) in untrue {
        let lasted = timeline.disturbances.changes(number).longest_free(from, until);
        if lasted > bounds.noticed_within() && timeline.truth.is_seen(from, until) {
            findings.violated(I9, from + bounds.noticed_within(), &[status.from.index, to.index], || {
                let (who, what) = (timeline.process_name(number), timeline.name_of(name));
                format!(
                    "{who} says that {what} is registered (czxid {czxid}, session {session:#x}) from {} to {}, but no such \
                     znode stood from {} to {}: that may take {} to be noticed",
                    Secs(status.from.at),
                    Secs(to.at),
                    Secs(from),
                    Secs(until),
                    Secs(bounds.noticed_within())
                )
            });
        }
    }
}

/// The link was down for a while: then nothing says that it is registered or live.
fn down(timeline: &Timeline<'_>, number: usize, process: &Process<'_>, findings: &mut Findings) {
    for (place, link) in process.links.iter().enumerate() {
        let was_up =
            place.checked_sub(1).is_some_and(|before| process.links[before].phase == LinkPhase::Connected);
        if link.phase == LinkPhase::Connected || !was_up {
            continue;
        }
        let Some(life) = process.life_at(link.moment.index) else { continue };
        let up = process.links[place..].iter().find(|link| link.phase == LinkPhase::Connected);
        let until = up.map_or(timeline.end, |link| link.moment).min(process.lives[life].end(timeline.end));
        // What says so has learned of it by then.
        let known = link.moment.at + timeline.bounds.propagation;
        if until.at <= known || !timeline.disturbances.still(number).is_free(link.moment.at, known) {
            continue;
        }
        findings.judged(I9, 1);
        let lies = |from: Moment, to: Option<Moment>| {
            from.at <= known && to.is_none_or(|to| to.at > known) && from.index < until.index
        };
        let views = process.views_of(life);
        let last = views.partition_point(|view| view.moment.at <= known).checked_sub(1);
        if let Some(view) = last.map(|last| &views[last]).filter(|view| view.live) {
            findings.violated(I9, known, &[link.moment.index, view.moment.index], || {
                let (who, since) = (process.name, Secs(link.moment.at));
                format!("the view of {who} says that it is live, though its link has been down since {since}")
            });
        }
        for (name, statuses) in &process.statuses {
            let mut registered = statuses
                .iter()
                .filter(|status| matches!(status.status, Stated::Registered { .. }) && status.life == life);
            if let Some(status) = registered.find(|status| lies(status.from, status.to)) {
                findings.violated(I9, known, &[link.moment.index, status.from.index], || {
                    let (who, what, since) = (process.name, timeline.name_of(*name), Secs(link.moment.at));
                    format!(
                        "{who} says that {what} is registered, though its link has been down since {since}"
                    )
                });
            }
        }
    }
}
