//! I8: each live view is what one list could have returned, and none is older than the one before. A view that becomes live
//! is not older than its connection.
//!
//! For each view there has to be a place in the sequence of sets that ZooKeeper had, not before the place of the view before.
//! The earliest such place is taken: it leaves most to the views that follow. Promised differences from a list are a removal
//! that settles, an instance that is held, and one that waits for its record.

use std::time::Duration;

use crate::findings::Findings;
use crate::history::LinkPhase;
use crate::judgement::Invariant::I8;
use crate::timeline::{Moment, Process, Secs, Timeline, ViewRecord};

pub(super) fn check(timeline: &Timeline<'_>, findings: &mut Findings) {
    for (number, process) in timeline.processes.iter().enumerate() {
        for life in 0..process.lives.len() {
            one_life(timeline, (number, process), process.views_of(life), findings);
        }
    }
}

fn one_life(
    timeline: &Timeline<'_>,
    (number, process): (usize, &Process<'_>),
    views: &[ViewRecord<'_>],
    findings: &mut Findings,
) {
    let mut place = 0;
    let mut live_since = Duration::ZERO;
    for (index, view) in views.iter().enumerate() {
        let before = index.checked_sub(1).map(|before| &views[before]);
        let was_live = before.is_some_and(|before| before.live);
        // What a stale view does is judged by I1; the first one has what came before.
        if view.revision.is_none() || !(view.live || was_live) {
            continue;
        }
        if !was_live {
            live_since = view.moment.at;
        }
        let patience = timeline.bounds.propagation;
        if !timeline.truth.is_seen(view.moment.at.saturating_sub(patience), view.moment.at + patience) {
            continue;
        }
        if view.live && !was_live {
            place = place.max(floor(timeline, number, process, view));
        }
        findings.judged(I8, 1);
        let fit = Fit::new(timeline, (number, process), view, before, live_since);
        let last = timeline.truth.position_by(view.moment.at + patience).max(place);
        match (place..=last).find(|place| fit.is_at(*place)) {
            Some(found) => place = found,
            None => {
                let at = timeline.truth.positions[place].moment;
                findings.violated(I8, view.moment.at, &[at.index, view.moment.index], || {
                    fit.why_not(timeline, process.name, place..=last)
                });
            }
        }
    }
}

/// The set of a view that becomes live is not older than its connection, unless events may be lost.
fn floor(timeline: &Timeline<'_>, number: usize, process: &Process<'_>, view: &ViewRecord<'_>) -> usize {
    let up = process.link_at(view.moment.index).filter(|link| link.phase == LinkPhase::Connected);
    let is_undisturbed = |up: Moment| timeline.disturbances.changes(number).is_free(up.at, view.moment.at);
    up.map(|link| link.moment)
        .filter(|up| is_undisturbed(*up))
        .map_or(0, |up| timeline.truth.position_at(up.index))
}

/// Whether a view fits to a set of the ensemble.
struct Fit<'f, 'a> {
    timeline: &'f Timeline<'a>,
    view: &'f ViewRecord<'a>,
    before: Option<&'f ViewRecord<'a>>,
    /// Whether nothing may have delayed events.
    is_undisturbed: bool,
    /// What was created after this waits for its record, or for its event.
    lacks_since: Option<Duration>,
    /// What was deleted after this settles.
    settles_since: Duration,
    /// Whether it is live since so short a time that what it found gone settles, however long ago it went.
    is_new: bool,
}

impl<'f, 'a> Fit<'f, 'a> {
    fn new(
        timeline: &'f Timeline<'a>,
        (number, process): (usize, &Process<'_>),
        view: &'f ViewRecord<'a>,
        before: Option<&'f ViewRecord<'a>>,
        live_since: Duration,
    ) -> Self {
        let (bounds, now) = (timeline.bounds, view.moment.at);
        let settling = bounds.gone_from_view_within();
        let is_undisturbed = timeline.disturbances.changes(number).is_free(now.saturating_sub(settling), now);
        let late = if is_undisturbed { Duration::ZERO } else { bounds.audited_within() };
        let waits = process.reads_records || !is_undisturbed;
        let is_new = now <= live_since + settling;
        let lacks = if is_new { Duration::ZERO } else { now.saturating_sub(bounds.shown_within() + late) };
        let settles_since = now.saturating_sub(settling + late);
        Self {
            timeline,
            view,
            before,
            is_undisturbed,
            lacks_since: waits.then_some(lacks),
            settles_since,
            is_new,
        }
    }

    fn is_at(&self, place: usize) -> bool {
        self.first_difference(place).is_none()
    }

    /// A name in which the view differs from the set at a place, and must not.
    fn first_difference(&self, place: usize) -> Option<usize> {
        let row = self.timeline.truth.row(place);
        for (word, listed) in row.iter().enumerate() {
            let (set, held) = (self.view.set[word], self.view.held[word]);
            // What is held is not listed; but the news that it is again may be under way.
            let held_in_vain = if self.is_undisturbed { held & listed } else { 0 };
            let mut differences = (((set ^ listed) & !held) | held_in_vain) & self.timeline.instances[word];
            while differences != 0 {
                let bit = differences & differences.wrapping_neg();
                differences ^= bit;
                let name = word * 64 + bit.trailing_zeros() as usize;
                let may_differ = match (set & bit != 0, listed & bit != 0) {
                    (true, true) => false,
                    (true, false) => self.may_settle(name, place),
                    _ => self.may_wait(name, place),
                };
                if !may_differ {
                    return Some(name);
                }
            }
        }
        None
    }

    /// It is shown, and not listed there.
    fn may_settle(&self, name: usize, place: usize) -> bool {
        if self.is_new && self.before.is_some_and(|before| before.shows(name)) {
            return true;
        }
        let place = self.timeline.truth.positions[place].moment.index;
        let last = self.timeline.truth.last_at(name, place).and_then(|tenure| tenure.to);
        last.is_some_and(|to| to.at >= self.settles_since)
    }

    /// It is listed there, and not shown.
    fn may_wait(&self, name: usize, place: usize) -> bool {
        let place = self.timeline.truth.positions[place].moment.index;
        let standing = self.timeline.truth.at(name, place);
        standing.is_some_and(|tenure| self.lacks_since.is_some_and(|since| tenure.from.at >= since))
    }

    fn why_not(&self, timeline: &Timeline<'_>, who: &str, places: std::ops::RangeInclusive<usize>) -> String {
        let (first, last) = (*places.start(), *places.end());
        let at = |place: usize| Secs(timeline.truth.positions[place].moment.at);
        let difference = |place| {
            let Some(name) = self.first_difference(place) else { return String::new() };
            let what = timeline.name_of(name);
            match (self.view.shows(name), self.view.holds(name)) {
                (true, true) => format!("it holds {what}, which was listed"),
                (true, false) => format!("it shows {what}, which was not listed"),
                _ => format!("it lacks {what}, which was listed"),
            }
        };
        let why = difference(last);
        let also =
            if first == last { String::new() } else { format!("; at {}, {}", at(first), difference(first)) };
        format!(
            "the view of {who} is no list that ZooKeeper had between {}, the earliest that is not older than its view before, and \
             this moment: at {}, {why}{also}",
            at(first),
            at(last)
        )
    }
}
