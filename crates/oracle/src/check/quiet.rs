//! From when on everything has to be right, and stay so.

use std::time::Duration;

use crate::timeline::{Timeline, Want};

/// An instance that a process still wants at the end.
pub(super) struct Wanted<'t, 'a> {
    pub(super) process: usize,
    pub(super) name: usize,
    pub(super) want: &'t Want<'a>,
    /// From when on it is registered, with the record that is wanted.
    pub(super) by: Duration,
}

/// When nothing is broken for a process any more, nor delayed: after the heal.
pub(super) fn calm(timeline: &Timeline<'_>, process: usize) -> Option<Duration> {
    let healed = timeline.healed?.at;
    let disturbed = timeline.disturbances.changes(process).iter();
    Some(
        disturbed
            .filter(|(from, to)| *from <= healed && *to >= healed)
            .map(|(_, to)| to)
            .fold(healed, Duration::max),
    )
}

/// What is wanted at the end.
pub(super) fn wanted<'t, 'a>(timeline: &'t Timeline<'a>) -> Vec<Wanted<'t, 'a>> {
    let mut all = Vec::new();
    for (process, what) in timeline.processes.iter().enumerate().filter(|(_, process)| process.is_running()) {
        let Some(calm) = calm(timeline, process) else { continue };
        for (name, wants) in &what.wants {
            if let Some(want) = wants.last().filter(|want| want.to.is_none()) {
                let since = want.data.last().map_or(want.from, |(since, _)| *since).at;
                let by = calm.max(since) + timeline.bounds.registered_within();
                all.push(Wanted { process, name: *name, want, by });
            }
        }
    }
    all
}
