//! How long live views differed from what ZooKeeper listed.

use std::time::Duration;

use crate::timeline::{Moment, Timeline, ViewRecord};

/// A live view differed in one instance, for longer than it may when nothing is broken.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mismatch {
    pub(super) process: usize,
    pub(super) name: usize,
    /// Whether the instance was listed and not shown; else it was shown, not held, and not listed.
    pub(super) is_missing: bool,
    /// When it began.
    pub(super) from: Moment,
    /// When it ended, by a change of the view or of the ensemble.
    pub(super) to: Moment,
    /// How long it may last.
    pub(super) bound: Duration,
}

/// What is found about all clients.
pub(super) struct Followed {
    pub(super) mismatches: Vec<Mismatch>,
    /// How many changes live views had to follow.
    pub(super) changes: u64,
}

/// Goes through the views and the sets of the ensemble side by side.
pub(super) fn find(timeline: &Timeline<'_>) -> Followed {
    let mut followed = Followed { mismatches: Vec::new(), changes: 0 };
    for (number, process) in timeline.processes.iter().enumerate() {
        for (life, span) in process.lives.iter().enumerate() {
            let views = process.views_of(life);
            if !views.is_empty() {
                Sweep::new(timeline, number).run(views, span.end(timeline.end), &mut followed);
            }
        }
    }
    followed
}

struct Sweep<'s, 'a> {
    timeline: &'s Timeline<'a>,
    process: usize,
    missing: Open,
    extra: Open,
}

/// The differences that go on.
struct Open {
    is_missing: bool,
    bound: Duration,
    bits: Vec<u64>,
    /// By name.
    since: Vec<Moment>,
}

impl<'s, 'a> Sweep<'s, 'a> {
    fn new(timeline: &'s Timeline<'a>, process: usize) -> Self {
        let bounds = timeline.bounds;
        let open = |is_missing, bound| Open {
            is_missing,
            bound,
            bits: vec![0; timeline.truth.words],
            since: vec![Moment::default(); timeline.names()],
        };
        Self {
            timeline,
            process,
            missing: open(true, bounds.shown_within()),
            extra: open(false, bounds.gone_from_view_within()),
        }
    }

    fn run(mut self, views: &[ViewRecord<'_>], end: Moment, followed: &mut Followed) {
        let positions = &self.timeline.truth.positions;
        let Some(first) = views.first() else { return };
        let mut position = self.timeline.truth.position_at(first.moment.index);
        for (place, view) in views.iter().enumerate() {
            let until = views.get(place + 1).map_or(end, |next| next.moment);
            let is_judged = view.live && view.revision.is_some();
            let mut now = view.moment;
            loop {
                self.compare(is_judged.then_some(view), position, now, followed);
                let next = positions.get(position + 1).map(|next| next.moment).filter(|next| *next < until);
                let Some(next) = next else { break };
                (position, now) = (position + 1, next);
                followed.changes += u64::from(is_judged);
            }
        }
        self.compare(None, position, end, followed);
    }

    /// From now on this view stands beside this set.
    fn compare(
        &mut self,
        view: Option<&ViewRecord<'_>>,
        position: usize,
        now: Moment,
        followed: &mut Followed,
    ) {
        let row = self.timeline.truth.row(position);
        for (word, listed) in row.iter().enumerate() {
            let (set, held) = view.map_or((*listed, 0), |view| (view.set[word], view.held[word]));
            let judged = self.timeline.instances[word];
            self.missing.turn(self.process, word, listed & !set & judged, now, followed);
            self.extra.turn(self.process, word, set & !listed & !held & judged, now, followed);
        }
    }
}

impl Open {
    fn turn(&mut self, process: usize, word: usize, bits: u64, now: Moment, followed: &mut Followed) {
        let mut turned = self.bits[word] ^ bits;
        self.bits[word] = bits;
        while turned != 0 {
            let bit = turned & turned.wrapping_neg();
            turned ^= bit;
            let name = word * 64 + bit.trailing_zeros() as usize;
            let Self { is_missing, bound, .. } = *self;
            let from = std::mem::replace(&mut self.since[name], now);
            if bits & bit == 0 && now.at.saturating_sub(from.at) > bound {
                followed.mismatches.push(Mismatch { process, name, is_missing, from, to: now, bound });
            }
        }
    }
}
