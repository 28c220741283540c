//! What stood in ZooKeeper when.

use std::time::Duration;

use super::moment::Moment;
use crate::history::{By, Data, Znode};

/// The children of the root, from the first record to the last.
#[derive(Debug, Default)]
pub(crate) struct Truth<'a> {
    /// By name, each in order: from its creation to its deletion.
    pub(crate) tenures: Vec<Vec<Tenure<'a>>>,
    /// Every set that there was, in order; the first is the empty one.
    pub(crate) positions: Vec<Position>,
    /// Which names were there at each position: a bit for each name, a row for each position.
    bits: Vec<u64>,
    /// How many words a row has.
    pub(crate) words: usize,
    /// When the observer did not see the ensemble.
    pub(crate) unseen: Vec<(Moment, Moment)>,
    toggles: Vec<Toggle>,
    lost_sight: Option<Moment>,
    last_zxid: Option<i64>,
}

/// A znode, from its creation to its deletion.
#[derive(Debug)]
pub(crate) struct Tenure<'a> {
    pub(crate) from: Moment,
    pub(crate) to: Option<Moment>,
    pub(crate) czxid: i64,
    pub(crate) session: Option<i64>,
    /// Who created it; the process, if it was one.
    pub(crate) by: (&'a By, Option<usize>),
    /// What it had when it was created.
    pub(crate) data: &'a Data,
    pub(crate) writes: Vec<Write<'a>>,
    pub(crate) ending: Ending,
}

/// A write of a znode's data.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Write<'a> {
    pub(crate) zxid: i64,
    pub(crate) moment: Moment,
    pub(crate) data: &'a Data,
    pub(crate) by_process: Option<usize>,
}

/// How a znode ended.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Ending {
    /// It has not.
    Standing,
    /// Somebody deleted it, in this transaction; the process, if it was one.
    Deleted { zxid: i64, by_process: Option<usize> },
    /// The ensemble came back without it.
    Restored,
}

/// A set of children that a list could have returned.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Position {
    /// When it came to be: the last record of its transaction.
    pub(crate) moment: Moment,
}

#[derive(Debug)]
struct Toggle {
    position: usize,
    name: usize,
    is_there: bool,
}

static NOTHING: By = By::Unknown;

impl<'a> Truth<'a> {
    pub(super) fn created(
        &mut self,
        (zxid, now): (i64, Moment),
        name: usize,
        znode: &'a Znode,
        by: (&'a By, Option<usize>),
    ) {
        if let Some(standing) = self.standing(name) {
            // Its deletion was not seen.
            (standing.to, standing.ending) = (Some(now), Ending::Restored);
        }
        let Znode { czxid, session, data } = znode;
        let tenure = Tenure {
            from: now,
            to: None,
            czxid: *czxid,
            session: *session,
            by,
            data,
            writes: Vec::new(),
            ending: Ending::Standing,
        };
        self.tenures_of(name).push(tenure);
        self.moved(zxid, now);
        self.toggled(name, true);
    }

    pub(super) fn written(
        &mut self,
        (zxid, now): (i64, Moment),
        name: usize,
        data: &'a Data,
        by_process: Option<usize>,
    ) {
        if let Some(standing) = self.standing(name) {
            standing.writes.push(Write { zxid, moment: now, data, by_process });
        }
    }

    pub(super) fn deleted(&mut self, (zxid, now): (i64, Moment), name: usize, by_process: Option<usize>) {
        let Some(standing) = self.standing(name) else { return };
        standing.to = Some(now);
        standing.ending = Ending::Deleted { zxid, by_process };
        self.moved(zxid, now);
        self.toggled(name, false);
    }

    pub(super) fn restored(&mut self, (zxid, now): (i64, Moment), children: &[(usize, &'a Znode)]) {
        // It is a set of its own, whatever its transaction.
        self.last_zxid = None;
        self.moved(zxid, now);
        self.last_zxid = None;
        for name in 0..self.tenures.len() {
            let is_left = |standing: &Tenure<'_>| {
                children.iter().any(|(left, znode)| *left == name && znode.czxid == standing.czxid)
            };
            if let Some(standing) = self.standing(name)
                && !is_left(standing)
            {
                (standing.to, standing.ending) = (Some(now), Ending::Restored);
                self.toggled(name, false);
            }
        }
        for (name, znode) in children {
            match self.standing(*name) {
                Some(standing) if *standing.latest() != znode.data => {
                    standing.writes.push(Write { zxid, moment: now, data: &znode.data, by_process: None });
                }
                Some(_) => {}
                None => {
                    let Znode { czxid, session, data } = *znode;
                    let tenure = Tenure {
                        from: now,
                        to: None,
                        czxid: *czxid,
                        session: *session,
                        by: (&NOTHING, None),
                        data,
                        writes: Vec::new(),
                        ending: Ending::Standing,
                    };
                    self.tenures_of(*name).push(tenure);
                    self.toggled(*name, true);
                }
            }
        }
    }

    pub(super) fn sight(&mut self, known: bool, now: Moment) {
        match (known, self.lost_sight) {
            (false, None) => self.lost_sight = Some(now),
            (true, Some(since)) => {
                self.unseen.push((since, now));
                self.lost_sight = None;
            }
            _ => {}
        }
    }

    /// Another set begins, unless it belongs to the same transaction.
    fn moved(&mut self, zxid: i64, now: Moment) {
        if self.positions.is_empty() {
            self.positions.push(Position { moment: Moment::default() });
        }
        match self.positions.last_mut() {
            Some(last) if self.last_zxid == Some(zxid) => last.moment = now,
            _ => self.positions.push(Position { moment: now }),
        }
        self.last_zxid = Some(zxid);
    }

    fn toggled(&mut self, name: usize, is_there: bool) {
        self.toggles.push(Toggle { position: self.positions.len() - 1, name, is_there });
    }

    fn tenures_of(&mut self, name: usize) -> &mut Vec<Tenure<'a>> {
        if self.tenures.len() <= name {
            self.tenures.resize_with(name + 1, Vec::new);
        }
        &mut self.tenures[name]
    }

    fn standing(&mut self, name: usize) -> Option<&mut Tenure<'a>> {
        self.tenures_of(name).last_mut().filter(|tenure| tenure.to.is_none())
    }

    pub(super) fn close(&mut self, names: usize, end: Moment) {
        if self.positions.is_empty() {
            self.positions.push(Position { moment: Moment::default() });
        }
        self.tenures.resize_with(names, Vec::new);
        if let Some(since) = self.lost_sight {
            self.unseen.push((since, end));
        }
        self.words = names.div_ceil(64).max(1);
        self.bits = vec![0; self.words * self.positions.len()];
        let mut row = vec![0; self.words];
        let mut toggles = self.toggles.iter().peekable();
        for position in 0..self.positions.len() {
            while let Some(toggle) = toggles.next_if(|toggle| toggle.position == position) {
                let (word, bit) = (toggle.name / 64, 1 << (toggle.name % 64));
                if toggle.is_there { row[word] |= bit } else { row[word] &= !bit }
            }
            self.bits[position * self.words..][..self.words].copy_from_slice(&row);
        }
    }

    /// Which names were there at a position.
    pub(crate) fn row(&self, position: usize) -> &[u64] {
        &self.bits[position * self.words..][..self.words]
    }

    /// The last position that is not later than the record of this place.
    pub(crate) fn position_at(&self, index: usize) -> usize {
        self.positions.partition_point(|position| position.moment.index <= index).saturating_sub(1)
    }

    /// The last position that is not later than this time.
    pub(crate) fn position_by(&self, at: Duration) -> usize {
        self.positions.partition_point(|position| position.moment.at <= at).saturating_sub(1)
    }

    /// The znode that stood at this place.
    pub(crate) fn at(&self, name: usize, index: usize) -> Option<&Tenure<'a>> {
        let tenures = &self.tenures[name];
        let tenure = &tenures[tenures.partition_point(|tenure| tenure.from.index <= index).checked_sub(1)?];
        tenure.to.is_none_or(|to| index < to.index).then_some(tenure)
    }

    /// The last znode that was created by the record of this place, whether it still stood or not.
    pub(crate) fn last_at(&self, name: usize, index: usize) -> Option<&Tenure<'a>> {
        let tenures = &self.tenures[name];
        tenures.get(tenures.partition_point(|tenure| tenure.from.index <= index).checked_sub(1)?)
    }

    /// Whether the ensemble was seen all the time.
    pub(crate) fn is_seen(&self, from: Duration, to: Duration) -> bool {
        !self.unseen.iter().any(|(since, until)| since.at <= to && from <= until.at)
    }
}

impl<'a> Tenure<'a> {
    /// What it has at last.
    pub(crate) fn latest(&self) -> &'a Data {
        self.writes.last().map_or(self.data, |write| write.data)
    }

    /// Whether its deletion was told: the same transaction wrote it.
    pub(crate) fn is_told(&self) -> bool {
        match self.ending {
            Ending::Deleted { zxid, .. } => self.writes.last().is_some_and(|write| write.zxid == zxid),
            _ => false,
        }
    }
}
