//! Measures what a timeline shows.

use crate::figures::Figures;
use crate::history::Called;
use crate::timeline::{Ending, Moment, Process, Tenure, Timeline, ViewRecord, Write};

pub(crate) fn measure(timeline: &Timeline<'_>) -> Figures {
    let mut figures = Figures::default();
    for call in &timeline.calls {
        let Some((ended, outcome)) = call.ended else { continue };
        let took = ended.at.saturating_sub(call.began.at);
        match outcome {
            Called::Answered { .. } => figures.answered.push(took),
            Called::Failed { .. } => figures.failed.push(took),
        }
    }
    for process in &timeline.processes {
        for life in 0..process.lives.len() {
            let views = process.views_of(life);
            if !views.is_empty() {
                Seen { timeline, process, views }.measure(&mut figures);
            }
        }
    }
    for (name, tenures) in timeline.truth.tenures.iter().enumerate() {
        registered_again(timeline, name, tenures, &mut figures);
    }
    figures
}

/// What one client saw.
struct Seen<'s, 'a> {
    timeline: &'s Timeline<'a>,
    process: &'s Process<'a>,
    views: &'s [ViewRecord<'a>],
}

impl Seen<'_, '_> {
    fn measure(&self, figures: &mut Figures) {
        let (Some(first), Some(last)) = (self.views.first(), self.views.last()) else { return };
        for (name, tenures) in self.timeline.truth.tenures.iter().enumerate() {
            for (place, tenure) in tenures.iter().enumerate() {
                let next = tenures.get(place + 1).map(|next| next.from);
                if tenure.from > first.moment && tenure.from < last.moment {
                    self.join(name, tenure, figures);
                }
                if let Some(to) = tenure.to.filter(|to| *to > first.moment) {
                    self.removal(name, tenure, to, next, figures);
                }
                for (place, write) in tenure.writes.iter().enumerate().filter(|_| self.process.reads_records)
                {
                    let until = tenure.writes.get(place + 1).map(|next| next.moment).or(tenure.to);
                    self.update(name, write, until, figures);
                }
            }
        }
    }

    /// The view that is shown at a moment, if it is live.
    fn live_at(&self, moment: Moment) -> Option<(usize, &ViewRecord<'_>)> {
        let place = self.views.partition_point(|view| view.moment <= moment).checked_sub(1)?;
        Some((place, &self.views[place])).filter(|(_, view)| view.live)
    }

    /// The next view in which something is so, before a moment.
    fn next(
        &self,
        place: usize,
        until: Option<Moment>,
        is_so: impl Fn(&ViewRecord<'_>) -> bool,
    ) -> Option<&ViewRecord<'_>> {
        let mut later =
            self.views[place + 1..].iter().take_while(|view| until.is_none_or(|until| view.moment < until));
        later.find(|view| is_so(view))
    }

    fn join(&self, name: usize, tenure: &Tenure<'_>, figures: &mut Figures) {
        let Some((place, _)) = self.live_at(tenure.from).filter(|(_, view)| !view.shows(name)) else {
            return;
        };
        if let Some(shown) = self.next(place, tenure.to, |view| view.shows(name)) {
            figures.join.push(shown.moment.at.saturating_sub(tenure.from.at));
        }
    }

    fn removal(
        &self,
        name: usize,
        tenure: &Tenure<'_>,
        to: Moment,
        next: Option<Moment>,
        figures: &mut Figures,
    ) {
        let Some((place, _)) = self.live_at(to).filter(|(_, view)| view.shows(name)) else { return };
        let Some(gone) = self.next(place, next, |view| !view.shows(name)) else { return };
        let took = gone.moment.at.saturating_sub(to.at);
        if tenure.is_told() {
            figures.leave.push(took)
        } else {
            figures.removal.push(took)
        }
        // Killed, and not restarted until then.
        let session = tenure.session.and_then(|session| self.timeline.sessions.at(session, to.index));
        let Some((owner, Some(life))) = session.map(|session| (session.process, session.life)) else {
            return;
        };
        let lives = &self.timeline.processes[owner].lives;
        let died = lives[life].to.filter(|_| lives[life].status.is_none());
        let again = lives.get(life + 1).map(|life| life.from);
        if let Some(died) = died.filter(|died| *died < to)
            && again.is_none_or(|again| again > gone.moment)
        {
            figures.dead.push(gone.moment.at.saturating_sub(died.at));
        }
    }

    fn update(&self, name: usize, write: &Write<'_>, until: Option<Moment>, figures: &mut Figures) {
        let Some(weight) = write.data.weight else { return };
        let wanted = (weight, write.data.draining);
        let has = |view: &ViewRecord<'_>| {
            let place = view.shown.iter().find(|(shown, _)| *shown == name);
            place.is_some_and(|(_, shown)| (shown.weight, shown.draining) == wanted)
        };
        let Some((place, view)) = self.live_at(write.moment) else { return };
        if view.shows(name)
            && !has(view)
            && let Some(shown) = self.next(place, until, has)
        {
            figures.update.push(shown.moment.at.saturating_sub(write.moment.at));
        }
    }
}

/// A session ended while its process ran and wanted the znode.
fn registered_again(timeline: &Timeline<'_>, name: usize, tenures: &[Tenure<'_>], figures: &mut Figures) {
    for pair in tenures.windows(2) {
        let [before, after] = pair else { continue };
        let (Some(to), Ending::Deleted { by_process: None, .. }) = (before.to, before.ending) else {
            continue;
        };
        let owner = |tenure: &Tenure<'_>| {
            let session = timeline.sessions.at(tenure.session?, tenure.from.index)?;
            Some((session.process, session.life))
        };
        let (old, new) = (owner(before), owner(after));
        let is_wanted =
            old.is_some_and(|(process, _)| timeline.processes[process].want_at(name, to.index).is_some());
        if old == new && is_wanted {
            figures.registered_again.push(after.from.at.saturating_sub(to.at));
        }
    }
}
