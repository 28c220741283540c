//! Puts the history of a walk together: what the processes have recorded, what the walk has seen, and what ZooKeeper's own logs
//! say that was committed.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use oracle::{History, Record, What};

use crate::fleet::Fleet;
use crate::recorder;
use crate::settings::bounds;
use crate::truth::{self, Sessions};
use crate::txn_log::{self, Change, Txn};

/// By how much the wall clock may move against the other during a walk.
const DRIFT: Duration = Duration::from_millis(50);

/// Everything that a walk has left behind.
pub(crate) struct Remains {
    files: Vec<PathBuf>,
    txns: Result<BTreeMap<i64, Txn>, String>,
    /// The process ids that each process of the fleet has had.
    pids: BTreeMap<i32, String>,
    sessions: Sessions,
    seen: Vec<truth::Sighting>,
    began: (Duration, Duration),
}

impl Remains {
    /// Collects them, before the data of the ensemble go with it. `own` is the file of the walk itself, `began` when it began by the wall clock, as that stood then.
    pub(crate) fn of(fleet: &Fleet, own: PathBuf, began: Duration) -> Self {
        let mut files: Vec<_> = fleet.members.iter().filter_map(|member| member.file.clone()).collect();
        files.push(own);
        let pids = fleet
            .members
            .iter()
            .flat_map(|member| member.pids().into_iter().map(|pid| (pid, member.name.clone())));
        Self {
            files,
            txns: txn_log::read_all(&fleet.data_folders()),
            pids: pids.collect(),
            sessions: Sessions {
                processes: BTreeMap::new(),
                others: fleet.others.sessions.lock().clone(),
                stolen: fleet.stolen.clone(),
            },
            seen: std::mem::take(&mut fleet.others.seen.lock()),
            began: (began, fleet.recorder.clock().began_by_the_wall()),
        }
    }

    /// The history.
    ///
    /// # Errors
    /// Why nobody can tell what was true.
    pub(crate) fn history(mut self) -> Result<History, String> {
        let (then, now) = self.began;
        if then.abs_diff(now) > DRIFT {
            return Err(format!("the wall clock has moved by {:?}", then.abs_diff(now)));
        }
        let txns = std::mem::replace(&mut self.txns, Ok(BTreeMap::new()))?;
        truth::check(&txns, &self.seen)?;
        let mut records = Vec::new();
        for file in self.files.iter().filter(|file| file.exists()) {
            records.extend(recorder::read(file)?);
        }
        self.name_sessions(&txns, &records);
        records.extend(truth::records(&txns, &self.sessions, then));
        records.sort_by_key(|record| record.at);
        // What comes afterwards is not judged: the processes are stopped.
        let end = records.iter().position(|record| record.what == What::End);
        records.truncate(end.map_or(records.len(), |end| end + 1));
        Ok(History { bounds: bounds(), records })
    }

    /// How many lists of an observer were compared with the logs.
    pub(crate) fn sightings(&self) -> usize {
        self.seen.len()
    }

    /// Whose sessions there were: recording processes say so, and the znodes of others have a process id.
    fn name_sessions(&mut self, txns: &BTreeMap<i64, Txn>, records: &[Record]) {
        let processes = &mut self.sessions.processes;
        for record in records {
            if let What::Link { process, session: Some(session), .. } = &record.what {
                processes.insert(*session, process.clone());
            }
        }
        for txn in txns.values() {
            for change in &txn.changes {
                if let Change::Created { data, .. } = change
                    && let Some(process) = truth::pid_of(data).and_then(|pid| self.pids.get(&pid))
                {
                    processes.entry(txn.session).or_insert_with(|| process.clone());
                }
            }
        }
    }
}
