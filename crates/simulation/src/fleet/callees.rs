//! What happens to a call at an endpoint.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use oracle::{Answers, What};
use parking_lot::Mutex;
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use tokio::time::sleep;
use zk_roster::{Classify, Failure};

use super::recorder::Recorder;
use crate::plan::Trouble;

/// Why an attempt got no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unserved {
    /// Nobody listens: nothing was sent.
    Refused,
    /// The callee died with the call.
    Reset,
    /// Half an answer: the call may have had an effect.
    Half,
    /// The callee has too much to do, and did nothing.
    Overloaded,
}

impl Classify for Unserved {
    fn failure(&self) -> Option<Failure> {
        Some(match self {
            Self::Refused => Failure::Refused,
            Self::Reset => Failure::Reset,
            Self::Half => Failure::Incomplete,
            Self::Overloaded => Failure::Overloaded,
        })
    }
}

/// What callers meet at all endpoints. Cheap to clone; clones are the same network.
#[derive(Clone, Debug)]
pub(super) struct Callees(Arc<Mutex<Table>>);

#[derive(Debug)]
struct Table {
    recorder: Recorder,
    rng: SmallRng,
    /// How often somebody has begun to listen anywhere.
    lives: u64,
    entries: BTreeMap<String, Entry>,
    /// How long an attempt may take.
    attempt: Duration,
}

#[derive(Debug, Default)]
struct Entry {
    /// Who listens, and since which of all beginnings.
    listener: Option<(u64, String)>,
    /// Whether it stands still.
    paused: bool,
    /// What it fares badly by, by fault. The youngest decides.
    troubles: Vec<(u32, Trouble)>,
    /// What was recorded last.
    recorded: Option<(Option<String>, Answers)>,
}

impl Entry {
    fn answers(&self) -> Answers {
        match (&self.listener, self.troubles.last()) {
            (None, _) => Answers::Refuses,
            _ if self.paused => Answers::Badly,
            (_, Some((_, Trouble::Refuses))) => Answers::Refuses,
            (_, Some(_)) => Answers::Badly,
            (_, None) => Answers::Well,
        }
    }
}

/// What a call meets.
enum Met {
    Refused,
    Silence,
    Served { life: u64, after: Duration, trouble: Option<Trouble> },
}

impl Callees {
    pub(super) fn new(recorder: &Recorder, seed: u64, attempt: Duration) -> Self {
        let (recorder, rng) = (recorder.clone(), SmallRng::seed_from_u64(seed ^ 0x0063_616c_6c65_6573));
        Self(Arc::new(Mutex::new(Table { recorder, rng, lives: 0, entries: BTreeMap::new(), attempt })))
    }

    fn change(&self, endpoint: &str, change: impl FnOnce(&mut Entry)) {
        let mut table = self.0.lock();
        let table = &mut *table;
        let entry = table.entries.entry(endpoint.to_owned()).or_default();
        change(entry);
        let now = (entry.listener.as_ref().map(|(_, process)| process.clone()), entry.answers());
        if entry.recorded.as_ref() != Some(&now) {
            entry.recorded = Some(now.clone());
            let (process, answers) = now;
            table.recorder.record(What::Serving { endpoint: endpoint.to_owned(), process, answers });
        }
    }

    /// A process listens from now on.
    pub(super) fn listen(&self, endpoint: &str, process: &str) {
        let life = {
            let mut table = self.0.lock();
            table.lives += 1;
            table.lives
        };
        self.change(endpoint, |entry| entry.listener = Some((life, process.to_owned())));
    }

    /// Nobody listens any more.
    pub(super) fn close(&self, endpoint: &str) {
        self.change(endpoint, |entry| (entry.listener, entry.paused) = (None, false));
    }

    /// Who listens stands still, or goes on.
    pub(super) fn pause(&self, endpoint: &str, paused: bool) {
        self.change(endpoint, |entry| entry.paused = paused);
    }

    pub(super) fn trouble(&self, endpoint: &str, fault: u32, trouble: Trouble) {
        self.change(endpoint, |entry| entry.troubles.push((fault, trouble)));
    }

    pub(super) fn end_trouble(&self, endpoint: &str, fault: u32) {
        self.change(endpoint, |entry| entry.troubles.retain(|(other, _)| *other != fault));
    }

    /// A call arrives at an endpoint.
    fn meet(&self, endpoint: &str) -> Met {
        let mut table = self.0.lock();
        let table = &mut *table;
        let after = Duration::from_millis(table.rng.random_range(1..=5));
        let Some(entry) = table.entries.get(endpoint) else { return Met::Refused };
        let Some((life, _)) = &entry.listener else { return Met::Refused };
        if entry.paused {
            return Met::Silence;
        }
        let Some((fault, trouble)) = entry.troubles.last() else {
            return Met::Served { life: *life, after, trouble: None };
        };
        table.recorder.took_effect(*fault);
        match trouble {
            Trouble::Refuses => Met::Refused,
            Trouble::Hangs => Met::Silence,
            Trouble::Late => {
                let after = table.attempt + Duration::from_millis(200);
                Met::Served { life: *life, after, trouble: None }
            }
            Trouble::Half | Trouble::Overloaded => {
                Met::Served { life: *life, after, trouble: Some(*trouble) }
            }
        }
    }

    /// Whether who listened then still does, and would answer.
    fn is_alive(&self, endpoint: &str, life: u64) -> Option<bool> {
        let table = self.0.lock();
        let entry = table.entries.get(endpoint)?;
        let (now, _) = entry.listener.as_ref()?;
        (*now == life).then_some(!entry.paused)
    }

    /// Makes one attempt: the future may never end, as an attempt that nobody answers.
    pub(super) async fn attempt(&self, endpoint: &str) -> Result<(), Unserved> {
        match self.meet(endpoint) {
            Met::Refused => {
                sleep(Duration::from_millis(1)).await;
                Err(Unserved::Refused)
            }
            Met::Silence => std::future::pending().await,
            Met::Served { life, after, trouble } => {
                sleep(after).await;
                match (self.is_alive(endpoint, life), trouble) {
                    (None, _) => Err(Unserved::Reset),
                    (Some(false), _) => std::future::pending().await,
                    (_, Some(Trouble::Half)) => Err(Unserved::Half),
                    (_, Some(Trouble::Overloaded)) => Err(Unserved::Overloaded),
                    _ => Ok(()),
                }
            }
        }
    }
}
