//! What is recorded, by all parts of the fleet in one order.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use oracle::{Record, What};
use parking_lot::Mutex;
use tokio::time::Instant;
use zk_core::SessionId;
use zk_core::transport::latest;

/// Takes the records of everybody. Cheap to clone; clones write into one history.
#[derive(Clone, Debug)]
pub(super) struct Recorder {
    begun: Instant,
    kept: Arc<Mutex<Kept>>,
    /// How many znodes have been deleted: for those who wait for a name to be free.
    deletions: latest::Sender<u64>,
}

#[derive(Debug, Default)]
struct Kept {
    records: Vec<Record>,
    is_over: bool,
    calls: u64,
    /// The kind of each fault.
    faults: Vec<&'static str>,
    effective: BTreeSet<u32>,
    over: BTreeSet<u32>,
    /// Processes whose sessions are known: whom each client of the ensemble belongs to.
    processes: BTreeMap<u64, String>,
    /// The sessions that the ensemble keeps, and whether they are those of others than the fleet.
    sessions: BTreeMap<SessionId, bool>,
}

impl Recorder {
    /// Begins: the time of every record counts from now.
    pub(super) fn begin() -> Self {
        Self { begun: Instant::now(), kept: Arc::default(), deletions: latest::channel(0).0 }
    }

    pub(super) fn now(&self) -> Duration {
        self.begun.elapsed()
    }

    pub(super) fn since_begin(&self, instant: Instant) -> Duration {
        instant.saturating_duration_since(self.begun)
    }

    /// Records something that happens now.
    pub(super) fn record(&self, what: What) {
        let at = self.now();
        let mut kept = self.kept.lock();
        if !kept.is_over {
            kept.is_over = what == What::End;
            kept.records.push(Record { at, what });
        }
    }

    /// The number of one more call.
    pub(super) fn next_call(&self) -> u64 {
        let mut kept = self.kept.lock();
        kept.calls += 1;
        kept.calls
    }

    /// A znode was deleted.
    pub(super) fn deleted(&self) {
        self.deletions.send_modify(|count| *count += 1);
    }

    /// Changes with each deletion of a znode.
    pub(super) fn deletions(&self) -> latest::Receiver<u64> {
        self.deletions.subscribe()
    }

    // === Whose a client of the ensemble is ===

    pub(super) fn name_client(&self, client: u64, process: &str) {
        self.kept.lock().processes.insert(client, process.to_owned());
    }

    pub(super) fn names(&self) -> BTreeMap<u64, String> {
        self.kept.lock().processes.clone()
    }

    pub(super) fn process_of(&self, client: u64) -> Option<String> {
        self.kept.lock().processes.get(&client).cloned()
    }

    // === Sessions ===

    pub(super) fn session_began(&self, session: SessionId, is_of_others: bool) {
        self.kept.lock().sessions.insert(session, is_of_others);
    }

    pub(super) fn session_ended(&self, session: SessionId) {
        self.kept.lock().sessions.remove(&session);
    }

    pub(super) fn forget_sessions(&self) {
        self.kept.lock().sessions.clear();
    }

    /// Whether the ensemble keeps a session.
    pub(super) fn is_kept(&self, session: SessionId) -> bool {
        self.kept.lock().sessions.contains_key(&session)
    }

    /// The sessions of others that the ensemble keeps.
    pub(super) fn sessions_of_others(&self) -> Vec<SessionId> {
        let kept = self.kept.lock();
        kept.sessions.iter().filter(|(_, is_of_others)| **is_of_others).map(|(session, _)| *session).collect()
    }

    // === Faults ===

    /// Records that a fault begins, and returns its number.
    pub(super) fn fault(&self, kind: &'static str, process: Option<String>, text: String) -> u32 {
        let id = {
            let mut kept = self.kept.lock();
            kept.faults.push(kind);
            u32::try_from(kept.faults.len()).unwrap_or(u32::MAX)
        };
        self.record(What::Fault { id, fault: kind.to_owned(), process, text });
        id
    }

    /// Records that a fault has broken something, once.
    pub(super) fn took_effect(&self, id: u32) {
        let is_new = {
            let mut kept = self.kept.lock();
            !kept.over.contains(&id) && kept.effective.insert(id)
        };
        if is_new {
            self.record(What::TookEffect { id });
        }
    }

    /// Records that a fault is over, once.
    pub(super) fn fault_over(&self, id: u32) {
        let is_new = self.kept.lock().over.insert(id);
        if is_new {
            self.record(What::FaultOver { id });
        }
    }

    /// How often each kind of fault has happened, and how often it has taken effect.
    pub(super) fn faults(&self) -> BTreeMap<&'static str, (u64, u64)> {
        let kept = self.kept.lock();
        let mut counts = BTreeMap::<_, (u64, u64)>::new();
        for (id, kind) in (1..).zip(&kept.faults) {
            let count = counts.entry(*kind).or_default();
            count.0 += 1;
            count.1 += u64::from(kept.effective.contains(&id));
        }
        counts
    }

    /// Takes everything that was recorded.
    pub(super) fn take(&self) -> Vec<Record> {
        std::mem::take(&mut self.kept.lock().records)
    }
}
