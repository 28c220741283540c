//! All transactions of the ensemble, from which a server that comes back is made.

use std::collections::VecDeque;
use std::sync::Arc;
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
    /// How many transactions are in it.
    first: u64,
    entries: VecDeque<(Duration, Arc<Entry>)>,
}

impl Journal {
    pub(crate) fn new(base: Machine) -> Self {
        Self { base, first: 0, entries: VecDeque::new() }
    }

    /// How many transactions there have been.
    pub(crate) fn len(&self) -> u64 {
        self.first + self.entries.len() as u64
    }

    pub(crate) fn push(&mut self, at: Duration, entry: Arc<Entry>) {
        self.entries.push_back((at, entry));
    }

    /// Folds what is old, and what all servers have, into the base.
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

    /// A transaction by its place.
    #[allow(dead_code)]
    pub(crate) fn get(&self, place: u64) -> Option<&Arc<Entry>> {
        let index = usize::try_from(place.checked_sub(self.first)?).ok()?;
        self.entries.get(index).map(|(_, entry)| entry)
    }

    /// Forgets the transactions after a time.
    pub(crate) fn cut(&mut self, after: Duration) {
        while self.entries.back().is_some_and(|(at, _)| *at > after) {
            self.entries.pop_back();
        }
    }

    /// The server as it was after all transactions.
    pub(crate) fn replay(&self) -> Machine {
        let mut machine = self.base.clone();
        for (_, entry) in &self.entries {
            machine.apply(entry);
        }
        machine
    }
}
