//! I1: a view that is not live loses nothing, but what it held and an operator released.
//!
//! What a live view loses is judged by I8 and by the exact rule.

use std::time::Duration;

use crate::findings::Findings;
use crate::history::LinkPhase;
use crate::judgement::Invariant::I1;
use crate::timeline::{Process, Timeline, ViewRecord};

/// An operator's word acts at once; the recorder may write it down a moment before or after.
const AT_ONCE: Duration = Duration::from_secs(1);

pub(super) fn check(timeline: &Timeline<'_>, findings: &mut Findings) {
    for (number, process) in timeline.processes.iter().enumerate() {
        findings.judged(I1, process.views.iter().filter(|view| !view.live).count() as u64);
        for pair in process.views.windows(2) {
            let [before, after] = pair else { continue };
            if before.live || after.live || before.life != after.life {
                continue;
            }
            let shows = |view: &ViewRecord<'_>, name| view.shown.iter().any(|(shown, _)| *shown == name);
            for (name, shown) in before.shown.iter().filter(|(name, _)| !shows(after, *name)) {
                let is_released = shown.held && was_released(timeline, number, before, after);
                if is_released || was_live_between(timeline, process, *name, before, after) {
                    continue;
                }
                findings.violated(I1, after.moment.at, &[before.moment.index, after.moment.index], || {
                    let (who, what) = (process.name, timeline.name_of(*name));
                    let held = if shown.held { ", which was held" } else { "" };
                    format!(
                        "without a live view of ZooKeeper nothing is removed, but the view of {who} lost {what}{held}, \
                         and no operator released it"
                    )
                });
            }
        }
    }
}

fn was_released(
    timeline: &Timeline<'_>,
    process: usize,
    before: &ViewRecord<'_>,
    after: &ViewRecord<'_>,
) -> bool {
    let releases =
        timeline.faults.all.iter().filter(|fault| fault.kind == "release" && fault.concerns(process));
    let mut releases = releases.map(|fault| fault.from.at);
    releases.any(|at| before.moment.at <= at + AT_ONCE && at <= after.moment.at + AT_ONCE)
}

/// Whether the view may have been live for a moment in between, without a record of that, when the instance was not listed.
fn was_live_between(
    timeline: &Timeline<'_>,
    process: &Process<'_>,
    name: usize,
    before: &ViewRecord<'_>,
    after: &ViewRecord<'_>,
) -> bool {
    let links = process.links.iter().skip_while(|link| link.moment.index < before.moment.index);
    let mut links = links.take_while(|link| link.moment.index <= after.moment.index);
    let connected = links.any(|link| link.phase == LinkPhase::Connected);
    let standing = timeline.truth.at(name, before.moment.index);
    let by = after.moment.at + timeline.bounds.propagation;
    connected && standing.is_none_or(|tenure| tenure.to.is_some_and(|to| to.at <= by))
}
