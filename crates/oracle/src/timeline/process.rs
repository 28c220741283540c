//! What one process was, wanted, said and saw.

use std::collections::BTreeMap;
use std::time::Duration;

use super::moment::Moment;
use crate::history::{Data, LinkPhase, Shown, Stated};

/// A process of the fleet, or another owner of sessions.
#[derive(Debug)]
pub(crate) struct Process<'a> {
    pub(crate) name: &'a str,
    /// One for each start, in order.
    pub(crate) lives: Vec<Life>,
    pub(crate) links: Vec<LinkRecord>,
    pub(crate) views: Vec<ViewRecord<'a>>,
    /// By instance, in order.
    pub(crate) wants: BTreeMap<usize, Vec<Want<'a>>>,
    /// By instance, in order.
    pub(crate) statuses: BTreeMap<usize, Vec<StatusSpan<'a>>>,
    pub(crate) requests: Vec<(Moment, u64)>,
    pub(crate) usage: Vec<UsageRecord>,
    /// When its sessions began.
    pub(crate) sessions: Vec<(Moment, i64)>,
    /// Whether its view reads records: it has shown who wrote one.
    pub(crate) reads_records: bool,
    /// Whether it was ever started: other owners of sessions, such as a rival, are not.
    pub(crate) is_of_fleet: bool,
}

/// From a start to an end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Life {
    pub(crate) from: Moment,
    pub(crate) to: Option<Moment>,
    /// The status of its end; `None` if it was killed.
    pub(crate) status: Option<i32>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct LinkRecord {
    pub(crate) moment: Moment,
    pub(crate) phase: LinkPhase,
}

#[derive(Debug)]
pub(crate) struct ViewRecord<'a> {
    pub(crate) moment: Moment,
    pub(crate) life: usize,
    pub(crate) live: bool,
    pub(crate) revision: Option<u64>,
    /// By instance, in the order of their endpoints.
    pub(crate) shown: Vec<(usize, &'a Shown)>,
    /// The same as a set, and those of it that are held: a bit for each name.
    pub(crate) set: Vec<u64>,
    pub(crate) held: Vec<u64>,
}

/// An instance is wanted, from the first time on until it is not or the process ends.
#[derive(Debug)]
pub(crate) struct Want<'a> {
    pub(crate) life: usize,
    pub(crate) from: Moment,
    pub(crate) to: Option<Moment>,
    /// The records that were wanted, in order.
    pub(crate) data: Vec<(Moment, &'a Data)>,
}

/// What a registration says until it says something else or the process ends.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StatusSpan<'a> {
    pub(crate) life: usize,
    pub(crate) from: Moment,
    pub(crate) to: Option<Moment>,
    pub(crate) status: &'a Stated,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct UsageRecord {
    pub(crate) moment: Moment,
    pub(crate) fds: u64,
    pub(crate) cpu: Duration,
    pub(crate) log_lines: u64,
}

impl<'a> Process<'a> {
    pub(super) fn new(name: &'a str) -> Self {
        Self {
            name,
            lives: Vec::new(),
            links: Vec::new(),
            views: Vec::new(),
            wants: BTreeMap::new(),
            statuses: BTreeMap::new(),
            requests: Vec::new(),
            usage: Vec::new(),
            sessions: Vec::new(),
            reads_records: false,
            is_of_fleet: false,
        }
    }

    pub(super) fn spawned(&mut self, now: Moment) {
        self.end_life(None, now);
        self.is_of_fleet = true;
        self.lives.push(Life { from: now, to: None, status: None });
    }

    pub(super) fn exited(&mut self, status: Option<i32>, now: Moment) {
        self.life(now);
        self.end_life(status, now);
    }

    fn end_life(&mut self, status: Option<i32>, now: Moment) {
        let Some(life) = self.lives.last_mut().filter(|life| life.to.is_none()) else { return };
        (life.to, life.status) = (Some(now), status);
        for want in self.wants.values_mut().filter_map(|wants| wants.last_mut()) {
            want.to.get_or_insert(now);
        }
        for status in self.statuses.values_mut().filter_map(|statuses| statuses.last_mut()) {
            status.to.get_or_insert(now);
        }
    }

    /// The number of the life that goes on; it begins here if no start was recorded.
    fn life(&mut self, now: Moment) -> usize {
        if self.lives.last().is_none_or(|life| life.to.is_some()) {
            self.lives.push(Life { from: now, to: None, status: None });
        }
        self.lives.len() - 1
    }

    pub(super) fn wanted(&mut self, name: usize, data: &'a Data, now: Moment) {
        let life = self.life(now);
        let wants = self.wants.entry(name).or_default();
        match wants.last_mut() {
            Some(want) if want.to.is_none() => want.data.push((now, data)),
            _ => wants.push(Want { life, from: now, to: None, data: vec![(now, data)] }),
        }
    }

    pub(super) fn unwanted(&mut self, name: usize, now: Moment) {
        if let Some(want) = self.wants.get_mut(&name).and_then(|wants| wants.last_mut()) {
            want.to.get_or_insert(now);
        }
    }

    pub(super) fn says(&mut self, name: usize, status: &'a Stated, now: Moment) {
        let life = self.life(now);
        let statuses = self.statuses.entry(name).or_default();
        if let Some(before) = statuses.last_mut() {
            before.to.get_or_insert(now);
        }
        statuses.push(StatusSpan { life, from: now, to: None, status });
    }

    pub(super) fn shows(
        &mut self,
        live: bool,
        revision: Option<u64>,
        shown: Vec<(usize, &'a Shown)>,
        now: Moment,
    ) {
        let life = self.life(now);
        self.reads_records |= shown.iter().any(|(_, shown)| shown.incarnation.is_some());
        self.views.push(ViewRecord {
            moment: now,
            life,
            live,
            revision,
            shown,
            set: Vec::new(),
            held: Vec::new(),
        });
    }

    /// Processes of histories without starts belong to the fleet, if they do what it does.
    pub(super) fn close(&mut self, words: usize) {
        self.is_of_fleet |= !self.lives.is_empty();
        for view in &mut self.views {
            (view.set, view.held) = (vec![0; words], vec![0; words]);
            for (name, shown) in &view.shown {
                let (word, bit) = (name / 64, 1 << (name % 64));
                view.set[word] |= bit;
                view.held[word] |= if shown.held { bit } else { 0 };
            }
        }
    }

    /// Whether it runs at the end.
    pub(crate) fn is_running(&self) -> bool {
        self.lives.last().is_some_and(|life| life.to.is_none())
    }

    /// The life in which a record of this place was made.
    pub(crate) fn life_at(&self, index: usize) -> Option<usize> {
        let life = self.lives.partition_point(|life| life.from.index <= index).checked_sub(1)?;
        self.lives[life].to.is_none_or(|to| index <= to.index).then_some(life)
    }

    /// The want of an instance that was in force at this place.
    pub(crate) fn want_at(&self, name: usize, index: usize) -> Option<&Want<'a>> {
        let wants = self.wants.get(&name)?;
        let want = wants.partition_point(|want| want.from.index < index).checked_sub(1)?;
        let want = &wants[want];
        want.to.is_none_or(|to| index < to.index).then_some(want)
    }

    /// The session that was its latest at this place.
    pub(crate) fn session_at(&self, index: usize) -> Option<i64> {
        let session = self.sessions.partition_point(|(from, _)| from.index <= index).checked_sub(1)?;
        Some(self.sessions[session].1)
    }

    /// The phase of its link at this place, and since when.
    pub(crate) fn link_at(&self, index: usize) -> Option<&LinkRecord> {
        let link = self.links.partition_point(|link| link.moment.index <= index).checked_sub(1)?;
        self.links.get(link)
    }

    /// The views of one life.
    pub(crate) fn views_of(&self, life: usize) -> &[ViewRecord<'a>] {
        let first = self.views.partition_point(|view| view.life < life);
        let end = self.views.partition_point(|view| view.life <= life);
        &self.views[first..end]
    }
}

impl ViewRecord<'_> {
    pub(crate) fn shows(&self, name: usize) -> bool {
        self.set[name / 64] & (1 << (name % 64)) != 0
    }

    pub(crate) fn holds(&self, name: usize) -> bool {
        self.held[name / 64] & (1 << (name % 64)) != 0
    }
}

impl Life {
    pub(crate) fn end(&self, end: Moment) -> Moment {
        self.to.unwrap_or(end)
    }
}

impl<'a> Want<'a> {
    /// The record that was wanted last.
    pub(crate) fn latest(&self) -> Option<&'a Data> {
        self.data.last().map(|(_, data)| *data)
    }
}
