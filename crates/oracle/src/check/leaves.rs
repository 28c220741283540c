//! Leaves: what a process says is deregistered is gone, and that process does not bring it back. What it does not want any
//! more it does not create, and deletes in time while its link is up.

use std::time::Duration;

use crate::findings::Findings;
use crate::history::{LinkPhase, Stated};
use crate::judgement::Invariant::Leaves;
use crate::timeline::{Moment, Process, Secs, Tenure, Timeline, Want};

pub(super) fn check(timeline: &Timeline<'_>, findings: &mut Findings) {
    for (number, process) in timeline.processes.iter().enumerate() {
        for (name, wants) in &process.wants {
            for (place, want) in wants.iter().enumerate() {
                let life = process.lives[want.life].end(timeline.end);
                // The process has ended: it has not left.
                let Some(left) = want.to.filter(|left| *left < life) else { continue };
                let next = wants.get(place + 1).map(|next| next.from);
                findings.judged(Leaves, 1);
                let unwanted = Unwanted {
                    timeline,
                    number,
                    process,
                    want,
                    left,
                    until: next.map_or(life, |next| next.min(life)),
                };
                for tenure in &timeline.truth.tenures[*name] {
                    unwanted.judge(*name, tenure, findings);
                }
            }
        }
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

/// A process does not want an instance any more.
struct Unwanted<'u, 'a> {
    timeline: &'u Timeline<'a>,
    number: usize,
    process: &'u Process<'a>,
    want: &'u Want<'a>,
    left: Moment,
    /// It wants it again, or ends.
    until: Moment,
}

impl Unwanted<'_, '_> {
    fn judge(&self, name: usize, tenure: &Tenure<'_>, findings: &mut Findings) {
        let Self { timeline, number, process, want, left, until } = self;
        let session = tenure.session.and_then(|session| timeline.sessions.at(session, tenure.from.index));
        let is_own =
            session.is_some_and(|session| (session.process, session.life) == (*number, Some(want.life)));
        if !is_own || tenure.from >= *until {
            return;
        }
        let changes = timeline.disturbances.changes(*number);
        let (who, what) = (process.name, timeline.name_of(name));
        let (at, since) = (tenure.from.at, left.at);
        // What was sent before may arrive afterwards.
        let is_late = at > since + timeline.bounds.propagation && changes.is_free(since, at);
        if is_late && tenure.by.1 == Some(*number) {
            findings.violated(Leaves, at, &[left.index, tenure.from.index], || {
                format!("{who} has not wanted {what} since {}, but created it at {}", Secs(since), Secs(at))
            });
            return;
        }
        let from = since.max(at);
        let to = tenure.to.unwrap_or(timeline.end).min(*until).at;
        let bound = timeline.bounds.left_within();
        if to.saturating_sub(from) > bound && self.longest_up(from, to) > bound {
            findings.violated(Leaves, from + bound, &[left.index, tenure.from.index], || {
                let (since, to, bound) = (Secs(since), Secs(to), Secs(bound));
                format!("{who} has not wanted {what} since {since}, and its link was up, but its znode stood until {to}: {bound} would do")
            });
        }
    }

    /// The longest time in which the link was up and nothing delayed anything.
    fn longest_up(&self, from: Duration, to: Duration) -> Duration {
        let links = &self.process.links;
        let changes = self.timeline.disturbances.changes(self.number);
        let spans = links.iter().enumerate().filter(|(_, link)| link.phase == LinkPhase::Connected);
        let spans = spans.map(|(place, link)| {
            let end = links.get(place + 1).map_or(to, |next| next.moment.at);
            (link.moment.at.max(from), end.min(to))
        });
        spans
            .filter(|(from, to)| from < to)
            .map(|(from, to)| changes.longest_free(from, to))
            .max()
            .unwrap_or_default()
    }
}
