//! One process of the fleet as it is seen from outside: its log, what it uses, its end.

use std::io::{Read, Seek, SeekFrom};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use nix::sys::signal::Signal;
use nix::unistd::Pid;
use oracle::{Record, What};
use parking_lot::Mutex;
use system_tests::{Process, SESSION};
use tokio::time::{Instant, sleep, timeout};

use crate::daytime;
use crate::member::Role;
use crate::proc;
use crate::recorder::Recorder;

/// A process of the fleet, running or not. Clones watch the same one.
#[derive(Clone, Debug)]
pub(crate) struct Watched {
    pub(crate) name: String,
    pub(crate) role: Role,
    /// Where a server listens.
    pub(crate) endpoint: Option<SocketAddr>,
    /// The file with its records, if it writes one.
    pub(crate) file: Option<PathBuf>,
    pub(crate) recorder: Recorder,
    pub(crate) state: Arc<Mutex<State>>,
}

/// The present process, and what was read of it.
#[derive(Debug, Default)]
pub(crate) struct State {
    process: Option<Process>,
    /// Whether the walk has ended it, or is about to.
    may_end: bool,
    /// The process ids of all its starts.
    pids: Vec<i32>,
    /// The session of its link.
    session: Option<i64>,
    /// How far its log and its records were read.
    log_lines: usize,
    record_bytes: u64,
    daytime: Option<daytime::Reader>,
}

impl Watched {
    /// Another process is started.
    pub(crate) fn started(&self, process: Process, daytime: Option<daytime::Reader>) {
        let mut state = self.state.lock();
        let mut pids = std::mem::take(&mut state.pids);
        pids.push(process.pid().as_raw());
        let record_bytes = state.record_bytes;
        *state = State { process: Some(process), pids, daytime, record_bytes, ..State::default() };
    }

    /// The process ids of all its starts.
    pub(crate) fn pids(&self) -> Vec<i32> {
        self.state.lock().pids.clone()
    }

    pub(crate) fn runs(&self) -> bool {
        self.state.lock().process.is_some()
    }

    pub(crate) fn pid(&self) -> Option<Pid> {
        self.state.lock().process.as_ref().map(Process::pid)
    }

    pub(crate) fn session(&self) -> Option<i64> {
        let mut state = self.state.lock();
        self.read_session(&mut state);
        state.session
    }

    /// Kills it, as `kill -9` does, and waits for its end.
    pub(crate) async fn kill(&self) -> Result<(), String> {
        self.state.lock().may_end = true;
        self.signal(Signal::SIGKILL);
        self.ended(Duration::from_secs(5)).await.map(drop)
    }

    /// Tells it to stop. What a daytime server does not record itself is recorded here.
    pub(crate) fn tell_to_stop(&self) {
        self.state.lock().may_end = true;
        if let (Role::DaytimeServer, Some(endpoint)) = (self.role, self.endpoint) {
            self.recorder.record(What::Unwanted { process: self.name.clone(), name: endpoint.to_string() });
        }
        self.signal(Signal::SIGTERM);
    }

    /// Whether a client has had an answer.
    pub(crate) fn has_called(&self) -> bool {
        match &self.file {
            Some(file) => {
                read_from(file, 0).is_ok_and(|records| records.contains(r#""outcome":{"answered""#))
            }
            None => {
                self.state.lock().process.as_ref().is_some_and(|process| process.has_logged("round answered"))
            }
        }
    }

    pub(crate) fn signal(&self, signal: Signal) {
        if let Some(process) = &self.state.lock().process {
            process.signal(signal);
        }
    }

    /// Waits for its end, and records it. Returns its exit code.
    pub(crate) async fn ended(&self, within: Duration) -> Result<Option<i32>, String> {
        let deadline = Instant::now() + within;
        while self.state.lock().process.as_ref().is_some_and(|process| !process.has_ended()) {
            if Instant::now() > deadline {
                return Err(format!("{} has not ended within {within:?}", self.name));
            }
            sleep(Duration::from_millis(2)).await;
        }
        self.look();
        let Some(process) = self.state.lock().process.take() else { return Ok(None) };
        let exit = process.exit(within).await?;
        self.recorder.record(What::Exited { process: self.name.clone(), status: exit.code });
        Ok(exit.code)
    }

    /// Reads what it has logged since the last look. Returns how many lines that are.
    pub(crate) fn look(&self) -> usize {
        let mut state = self.state.lock();
        let Some(process) = &state.process else { return 0 };
        let lines = process.log_from(state.log_lines);
        state.log_lines += lines.len();
        for (moment, line) in lines {
            let at = self.recorder.clock().at(moment);
            if line.contains("panicked at") {
                self.recorder
                    .record_at(at, What::Panicked { process: self.name.clone(), message: line.clone() });
            }
            let records = state.daytime.as_mut().map(|reader| reader.line(at, &line));
            for Record { at, what } in records.unwrap_or_default() {
                self.recorder.record_at(at, what);
            }
        }
        state.log_lines
    }

    /// Records what it uses, and its end if nobody has asked for that.
    pub(crate) async fn sample(&self) {
        let log_lines = self.look();
        let (pid, has_ended, may_end) = {
            let state = self.state.lock();
            let Some(process) = &state.process else { return };
            (process.pid(), process.has_ended(), state.may_end)
        };
        if has_ended && !may_end {
            // An error is impossible: it has ended.
            let _ = timeout(SESSION, self.ended(SESSION)).await;
            return;
        }
        if let Some(usage) = proc::usage(pid) {
            let log_lines = u64::try_from(log_lines).unwrap_or(u64::MAX);
            let proc::Usage { rss_kib, fds, cpu } = usage;
            self.recorder.record(What::Usage { process: self.name.clone(), rss_kib, fds, cpu, log_lines });
        }
    }

    /// Finds the session of its link, in its log or in what it has recorded since the last time.
    fn read_session(&self, state: &mut State) {
        if let Some(reader) = &state.daytime {
            state.session = reader.session();
            return;
        }
        let Some(path) = &self.file else { return };
        let Ok(text) = read_from(path, state.record_bytes) else { return };
        let whole = text.rfind('\n').map_or(0, |end| end + 1);
        state.record_bytes += whole as u64;
        let links = text[..whole].lines().filter(|line| line.contains(r#""kind":"link""#));
        for line in links {
            if let Ok(Record { what: What::Link { session, .. }, .. }) = serde_json::from_str(line) {
                state.session = session;
            }
        }
    }
}

fn read_from(path: &Path, from: u64) -> std::io::Result<String> {
    let mut file = std::fs::File::open(path)?;
    file.seek(SeekFrom::Start(from))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
