//! All transactions of the ensemble, from which a server that comes back is made.

use std::collections::VecDeque;
use std::time::Duration;

use zk_embedded::machine::{Entry, Machine};

/// For how long a transaction is kept at least, so that an ensemble can come back with older data.
const KEPT: Duration = Duration::from_secs(600);
/// How many are kept in any case: below that it is not worth the while.
const FEW: usize = 4096;

#[derive(Debug)]
pub(crate) struct Journal {
    /// The server before all entries: without connections and watches.
    base: Machine,
    /// How many transactions there were before the first entry.
    first: u64,
    entries: VecDeque<(Duration, Entry)>,
}

impl Journal {
    /// Begins after so many transactions that are forgotten.
    pub(crate) fn new(base: Machine, first: u64) -> Self {
        Self { base, first, entries: VecDeque::new() }
    }

    /// How many transactions there have been.
    pub(crate) fn len(&self) -> u64 {
        self.first + self.entries.len() as u64
    }

    pub(crate) fn push(&mut self, at: Duration, entry: Entry) {
        self.entries.push_back((at, entry));
    }

    /// Folds what is old, and what all servers that are up have, into the base.
    pub(crate) fn fold(&mut self, now: Duration, applied: u64) {
        if self.entries.len() <= FEW {
            return;
        }
        let is_old = |(at, _): &(Duration, _)| *at + KEPT < now;
        while self.first < applied && self.entries.front().is_some_and(is_old) {
            if let Some((_, entry)) = self.entries.pop_front() {
                self.base.apply(&entry);
                self.first += 1;
            }
        }
    }

    /// The transaction after so many others.
    pub(crate) fn get(&self, place: u64) -> Option<&Entry> {
        let index = usize::try_from(place.checked_sub(self.first)?).ok()?;
        self.entries.get(index).map(|(_, entry)| entry)
    }

    /// The server as it was at a time.
    pub(crate) fn at(&self, time: Duration) -> Machine {
        let mut machine = self.base.clone();
        for (_, entry) in self.entries.iter().take_while(|(at, _)| *at <= time) {
            machine.apply(entry);
        }
        machine
    }

    /// The server as it is after all transactions.
    pub(crate) fn replay(&self) -> Machine {
        self.at(Duration::MAX)
    }
}
