//! Leaves: what a process says is deregistered is gone, and that process does not bring it back; nor does it bring back what it has
//! deleted as it leaves, and does not know it yet.

use crate::findings::Findings;
use crate::history::Stated;
use crate::judgement::Invariant::Leaves;
use crate::timeline::{Ending, Process, Secs, Timeline};

pub(super) fn check(timeline: &Timeline<'_>, findings: &mut Findings) {
    for (number, process) in timeline.processes.iter().enumerate() {
        undone(timeline, number, process, findings);
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

/// A process wants an instance no more, and deletes its znode: it does not create it again.
fn undone(timeline: &Timeline<'_>, number: usize, process: &Process<'_>, findings: &mut Findings) {
    for (name, wants) in &process.wants {
        for (place, want) in wants.iter().enumerate() {
            let end = process.lives[want.life].end(timeline.end).index;
            let next = wants.get(place + 1).map_or(usize::MAX, |next| next.from.index);
            let Some(left) = want.to.filter(|left| left.index < end) else { continue };
            findings.judged(Leaves, 1);
            for pair in timeline.truth.tenures[*name].windows(2) {
                let [before, after] = pair else { continue };
                let Some(gone) = before.to.filter(|gone| *gone > left) else { continue };
                let is_own = |ending| matches!(ending, Ending::Deleted { zxid, by_process: Some(by) } if by == number && zxid != after.czxid);
                let is_undone = is_own(before.ending) && after.by.1 == Some(number);
                // Before ZooKeeper 3.6 a take-over is two requests.
                if is_undone && after.from.index < end.min(next) && !timeline.is_old {
                    findings.violated(Leaves, after.from.at, &[left.index, gone.index, after.from.index], || {
                        let (who, what, left) = (process.name, timeline.name_of(*name), Secs(left.at));
                        let (gone, again) = (Secs(gone.at), Secs(after.from.at));
                        format!("{who} has not wanted {what} since {left}, and deleted it at {gone}, but created it again at {again}")
                    });
                }
            }
        }
    }
}
