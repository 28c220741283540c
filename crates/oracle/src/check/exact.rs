//! Exact: a view that says live is what ZooKeeper lists, but for the time that a change takes, for removals that settle and
//! for what is held.

use super::mismatches::Mismatch;
use super::quiet;
use crate::findings::Findings;
use crate::judgement::Invariant::{self, Exact, I2};
use crate::timeline::{Secs, Timeline};

/// Judges what a sweep has found. What lasts when everything has converged is judged as I2.
pub(super) fn check(timeline: &Timeline<'_>, findings: &mut Findings) {
    let followed = super::mismatches::find(timeline);
    findings.judged(Exact, followed.changes);
    for mismatch in &followed.mismatches {
        let Mismatch { process, from, to, bound, .. } = *mismatch;
        if !timeline.truth.is_seen(from.at, to.at) {
            continue;
        }
        let converged = quiet::calm(timeline, process).map(|calm| calm + timeline.bounds.converged_within());
        let undisturbed = timeline.disturbances.changes(process).longest_free(from.at, to.at);
        let is_too_long = undisturbed > bound;
        findings.figures.losses += u64::from(is_too_long && mismatch.is_missing);
        findings.figures.ghosts += u64::from(is_too_long && !mismatch.is_missing);
        if converged.is_some_and(|converged| to.at.saturating_sub(from.at.max(converged)) > bound) {
            tell(timeline, I2, mismatch, findings);
        } else if is_too_long {
            tell(timeline, Exact, mismatch, findings);
        }
    }
}

fn tell(timeline: &Timeline<'_>, invariant: Invariant, mismatch: &Mismatch, findings: &mut Findings) {
    let Mismatch { process, name, is_missing, from, to, bound } = *mismatch;
    findings.violated(invariant, from.at + bound, &[from.index, to.index], || {
        let (who, what) = (timeline.process_name(process), timeline.name_of(name));
        let (from, to, bound) = (Secs(from.at), Secs(to.at), Secs(bound));
        let how = if is_missing { "lacked" } else { "showed" };
        let listed = if is_missing { "was listed" } else { "was not listed, without holding it" };
        format!(
            "the view of {who} said that it was live, and {how} {what}, which {listed}, from {from} to {to}: that may last {bound}"
        )
    });
}
