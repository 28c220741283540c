//! Which faults were in force when, and for whom.

use std::collections::BTreeMap;
use std::time::Duration;

use super::harm::Harm;
use super::moment::Moment;

/// All faults, in order.
#[derive(Debug, Default)]
pub(crate) struct Faults<'a> {
    pub(crate) all: Vec<FaultSpan<'a>>,
    by_id: BTreeMap<u32, usize>,
}

/// A fault.
#[derive(Debug)]
pub(crate) struct FaultSpan<'a> {
    pub(crate) kind: &'a str,
    pub(crate) harm: Harm,
    /// Whom it concerns; `None` for all.
    pub(crate) process: Option<usize>,
    pub(crate) from: Moment,
    /// When it was over: at the heal at the latest.
    pub(crate) to: Duration,
    pub(crate) took_effect: Option<Duration>,
    is_over: bool,
}

impl<'a> Faults<'a> {
    pub(super) fn began(&mut self, id: u32, kind: &'a str, process: Option<usize>, now: Moment) {
        self.by_id.insert(id, self.all.len());
        let harm = Harm::of(kind);
        let fault =
            FaultSpan { kind, harm, process, from: now, to: now.at, took_effect: None, is_over: false };
        self.all.push(fault);
    }

    pub(super) fn took_effect(&mut self, id: u32, now: Moment) {
        if let Some(fault) = self.get(id) {
            fault.took_effect = Some(now.at);
            fault.to = fault.to.max(now.at);
        }
    }

    pub(super) fn over(&mut self, id: u32, now: Moment) {
        if let Some(fault) = self.get(id) {
            fault.to = fault.to.max(now.at);
            fault.is_over = true;
        }
    }

    /// What was not said to be over is over when all is healed.
    pub(super) fn close(&mut self, healed: Moment, end: Moment) {
        for fault in self.all.iter_mut().filter(|fault| !fault.is_over) {
            let last = if fault.from > healed { end } else { healed };
            fault.to = fault.to.max(last.at);
        }
    }

    fn get(&mut self, id: u32) -> Option<&mut FaultSpan<'a>> {
        self.all.get_mut(*self.by_id.get(&id)?)
    }
}

impl FaultSpan<'_> {
    /// From when on it may break something; `None` if it never did.
    pub(crate) fn since(&self) -> Option<Duration> {
        if self.harm.waits { self.took_effect } else { Some(self.from.at) }
    }

    /// Whether it concerns a process: alone, or as one of all.
    pub(crate) fn concerns(&self, process: usize) -> bool {
        self.process.is_none_or(|concerned| concerned == process)
    }
}
