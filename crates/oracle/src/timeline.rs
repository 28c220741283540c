//! What a history says, put in order once for all rules: what stood in ZooKeeper when, whose sessions lasted how long, who
//! wanted, said and saw what, and when nothing was broken.
//!
//! Names of processes and instances are numbers here. An order in time is that of the records: the ensemble's records are
//! made when it happens, so what comes before another record was before it.

mod calls;
mod disturbances;
mod faults;
mod harm;
mod interner;
mod moment;
mod names;
mod process;
mod serving;
mod sessions;
mod truth;

use std::time::Duration;

use crate::history::{Bounds, History, Record, What};

pub(crate) use calls::{AttemptRecord, Call};
pub(crate) use disturbances::Disturbances;
pub(crate) use moment::{Moment, Secs};
pub(crate) use process::{Life, LinkRecord, Process, StatusSpan, UsageRecord, ViewRecord, Want};
pub(crate) use truth::{Ending, Tenure, Truth, Write};

use faults::Faults;
use interner::Interner;
use serving::Serving;
use sessions::Sessions;

/// How late the recorder may be before bounds cannot be judged.
const MOST_LAG: Duration = Duration::from_millis(200);

/// A history, put in order.
#[derive(Debug)]
pub(crate) struct Timeline<'a> {
    pub(crate) bounds: &'a Bounds,
    pub(crate) records: &'a [Record],
    names: Interner<'a>,
    process_names: Interner<'a>,
    pub(crate) processes: Vec<Process<'a>>,
    pub(crate) truth: Truth<'a>,
    pub(crate) sessions: Sessions,
    pub(crate) faults: Faults<'a>,
    pub(crate) serving: Serving,
    pub(crate) calls: Vec<Call<'a>>,
    pub(crate) disturbances: Disturbances,
    pub(crate) healed: Option<Moment>,
    /// Whether the run has ended; else the records end early.
    pub(crate) has_ended: bool,
    pub(crate) end: Moment,
    pub(crate) panics: Vec<(Moment, usize, &'a str)>,
    /// When the recorder was too late, and by how much.
    pub(crate) lags: Vec<(Moment, Duration)>,
    /// Which names are surely instances: a bit for each.
    pub(crate) instances: Vec<u64>,
    /// Whether the ensemble has no transactions: before ZooKeeper 3.6 a take-over is two requests.
    pub(crate) is_old: bool,
}

impl<'a> Timeline<'a> {
    pub(crate) fn new(history: &'a History) -> Self {
        let records = &history.records[..];
        let mut timeline = Self {
            bounds: &history.bounds,
            records,
            names: Interner::default(),
            process_names: Interner::default(),
            processes: Vec::new(),
            truth: Truth::default(),
            sessions: Sessions::default(),
            faults: Faults::default(),
            serving: Serving::default(),
            calls: Vec::new(),
            disturbances: Disturbances::default(),
            healed: None,
            has_ended: false,
            end: Moment::default(),
            panics: Vec::new(),
            lags: Vec::new(),
            instances: Vec::new(),
            is_old: false,
        };
        let mut call_ids = calls::Ids::default();
        for (index, record) in records.iter().enumerate() {
            let now = Moment { index, at: record.at };
            timeline.end = now;
            timeline.take(&record.what, now, &mut call_ids);
            if timeline.has_ended {
                break;
            }
        }
        timeline.close();
        timeline
    }

    fn take(&mut self, what: &'a What, now: Moment, call_ids: &mut calls::Ids) {
        match what {
            What::Fault { .. } | What::TookEffect { .. } | What::FaultOver { .. } => {
                self.take_fault(what, now)
            }
            What::Healed => self.healed = Some(now),
            What::End => self.has_ended = true,
            What::Created { .. }
            | What::Written { .. }
            | What::Deleted { .. }
            | What::Root { .. }
            | What::Restored { .. }
            | What::Sight { .. } => self.take_truth(what, now),
            What::Ensemble { old } => self.is_old = *old,
            What::SessionBegan { session, process } => {
                let process = self.process(process);
                self.processes[process].sessions.push((now, *session));
                let life = self.processes[process].lives.len().checked_sub(1);
                self.sessions.began(*session, process, life, now);
            }
            What::SessionEnded { session, .. } => self.sessions.ended(*session, now),
            What::Panicked { process, message } => {
                let process = self.process(process);
                self.panics.push((now, process, message));
            }
            What::Serving { endpoint, process, answers } => {
                let endpoint = self.name(endpoint);
                let process = process.as_deref().map(|process| self.process(process));
                self.serving.changed(endpoint, process, *answers, now);
            }
            What::Call { .. } | What::Attempt { .. } | What::Called { .. } => {
                self.take_call(what, now, call_ids)
            }
            What::Lag { by } => {
                if *by > MOST_LAG {
                    self.lags.push((now, *by));
                }
            }
            What::Spawned { .. }
            | What::Exited { .. }
            | What::Wanted { .. }
            | What::Unwanted { .. }
            | What::Status { .. }
            | What::Link { .. }
            | What::View { .. }
            | What::Requests { .. }
            | What::Usage { .. } => self.take_process(what, now),
        }
    }

    fn take_fault(&mut self, what: &'a What, now: Moment) {
        match what {
            What::Fault { id, fault, process, .. } => {
                let process = process.as_deref().map(|process| self.process(process));
                self.faults.began(*id, fault, process, now);
            }
            What::TookEffect { id } => self.faults.took_effect(*id, now),
            What::FaultOver { id } => self.faults.over(*id, now),
            _ => {}
        }
    }

    fn take_truth(&mut self, what: &'a What, now: Moment) {
        match what {
            What::Created { zxid, name, znode, by } => {
                let (name, by_process) = (self.name(name), self.by(by));
                self.truth.created((*zxid, now), name, znode, (by, by_process));
            }
            What::Written { zxid, name, data, by } => {
                let (name, by_process) = (self.name(name), self.by(by));
                self.truth.written((*zxid, now), name, data, by_process);
            }
            What::Deleted { zxid, name, by } => {
                let (name, by_process) = (self.name(name), self.by(by));
                self.truth.deleted((*zxid, now), name, by_process);
            }
            What::Restored { zxid, children, sessions } => {
                let children: Vec<_> =
                    children.iter().map(|(name, znode)| (self.name(name), znode)).collect();
                self.truth.restored((*zxid, now), &children);
                self.sessions.restored(sessions, now);
            }
            What::Sight { known } => self.truth.sight(*known, now),
            _ => {}
        }
    }

    fn take_process(&mut self, what: &'a What, now: Moment) {
        match what {
            What::Spawned { process } => {
                let process = self.process(process);
                self.processes[process].spawned(now);
            }
            What::Exited { process, status } => {
                let process = self.process(process);
                self.processes[process].exited(*status, now);
            }
            What::Wanted { process, name, data } => {
                let (process, name) = (self.process(process), self.name(name));
                self.processes[process].wanted(name, data, now);
            }
            What::Unwanted { process, name } => {
                let (process, name) = (self.process(process), self.name(name));
                self.processes[process].unwanted(name, now);
            }
            What::Status { process, name, status } => {
                let (process, name) = (self.process(process), self.name(name));
                self.processes[process].says(name, status, now);
            }
            What::Link { process, phase, session, .. } => {
                let process = self.process(process);
                let link = LinkRecord { moment: now, phase: *phase };
                self.processes[process].links.push(link);
                if let Some(session) = session
                    && !self.sessions.is_known(*session)
                {
                    // An observer of a real ensemble does not see whose a session is: its owner says so.
                    let life = self.processes[process].lives.len().checked_sub(1);
                    self.processes[process].sessions.push((now, *session));
                    self.sessions.began(*session, process, life, now);
                }
            }
            What::View { process, live, revision, instances } => {
                let process = self.process(process);
                let shown = instances.iter().map(|(name, shown)| (self.name(name), shown)).collect();
                self.processes[process].shows(*live, *revision, shown, now);
            }
            What::Requests { process, count } => {
                let process = self.process(process);
                self.processes[process].requests.push((now, *count));
            }
            What::Usage { process, fds, cpu, log_lines, .. } => {
                let process = self.process(process);
                let (fds, cpu, log_lines) = (*fds, *cpu, *log_lines);
                let usage = UsageRecord { moment: now, fds, cpu, log_lines };
                self.processes[process].usage.push(usage);
            }
            _ => {}
        }
    }

    fn take_call(&mut self, what: &'a What, now: Moment, ids: &mut calls::Ids) {
        match what {
            What::Call { id, process, idempotent } => {
                let process = self.process(process);
                ids.began(&mut self.calls, *id, Call::new(*id, process, *idempotent, now));
            }
            What::Attempt { id, endpoint, began, outcome } => {
                let attempt = AttemptRecord {
                    moment: now,
                    endpoint: self.name(endpoint),
                    began: *began,
                    outcome: *outcome,
                };
                if let Some(call) = ids.get(&mut self.calls, *id) {
                    call.attempts.push(attempt);
                }
            }
            What::Called { id, outcome } => {
                if let Some(call) = ids.get(&mut self.calls, *id) {
                    call.ended = call.ended.or(Some((now, outcome)));
                }
            }
            _ => {}
        }
    }

    fn close(&mut self) {
        let names = self.names.len();
        self.truth.close(names, self.end);
        self.serving.close(names);
        self.instances = vec![0; self.truth.words];
        for (name, _) in self.names.texts().iter().enumerate().filter(|(_, text)| names::is_endpoint(text)) {
            self.instances[name / 64] |= 1 << (name % 64);
        }
        self.processes.iter_mut().for_each(|process| process.close(self.truth.words));
        self.faults.close(self.healed.unwrap_or(self.end), self.end);
        self.disturbances =
            Disturbances::new(&self.faults, &self.lags, self.processes.len(), self.bounds, self.end.at);
    }

    fn name(&mut self, name: &'a str) -> usize {
        self.names.number(name)
    }

    fn process(&mut self, name: &'a str) -> usize {
        let number = self.process_names.number(name);
        if number == self.processes.len() {
            self.processes.push(Process::new(name));
        }
        number
    }

    fn by(&mut self, by: &'a crate::history::By) -> Option<usize> {
        match by {
            crate::history::By::Process(process) => Some(self.process(process)),
            _ => None,
        }
    }

    /// The instance with this number.
    pub(crate) fn name_of(&self, name: usize) -> &'a str {
        self.names.text(name)
    }

    /// How many instances there are.
    pub(crate) fn names(&self) -> usize {
        self.names.len()
    }

    /// The process with this number.
    pub(crate) fn process_name(&self, process: usize) -> &'a str {
        self.process_names.text(process)
    }
}
