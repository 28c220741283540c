//! Which records are known, and which are to be read next. Pure: no I/O, and the caller passes the time.
//!
//! ```text
//!              taken                reply
//!   Due ──────────────▶ Reading ──────────────▶ Idle
//!    ▲                     │ another change       │ a change, a reread
//!    └─────────────────────┴──────────────────────┘
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hasher};
use std::sync::Arc;
use std::time::Duration;

use rand::{Rng, RngExt};
use tokio::time::Instant;
use zk_core::{ErrorKind, MAX_READS, Reading, Zxid};

/// Roughly how large the reply to one read may become, in bytes.
const REPLY_SIZE: usize = 1024 * 1024;

/// The expected size of a record, in bytes, before the first was read: as much as may be registered.
const EXPECTED_SIZE: usize = instance::MAX_DATA;

/// The records of the znodes whose records are read.
#[derive(Debug)]
pub(crate) struct RecordCache {
    entries: BTreeMap<Arc<str>, Entry>,
    /// The same names and times as in the entries that are due.
    queue: BTreeSet<(Instant, Arc<str>)>,
    /// The expected size of a record that was never read, in bytes.
    expected_size: usize,
    /// The ticket of the last batch.
    last_ticket: u64,
}

#[derive(Debug)]
struct Entry {
    /// The record that was read last, unless the znode was created again since.
    known: Option<Known>,
    stage: Stage,
}

#[derive(Clone, Copy, Debug)]
struct Known {
    /// The zxids of the creation and of the last write. The version would not do: it begins at 0 again with each
    /// creation.
    zxids: (Zxid, Zxid),
    size: usize,
    /// An ensemble that came back with older data uses zxids anew, for other data.
    digest: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// The record needs no read, as far as is known.
    Idle,
    /// The record is to be read at this time.
    Due { at: Instant, reason: ReadReason },
    /// A read is under way; `again` if the znode was written since it began.
    Reading { ticket: u64, reason: ReadReason, again: Option<Instant> },
}

/// Why a record is read. Of several reasons the greatest counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum ReadReason {
    /// An audit compares all records. A change that it finds is a mismatch: its event is missing.
    Audit,
    /// There was no watch for a while, so events may be missing.
    Resync,
    /// The znode was created or written.
    Changed,
}

/// Records to be read by one request.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Batch {
    pub(crate) ticket: u64,
    pub(crate) names: Vec<String>,
}

/// What the reply for one record means.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Nothing changes: the read is outdated, or the record is the known one.
    Nothing,
    /// A new record, and the zxid of the znode's creation; a mismatch if the watch should have sent an event for it.
    Record { data: Vec<u8>, czxid: Zxid, mismatch: bool },
    /// The record may not be read; `known` if it was read before.
    Denied { known: bool },
}

impl RecordCache {
    pub(crate) fn new() -> Self {
        Self {
            entries: BTreeMap::new(),
            queue: BTreeSet::new(),
            expected_size: EXPECTED_SIZE,
            last_ticket: 0,
        }
    }

    /// A znode was created, perhaps again.
    pub(crate) fn created(&mut self, name: &Arc<str>, at: Instant) {
        let entry = self.entries.entry(Arc::clone(name)).or_insert(Entry { known: None, stage: Stage::Idle });
        // The reply to a read that is under way may be about the znode before.
        entry.known = None;
        self.schedule(name, at, ReadReason::Changed);
    }

    /// A znode's data was written.
    pub(crate) fn written(&mut self, name: &str, at: Instant) {
        if let Some((name, _)) = self.entries.get_key_value(name) {
            self.schedule(&Arc::clone(name), at, ReadReason::Changed);
        }
    }

    /// A znode was deleted.
    pub(crate) fn deleted(&mut self, name: &str) {
        if let Some((name, entry)) = self.entries.remove_entry(name)
            && let Stage::Due { at, .. } = entry.stage
        {
            self.queue.remove(&(at, name));
        }
    }

    /// Schedules a read of every record, in batches spread over `within`. After a resync, records that were never
    /// read come first.
    pub(crate) fn reread_all(
        &mut self,
        now: Instant,
        within: Duration,
        reason: ReadReason,
        rng: &mut impl Rng,
    ) {
        let batches = self.entries.len().div_ceil(MAX_READS).max(1);
        let step = within / u32::try_from(batches).unwrap_or(u32::MAX);
        let names: Vec<_> = self.entries.keys().cloned().collect();
        for (batch, names) in names.chunks(MAX_READS).enumerate() {
            let batch = u32::try_from(batch).unwrap_or(u32::MAX);
            let at = now + step * batch + step.mul_f64(rng.random_range(0.0..1.0));
            for name in names {
                let Some(entry) = self.entries.get_mut(name) else { continue };
                if reason == ReadReason::Resync && matches!(entry.stage, Stage::Reading { .. }) {
                    // The reply was lost with the connection.
                    entry.stage = Stage::Idle;
                }
                let at = if reason == ReadReason::Resync && entry.known.is_none() { now } else { at };
                if !matches!(entry.stage, Stage::Reading { .. }) {
                    self.schedule(name, at, reason);
                }
            }
        }
    }

    /// Schedules a read of a record, at `at` or earlier.
    fn schedule(&mut self, name: &Arc<str>, at: Instant, reason: ReadReason) {
        let Some(entry) = self.entries.get_mut(name) else { return };
        match &mut entry.stage {
            Stage::Idle => {
                entry.stage = Stage::Due { at, reason };
                self.queue.insert((at, Arc::clone(name)));
            }
            Stage::Due { at: due, reason: present } => {
                *present = reason.max(*present);
                if at < *due {
                    self.queue.remove(&(*due, Arc::clone(name)));
                    self.queue.insert((at, Arc::clone(name)));
                    *due = at;
                }
            }
            Stage::Reading { again, .. } => *again = Some(again.map_or(at, |due| due.min(at))),
        }
    }

    /// When [`take`](Self::take) will return the next batch.
    pub(crate) fn next_due(&self) -> Option<Instant> {
        self.queue.first().map(|(at, _)| *at)
    }

    /// Takes the records that are due: at most `max`, and not more than fit a reply of about 1 MiB.
    pub(crate) fn take(&mut self, now: Instant, max: usize) -> Option<Batch> {
        let (mut names, mut bytes) = (Vec::new(), 0);
        let ticket = self.last_ticket + 1;
        while names.len() < max {
            let Some((at, name)) = self.queue.first() else { break };
            let Some(entry) = self.entries.get_mut(name) else { break };
            let size = entry.known.map_or(self.expected_size, |known| known.size);
            if *at > now || (!names.is_empty() && bytes + size > REPLY_SIZE) {
                break;
            }
            bytes += size;
            let reason =
                if let Stage::Due { reason, .. } = entry.stage { reason } else { ReadReason::Changed };
            entry.stage = Stage::Reading { ticket, reason, again: None };
            names.extend(self.queue.pop_first().map(|(_, name)| name.to_string()));
        }
        if names.is_empty() {
            return None;
        }
        self.last_ticket = ticket;
        Some(Batch { ticket, names })
    }

    /// Applies the reply for one name of a batch. Without a reply the record is read again, not before `retry`.
    pub(crate) fn apply_reply(
        &mut self,
        ticket: u64,
        name: &str,
        reading: Option<Reading>,
        retry: Instant,
    ) -> Verdict {
        let Some((name, _)) = self.entries.get_key_value(name) else { return Verdict::Nothing };
        let name = &Arc::clone(name);
        let Some(entry) = self.entries.get_mut(name) else { return Verdict::Nothing };
        let Stage::Reading { ticket: current, reason, again } = entry.stage else { return Verdict::Nothing };
        if current != ticket {
            return Verdict::Nothing;
        }
        entry.stage = Stage::Idle;
        let verdict = match reading {
            Some(Ok((data, stat))) => {
                let before = entry.known;
                let zxids = (stat.czxid, stat.mzxid);
                let known = Known { zxids, size: data.len(), digest: digest(&data) };
                entry.known = Some(known);
                // Grows at once and shrinks slowly, so that a few small records do not hide the large ones.
                self.expected_size = data.len().max(self.expected_size - self.expected_size / 64);
                match before {
                    Some(before) if (before.zxids, before.digest) == (zxids, known.digest) => {
                        Verdict::Nothing
                    }
                    _ => {
                        let mismatch = reason == ReadReason::Audit && again.is_none() && before.is_some();
                        Verdict::Record { data, czxid: stat.czxid, mismatch }
                    }
                }
            }
            Some(Err(ErrorKind::Denied)) => Verdict::Denied { known: entry.known.is_some() },
            // The znode was deleted: the event has arrived or will.
            Some(Err(_)) => Verdict::Nothing,
            None => {
                self.schedule(name, retry, reason);
                Verdict::Nothing
            }
        };
        if let Some(at) = again {
            self.schedule(name, at, ReadReason::Changed);
        }
        verdict
    }
}

fn digest(data: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(data);
    hasher.finish()
}

#[cfg(test)]
mod tests;
