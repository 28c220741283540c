//! Counts what was reported about the children of a root, and compares it with what the root's stat shows.
//!
//! The `cversion` of a stat is the number of children created, plus the number deleted, since the znode was created. So
//! its difference to the number of such events is a constant of a root's life, as long as none is missed.
//!
//! An event that came before a reply may be later than the reply: the queue of events runs ahead. So a reply decides
//! only if no event came during its round trip, or if the events name their transactions (ZooKeeper 3.9 and later): then
//! the `pzxid` of the stat shows which of them it includes.
//!
//! An ensemble that comes back with older data may arrive at the same number by other changes. So where nothing was
//! reported since the last quiet round trip the `pzxid`, the transaction of the last change, must be the same, too, and it
//! never goes back.

use tracing::trace;
use zk_core::{Stat, Zxid};

/// How many events of one round trip are remembered with their transactions.
const REMEMBERED: usize = 16_384;

/// What a stat says about the events so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Everything since the base was reported.
    Whole,
    /// Something was missed, or the root cannot be counted. The base is a new one.
    Mismatch,
    /// There was no exact base, and now there is one.
    Learned,
    /// Events came during the round trip: ask again.
    Undecided,
}

impl Verdict {
    fn name(self) -> &'static str {
        match self {
            Self::Whole => "whole",
            Self::Mismatch => "mismatch",
            Self::Learned => "learned",
            Self::Undecided => "undecided",
        }
    }
}

/// What the root is known to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Base {
    Unknown,
    /// It does not exist.
    Absent,
    Present(Life),
    /// Its counter has reached the end, and stays there.
    Stuck,
}

/// The life of a root, from its creation to its deletion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Life {
    /// The root's identity. `None` if an event without its transaction has reported the creation.
    czxid: Option<Zxid>,
    offset: Range,
}

/// What the offset, `cversion` less the events reported, may be: `least`, or up to `more` above it. All arithmetic wraps,
/// as the counter does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Range {
    least: i32,
    more: u32,
}

impl Range {
    fn exactly(offset: i32) -> Self {
        Self { least: offset, more: 0 }
    }

    fn is_exact(self) -> bool {
        self.more == 0
    }

    /// What both allow.
    fn intersection(self, other: Self) -> Option<Self> {
        let start = i64::from(other.least.wrapping_sub(self.least));
        let least = start.max(0);
        let most = i64::from(self.more).min(start + i64::from(other.more));
        let more = u32::try_from(most - least).ok()?;
        // `least` is at most `more`, and so within 32 bits.
        Some(Self { least: self.least.wrapping_add(least as i32), more })
    }
}

/// The round trip of a request whose reply has a stat of the root.
#[derive(Debug)]
struct Trip {
    /// How many changes had been reported when the request was sent.
    sent: i32,
    /// The transactions of the changes since then; `None` if an event did not name it, or they are too many.
    zxids: Option<Vec<Zxid>>,
    /// The root was created or deleted since then.
    root_changed: bool,
}

#[derive(Debug)]
pub(crate) struct Count {
    /// How many children were reported as created or deleted.
    reported: i32,
    base: Base,
    /// The base is exact: a quiet round trip has shown it. (Ranges may shrink to one value without that, and then hide
    /// an event that was missed in between.)
    proven: bool,
    trip: Option<Trip>,
    last: Option<Quiet>,
}

/// What the last quiet round trip has shown, and what events with their transactions have made of it.
#[derive(Clone, Copy, Debug)]
struct Quiet {
    czxid: Zxid,
    pzxid: Zxid,
    /// How many changes had been reported then.
    reported: i32,
}

impl Quiet {
    /// A change is reported with its transaction, after so many others: the next quiet round trip shows this one.
    fn follow(&mut self, reported: i32, zxid: Zxid) {
        if self.reported == reported {
            (self.reported, self.pzxid) = (reported.wrapping_add(1), self.pzxid.max(zxid));
        }
    }

    /// Whether a later quiet round trip of the same root may show what `now` does.
    fn may_become(&self, now: &Self) -> bool {
        let is_same_root = self.czxid == now.czxid;
        let nothing_reported = self.reported == now.reported;
        !is_same_root || if nothing_reported { self.pzxid == now.pzxid } else { self.pzxid <= now.pzxid }
    }
}

impl Count {
    pub(crate) fn new() -> Self {
        Self { reported: 0, base: Base::Unknown, proven: false, trip: None, last: None }
    }

    /// Nothing is known any more.
    pub(crate) fn reset(&mut self) {
        let from = self.name();
        *self = Self::new();
        self.arrow(from, "reset");
    }

    /// The name of what is known.
    fn name(&self) -> &'static str {
        match self.base {
            Base::Unknown => "unknown",
            Base::Absent => "absent",
            Base::Present(Life { czxid: None, .. }) => "unnamed",
            Base::Present(_) if self.proven => "exact",
            Base::Present(_) => "range",
            Base::Stuck => "stuck",
        }
    }

    fn arrow(&self, from: &'static str, on: &'static str) {
        trace!(target: "arrow", machine = "count", from, on, to = self.name());
    }

    /// A child was reported as created or deleted.
    pub(crate) fn child_changed(&mut self, zxid: Option<Zxid>) {
        if let (Some(last), Some(zxid)) = (&mut self.last, zxid) {
            last.follow(self.reported, zxid);
        }
        self.reported = self.reported.wrapping_add(1);
        if let Some(trip) = &mut self.trip {
            match (&mut trip.zxids, zxid) {
                (Some(zxids), Some(zxid)) if zxids.len() < REMEMBERED => zxids.push(zxid),
                _ => trip.zxids = None,
            }
        }
    }

    /// Whether the transaction of the last change is known, so that the next stat tells older data with as many changes apart.
    pub(crate) fn knows_last_change(&self) -> bool {
        self.is_absent() || self.last.is_some_and(|last| last.reported == self.reported)
    }

    /// Whether the root is known not to exist: its end was reported, or a stat has shown it.
    pub(crate) fn is_absent(&self) -> bool {
        self.base == Base::Absent
    }

    /// The root was reported as created: a life begins, in which nothing has been changed yet.
    pub(crate) fn root_created(&mut self, zxid: Option<Zxid>) {
        let from = self.name();
        let offset = Range::exactly(self.reported.wrapping_neg());
        self.root_changed(Base::Present(Life { czxid: zxid, offset }));
        self.arrow(from, "root_created");
    }

    /// The root was reported as deleted.
    pub(crate) fn root_deleted(&mut self) {
        let from = self.name();
        self.root_changed(Base::Absent);
        self.arrow(from, "root_deleted");
    }

    fn root_changed(&mut self, base: Base) {
        (self.base, self.proven) = (base, true);
        if let Some(trip) = &mut self.trip {
            trip.root_changed = true;
        }
    }

    /// The watch has ended: what follows is not reported. Only a root whose identity is known can be found again.
    pub(crate) fn watch_ended(&mut self) {
        let from = self.name();
        self.trip = None;
        if let Base::Present(Life { czxid: None, .. }) = self.base {
            self.base = Base::Unknown;
        }
        self.arrow(from, "watch_ended");
    }

    /// Whether an exact base is missing, and a stat may give one.
    pub(crate) fn wants_base(&self) -> bool {
        match self.base {
            Base::Unknown => true,
            Base::Present(life) => life.czxid.is_none() || !self.proven,
            Base::Absent | Base::Stuck => false,
        }
    }

    /// A request whose reply has a stat of the root is being sent.
    pub(crate) fn send(&mut self) {
        self.trip = Some(Trip { sent: self.reported, zxids: Some(Vec::new()), root_changed: false });
    }

    /// Its reply has come, and everything that was reported before it has been counted.
    pub(crate) fn reply(&mut self, stat: Option<&Stat>) -> Verdict {
        let from = self.name();
        let verdict = match self.trip.take() {
            Some(trip) if !trip.root_changed => match stat {
                Some(stat) => self.present(&trip, stat),
                None => self.absent(),
            },
            _ => Verdict::Undecided,
        };
        self.arrow(from, verdict.name());
        verdict
    }

    fn absent(&mut self) -> Verdict {
        let before = std::mem::replace(&mut self.base, Base::Absent);
        self.proven = true;
        match before {
            Base::Absent => Verdict::Whole,
            Base::Unknown => Verdict::Learned,
            Base::Present(_) | Base::Stuck => Verdict::Mismatch,
        }
    }

    fn present(&mut self, trip: &Trip, stat: &Stat) -> Verdict {
        if is_stuck(stat) {
            self.base = Base::Stuck;
            return Verdict::Mismatch;
        }
        let seen = self.offset(trip, stat);
        let is_older = self.is_older(trip, stat);
        let czxid = Some(stat.czxid);
        let rebase = Life { czxid, offset: seen };
        let is_quiet = self.reported == trip.sent;
        let Base::Present(life) = self.base else {
            let was_unknown = self.base == Base::Unknown;
            (self.base, self.proven) = (Base::Present(rebase), seen.is_exact());
            self.last = self.last.filter(|_| is_quiet);
            return match (was_unknown, seen.is_exact()) {
                (true, true) => Verdict::Learned,
                (true, false) => Verdict::Undecided,
                (false, _) => Verdict::Mismatch,
            };
        };
        let is_another = life.czxid.is_some() && life.czxid != czxid || is_older;
        match life.offset.intersection(seen).filter(|_| !is_another) {
            None => {
                (self.base, self.proven) = (Base::Present(rebase), seen.is_exact());
                // What was missed before is missed by a new base only once.
                self.last = self.last.filter(|_| is_quiet);
                Verdict::Mismatch
            }
            Some(offset) if !seen.is_exact() => {
                self.base = Base::Present(Life { offset, ..life });
                Verdict::Undecided
            }
            Some(offset) => {
                self.base = Base::Present(Life { czxid, offset });
                if std::mem::replace(&mut self.proven, true) { Verdict::Whole } else { Verdict::Learned }
            }
        }
    }

    /// Whether a quiet round trip shows other data than those that were followed: older ones, or what has become of them.
    fn is_older(&mut self, trip: &Trip, stat: &Stat) -> bool {
        if self.reported != trip.sent {
            return false;
        }
        let now = Quiet { czxid: stat.czxid, pzxid: stat.pzxid, reported: self.reported };
        self.last.replace(now).is_some_and(|last| !last.may_become(&now))
    }

    /// The offset that a stat shows: exact if it is known which events it includes.
    fn offset(&self, trip: &Trip, stat: &Stat) -> Range {
        let at_least = Range::exactly(stat.cversion.wrapping_sub(self.reported));
        let came = self.reported.wrapping_sub(trip.sent) as u32;
        match &trip.zxids {
            Some(zxids) => {
                let later = zxids.iter().filter(|zxid| **zxid > stat.pzxid).count();
                Range { least: at_least.least.wrapping_add(later as i32), more: 0 }
            }
            None => Range { more: came, ..at_least },
        }
    }
}

/// Apache ZooKeeper counts creations, and shows twice that number less the children that there are. Its counter stays at
/// its greatest value.
fn is_stuck(stat: &Stat) -> bool {
    stat.cversion.wrapping_add(stat.num_children) == i32::MAX.wrapping_mul(2)
}

#[cfg(test)]
mod tests;
