//! I6: nobody deletes or overwrites the znode of another owner.
//!
//! A process may replace what an earlier start of itself has left. One window is documented (crate `registry`, Limits): a
//! znode of another owner that has just taken the place of our own, between our read and our write, or the change and its
//! event, is written or deleted.

use crate::findings::Findings;
use crate::history::By;
use crate::judgement::Invariant::I6;
use crate::timeline::{Ending, Moment, Secs, Tenure, Timeline};

pub(super) fn check(timeline: &Timeline<'_>, findings: &mut Findings) {
    for (name, tenures) in timeline.truth.tenures.iter().enumerate() {
        for (place, tenure) in tenures.iter().enumerate() {
            let deeds =
                Deeds { timeline, name, before: place.checked_sub(1).map(|before| &tenures[before]), tenure };
            for write in &tenure.writes {
                deeds.judge(write.by_process, write.moment, "overwrote", findings);
            }
            if let (Ending::Deleted { by_process, .. }, Some(to)) = (tenure.ending, tenure.to) {
                deeds.judge(by_process, to, "deleted", findings);
            }
        }
    }
}

/// What was done to one znode.
struct Deeds<'d, 'a> {
    timeline: &'d Timeline<'a>,
    name: usize,
    /// The znode that had the name before.
    before: Option<&'d Tenure<'a>>,
    tenure: &'d Tenure<'a>,
}

impl Deeds<'_, '_> {
    fn judge(&self, by: Option<usize>, when: Moment, deed: &str, findings: &mut Findings) {
        let Some(by) = by else { return };
        findings.judged(I6, 1);
        let Self { timeline, name, tenure, .. } = self;
        let is_own = self.owner(tenure).is_none_or(|owner| owner == Owner::Process(by));
        if is_own || self.is_within_the_window(by, when) {
            return;
        }
        findings.violated(I6, when.at, &[tenure.from.index, when.index], || {
            let (who, what, since) =
                (timeline.process_name(by), timeline.name_of(*name), Secs(tenure.from.at));
            let whose = match self.owner(tenure) {
                Some(Owner::Process(owner)) => timeline.process_name(owner),
                _ => "somebody else",
            };
            format!("{who} {deed} the znode {what} of {whose}, which had stood since {since}")
        });
    }

    /// Whose znode it is, as far as that is known.
    fn owner(&self, tenure: &Tenure<'_>) -> Option<Owner> {
        let by_session =
            tenure.session.and_then(|session| self.timeline.sessions.at(session, tenure.from.index));
        match (by_session, tenure.by) {
            (Some(session), _) => Some(Owner::Process(session.process)),
            (None, (_, Some(process))) => Some(Owner::Process(process)),
            (None, (By::Other(_), None)) => Some(Owner::Other),
            _ => None,
        }
    }

    fn is_within_the_window(&self, by: usize, when: Moment) -> bool {
        let bounds = self.timeline.bounds;
        let since = self.tenure.from.at;
        let undisturbed = self.timeline.disturbances.changes(by).is_free(since, when.at);
        let window = if undisturbed { bounds.noticed_within() } else { bounds.audited_within() };
        let was_ours = self.before.and_then(|before| self.owner(before)) == Some(Owner::Process(by));
        was_ours && when.at.saturating_sub(since) <= window
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Owner {
    Process(usize),
    Other,
}
