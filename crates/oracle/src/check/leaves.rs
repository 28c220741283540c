//! Leaves: what a process says is deregistered is gone, and that process does not bring it back.

use crate::findings::Findings;
use crate::history::Stated;
use crate::judgement::Invariant::Leaves;
use crate::timeline::{Secs, Timeline};

pub(super) fn check(timeline: &Timeline<'_>, findings: &mut Findings) {
    for (number, process) in timeline.processes.iter().enumerate() {
        for (name, statuses) in &process.statuses {
            for status in statuses.iter().filter(|status| *status.status == Stated::Deregistered) {
                findings.judged(Leaves, 1);
                let life = &process.lives[status.life];
                let wants = process.wants.get(name).into_iter().flatten();
                let again = wants.map(|want| want.from).find(|from| *from > status.from);
                // Until it is wanted again, or the process ends.
                let until = again.unwrap_or(timeline.end).min(life.end(timeline.end));
                let known = status.from.at + timeline.bounds.propagation;
                for tenure in &timeline.truth.tenures[*name] {
                    let owner =
                        tenure.session.and_then(|session| timeline.sessions.at(session, tenure.from.index));
                    let is_own = tenure.by.1 == Some(number)
                        && owner.is_none_or(|owner| owner.life.is_none_or(|life| life == status.life));
                    let comes_back = status.from < tenure.from && tenure.from < until;
                    let still_stands = tenure.from < status.from
                        && tenure.to.is_none_or(|to| to.at > known)
                        && life.from < tenure.from
                        && known < until.at;
                    if !is_own
                        || !(comes_back || still_stands)
                        || !timeline.truth.is_seen(status.from.at, known)
                    {
                        continue;
                    }
                    let at = known.max(tenure.from.at);
                    findings.violated(Leaves, at, &[status.from.index, tenure.from.index], || {
                        let (who, what, said) = (process.name, timeline.name_of(*name), Secs(status.from.at));
                        let how = if comes_back { "created it again" } else { "its znode still stood" };
                        format!("{who} said at {said} that {what} is deregistered, but {how} at {}", Secs(at))
                    });
                }
            }
        }
    }
}
