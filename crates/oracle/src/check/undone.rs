//! Leaves that are undone: a process that has deleted its znode as it leaves does not create it again, also where it does not know yet
//! that the deletion was carried out, as the reply was lost.

use crate::findings::Findings;
use crate::judgement::Invariant::Leaves;
use crate::timeline::{Ending, Process, Secs, Timeline};

pub(super) fn check(timeline: &Timeline<'_>, findings: &mut Findings) {
    // Before ZooKeeper 3.6 a take-over is two requests, too.
    if !timeline.is_old {
        for (number, process) in timeline.processes.iter().enumerate() {
            of(timeline, number, process, findings);
        }
    }
}

fn of(timeline: &Timeline<'_>, number: usize, process: &Process<'_>, findings: &mut Findings) {
    for (name, wants) in &process.wants {
        for (place, want) in wants.iter().enumerate() {
            let end = process.lives[want.life].end(timeline.end);
            let until = wants.get(place + 1).map_or(end, |next| next.from.min(end));
            let Some(left) = want.to.filter(|left| *left < end) else { continue };
            for pair in timeline.truth.tenures[*name].windows(2) {
                let [before, after] = pair else { continue };
                let Some(gone) = before.to.filter(|gone| *gone > left && *gone < until) else { continue };
                let by_itself = |zxid| zxid != after.czxid && after.by.1 == Some(number);
                let Ending::Deleted { zxid, by_process: Some(by) } = before.ending else { continue };
                if by == number {
                    findings.judged(Leaves, 1);
                }
                if by == number && by_itself(zxid) && after.from < until {
                    findings.violated(
                        Leaves,
                        after.from.at,
                        &[left.index, gone.index, after.from.index],
                        || {
                            let (who, what, left) =
                                (process.name, timeline.name_of(*name), Secs(left.at));
                            let (gone, again) = (Secs(gone.at), Secs(after.from.at));
                            format!("{who} has not wanted {what} since {left}, and deleted it at {gone}, but created it again at {again}")
                        },
                    );
                }
            }
        }
    }
}
