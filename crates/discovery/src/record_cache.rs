//! Which records are known, and which have to be read: pure, with the time given.
//!
//! ```text
//!              taken                answered
//!   Due ──────────────▶ Reading ──────────────▶ Idle
//!    ▲                     │ another change       │ a change, a sweep
//!    └─────────────────────┴──────────────────────┘
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rand::{Rng, RngExt};
use tokio::time::Instant;
use zk_core::{ErrorKind, MAX_READS, Reading, Zxid};

/// About how large the answer to one read may become, in bytes.
const ANSWER: usize = 1024 * 1024;

/// What a record is expected to measure, in bytes, before one was read: as much as may be registered.
const EXPECTED: usize = instance::MAX_DATA;

/// The records of all names that are listed.
#[derive(Debug)]
pub(crate) struct RecordCache {
    entries: BTreeMap<String, Entry>,
    /// The same names and times as in the entries that are due.
    queue: BTreeSet<(Instant, String)>,
    /// Bytes that a record is expected to have which was never read.
    expected: usize,
    tickets: u64,
}

#[derive(Debug)]
struct Entry {
    /// What was read last, if that was of this life of the znode.
    known: Option<Known>,
    state: State,
}

#[derive(Clone, Copy, Debug)]
struct Known {
    /// The birth and the last write. The version would not do: it begins at 0 with each life.
    written: (Zxid, Zxid),
    length: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Idle,
    Due { at: Instant, why: Why },
    Reading { ticket: u64, why: Why, again: Option<Instant> },
}

/// Why a record is read. Where there are several reasons the greatest counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Why {
    /// To be sure: somebody would have told.
    Audit,
    /// Nobody would have told, for a while.
    Gap,
    /// It is new, or was written.
    News,
}

/// Records to be read together.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Batch {
    pub(crate) ticket: u64,
    pub(crate) names: Vec<String>,
}

/// What an answer means.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Nothing: the question was another one, or the record is the one that is known.
    Nothing,
    /// A record that is news; a surprise if somebody should have told.
    Record { data: Vec<u8>, surprise: bool },
    /// It may not be read; whether another life of it was.
    Denied { known: bool },
}

impl RecordCache {
    pub(crate) fn new() -> Self {
        Self { entries: BTreeMap::new(), queue: BTreeSet::new(), expected: EXPECTED, tickets: 0 }
    }

    /// A znode was created, or created anew.
    pub(crate) fn born(&mut self, name: &str, at: Instant) {
        match self.entries.get_mut(name) {
            // An answer that is still to come may be about the life before.
            Some(entry) => {
                entry.known = None;
                self.want(name, at, Why::News);
            }
            None => {
                self.queue.insert((at, name.to_owned()));
                let state = State::Due { at, why: Why::News };
                self.entries.insert(name.to_owned(), Entry { known: None, state });
            }
        }
    }

    /// A znode's data was written.
    pub(crate) fn written(&mut self, name: &str, at: Instant) {
        self.want(name, at, Why::News);
    }

    /// A znode was deleted.
    pub(crate) fn gone(&mut self, name: &str) {
        if let Some(Entry { state: State::Due { at, .. }, .. }) = self.entries.remove(name) {
            self.queue.remove(&(at, name.to_owned()));
        }
    }

    /// These are all that are listed.
    pub(crate) fn listed<'a>(&mut self, names: impl IntoIterator<Item = &'a str>, now: Instant) {
        let names: BTreeSet<&str> = names.into_iter().collect();
        let gone: Vec<_> =
            self.entries.keys().filter(|name| !names.contains(name.as_str())).cloned().collect();
        for name in gone {
            self.gone(&name);
        }
        for name in names {
            if !self.entries.contains_key(name) {
                self.born(name, now);
            }
        }
    }

    /// All are to be read again: in batches, spread over a time. Those that were never read go first.
    pub(crate) fn sweep(&mut self, now: Instant, within: Duration, why: Why, rng: &mut impl Rng) {
        let batches = self.entries.len().div_ceil(MAX_READS).max(1);
        let step = within / u32::try_from(batches).unwrap_or(u32::MAX);
        let names: Vec<_> = self.entries.keys().cloned().collect();
        for (batch, names) in names.chunks(MAX_READS).enumerate() {
            let batch = u32::try_from(batch).unwrap_or(u32::MAX);
            let at = now + step * batch + step.mul_f64(rng.random_range(0.0..1.0));
            for name in names {
                let Some(entry) = self.entries.get_mut(name) else { continue };
                if why == Why::Gap && matches!(entry.state, State::Reading { .. }) {
                    // The answer went with the connection.
                    entry.state = State::Idle;
                }
                let at = if why == Why::Gap && entry.known.is_none() { now } else { at };
                if !matches!(entry.state, State::Reading { .. }) {
                    self.want(name, at, why);
                }
            }
        }
    }

    /// A record is to be read, no later than `at`.
    fn want(&mut self, name: &str, at: Instant, why: Why) {
        let Some(entry) = self.entries.get_mut(name) else { return };
        match &mut entry.state {
            State::Idle => {
                entry.state = State::Due { at, why };
                self.queue.insert((at, name.to_owned()));
            }
            State::Due { at: due, why: reason } => {
                *reason = why.max(*reason);
                if at < *due {
                    self.queue.remove(&(*due, name.to_owned()));
                    self.queue.insert((at, name.to_owned()));
                    *due = at;
                }
            }
            State::Reading { again, .. } => *again = Some(again.map_or(at, |due| due.min(at))),
        }
    }

    /// When a znode was born whose record is known.
    pub(crate) fn birth(&self, name: &str) -> Option<Zxid> {
        Some(self.entries.get(name)?.known?.written.0)
    }

    /// When [`take`](Self::take) will have something to give.
    pub(crate) fn next_due(&self) -> Option<Instant> {
        self.queue.first().map(|(at, _)| *at)
    }

    /// What is to be read by now: at most so many, and not more than makes a sensible answer.
    pub(crate) fn take(&mut self, now: Instant, most: usize) -> Option<Batch> {
        let (mut names, mut bytes) = (Vec::new(), 0);
        let ticket = self.tickets + 1;
        while names.len() < most {
            let Some((at, name)) = self.queue.first() else { break };
            let Some(entry) = self.entries.get_mut(name) else { break };
            let length = entry.known.map_or(self.expected, |known| known.length);
            if *at > now || (!names.is_empty() && bytes + length > ANSWER) {
                break;
            }
            bytes += length;
            let why = if let State::Due { why, .. } = entry.state { why } else { Why::News };
            entry.state = State::Reading { ticket, why, again: None };
            names.extend(self.queue.pop_first().map(|(_, name)| name));
        }
        if names.is_empty() {
            return None;
        }
        self.tickets = ticket;
        Some(Batch { ticket, names })
    }

    /// The answer about one name of a batch; without one it is asked again, not before `retry`.
    pub(crate) fn answered(
        &mut self,
        ticket: u64,
        name: &str,
        reading: Option<Reading>,
        retry: Instant,
    ) -> Verdict {
        let Some(entry) = self.entries.get_mut(name) else { return Verdict::Nothing };
        let State::Reading { ticket: asked, why, again } = entry.state else { return Verdict::Nothing };
        if asked != ticket {
            return Verdict::Nothing;
        }
        entry.state = State::Idle;
        let verdict = match reading {
            Some(Ok((data, stat))) => {
                let before = entry.known;
                let written = (stat.czxid, stat.mzxid);
                entry.known = Some(Known { written, length: data.len() });
                // Up at once, down slowly: a few small ones among large ones must not deceive.
                self.expected = data.len().max(self.expected - self.expected / 64);
                match before {
                    Some(known) if known.written == written => Verdict::Nothing,
                    _ => {
                        let surprise = why == Why::Audit && again.is_none() && before.is_some();
                        Verdict::Record { data, surprise }
                    }
                }
            }
            Some(Err(ErrorKind::Denied)) => Verdict::Denied { known: entry.known.is_some() },
            // It is gone: an event says so, or is on its way.
            Some(Err(_)) => Verdict::Nothing,
            None => {
                self.want(name, retry, why);
                Verdict::Nothing
            }
        };
        if let Some(at) = again {
            self.want(name, at, Why::News);
        }
        verdict
    }
}

#[cfg(test)]
mod tests;
