//! I4: what is dead is gone from ZooKeeper within *T*, 2 ticks and *P*, or that long after the ensemble has come back; and no
//! live view holds anything for longer than the hold.
//!
//! What a live view shows without holding it is judged by the exact rule.

use std::time::Duration;

use crate::findings::Findings;
use crate::judgement::Invariant::I4;
use crate::timeline::{Moment, Process, Secs, Tenure, Timeline};

pub(super) fn check(timeline: &Timeline<'_>, findings: &mut Findings) {
    for (name, tenures) in timeline.truth.tenures.iter().enumerate() {
        for tenure in tenures {
            znode(timeline, name, tenure, findings);
        }
    }
    for (number, process) in timeline.processes.iter().enumerate() {
        for life in 0..process.lives.len() {
            held(timeline, (number, process), life, findings);
        }
    }
}

/// A znode whose process has ended.
fn znode(timeline: &Timeline<'_>, name: usize, tenure: &Tenure<'_>, findings: &mut Findings) {
    let Some((process, died)) = death(timeline, tenure) else { return };
    let to = tenure.to.unwrap_or(timeline.end);
    if to < died {
        return;
    }
    let by = gone_by(timeline, died.at.max(tenure.from.at));
    if by > timeline.end.at {
        return;
    }
    findings.judged(I4, 1);
    if to.at > by && timeline.truth.is_seen(died.at, to.at) {
        findings.violated(I4, by, &[died.index, tenure.from.index], || {
            let (who, what) = (timeline.process_name(process), timeline.name_of(name));
            let (died, by, to) = (Secs(died.at), Secs(by), Secs(to.at));
            let kind = if tenure.session.is_none() { "persistent " } else { "" };
            format!("{who} ended at {died}, and its {kind}znode {what} has to be gone at {by}, but stood until {to}")
        });
    }
}

/// The process that a znode belongs to, and when that ended.
fn death(timeline: &Timeline<'_>, tenure: &Tenure<'_>) -> Option<(usize, Moment)> {
    let (process, life) = match tenure.session {
        Some(session) => {
            let session = timeline.sessions.of(session)?;
            (session.process, session.life?)
        }
        None => {
            let process = tenure.by.1?;
            (process, timeline.processes[process].life_at(tenure.from.index)?)
        }
    };
    Some((process, timeline.processes[process].lives[life].to?))
}

/// When the session of a client that was last heard of at this time is over at the latest.
fn gone_by(timeline: &Timeline<'_>, heard: Duration) -> Duration {
    let within = timeline.bounds.dead_within();
    // An ensemble that comes back gives every session its whole timeout again.
    timeline.disturbances.ensemble().iter().fold(heard + within, |by, (from, to)| {
        if from <= by && to >= heard { by.max(to + within) } else { by }
    })
}

/// What a live view holds without a break.
fn held(
    timeline: &Timeline<'_>,
    (number, process): (usize, &Process<'_>),
    life: usize,
    findings: &mut Findings,
) {
    let bounds = timeline.bounds;
    let views = process.views_of(life);
    let ended = process.lives[life].end(timeline.end);
    let most = bounds.hold + bounds.gone_from_view_within();
    let mut since: Vec<(usize, Moment)> = Vec::new();
    for (place, view) in views.iter().enumerate() {
        since.retain(|(name, _)| view.live && view.holds(*name));
        let held = view.shown.iter().filter(|(_, shown)| shown.held && view.live);
        for (name, _) in held {
            if since.iter().all(|(known, _)| known != name) {
                findings.judged(I4, 1);
                since.push((*name, view.moment));
            }
        }
        let until = views.get(place + 1).map_or(ended, |next| next.moment);
        since.retain(|(name, from)| {
            // The hold stops while there is no link, and begins again with the next.
            let was_up = process.links.iter().all(|link| link.moment < *from || link.moment > until);
            let is_too_long = until.at.saturating_sub(from.at) > most;
            let is_running = timeline.disturbances.still(number).is_free(from.at, until.at);
            if is_too_long && was_up && is_running {
                findings.violated(I4, from.at + most, &[from.index, view.moment.index], || {
                    let (who, what) = (process.name, timeline.name_of(*name));
                    let (from, until, hold) = (Secs(from.at), Secs(until.at), Secs(bounds.hold));
                    format!(
                        "the view of {who} held {what} from {from} to {until}, though a hold lasts {hold}"
                    )
                });
            }
            !is_too_long
        });
    }
}
