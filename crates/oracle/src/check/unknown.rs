//! What cannot be judged, whatever the rules say.

use crate::findings::Findings;
use crate::judgement::Invariant::{Calls, Exact, I2, I3, I4, I9};
use crate::timeline::{Secs, Timeline};

pub(super) fn check(timeline: &Timeline<'_>, findings: &mut Findings) {
    if let Some((at, by)) = timeline.lags.iter().max_by_key(|(_, by)| *by) {
        for invariant in [I2, I3, I4, I9, Calls, Exact] {
            let (times, by, at) = (timeline.lags.len(), Secs(*by), Secs(at.at));
            findings.unknown(
                invariant,
                format!(
                    "the machine was too busy {times} times: a task of the recorder ran {by} late at {at}"
                ),
            );
        }
    }
    let faults = &timeline.faults.all;
    if !faults.is_empty() && faults.iter().all(|fault| fault.took_effect.is_none()) {
        findings.unknown(I2, format!("none of {} faults took effect", faults.len()));
    }
}
