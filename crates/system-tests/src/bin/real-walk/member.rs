//! One process of the fleet: what it is, and how it is started.

use std::net::{Ipv4Addr, SocketAddr};
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use oracle::What;
use system_tests::{Process, SESSION};

use crate::daytime;
use crate::links::Links;
use crate::recorder::Recorder;
use crate::settings::{ATTEMPT, AUDIT, CALL, PACE};
use crate::watched::Watched;

/// Numbers of the calls of one process: those of each start begin at the next thousand million.
const CALLS: u64 = 1_000_000_000;

/// What a process is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// `real-walk server`, of a kind.
    Server(&'static str),
    /// `daytime-server`.
    DaytimeServer,
    /// `real-walk client`.
    Client { strategy: &'static str, records: bool, idempotent: bool },
    /// `daytime-client`.
    DaytimeClient { strategy: &'static str },
}

/// Where the programs and the files are.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    /// This program.
    pub(crate) walk: PathBuf,
    pub(crate) daytime_server: PathBuf,
    pub(crate) daytime_client: PathBuf,
    /// Where the processes run, and their records are.
    pub(crate) folder: PathBuf,
}

/// One process of the fleet, running or not.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) links: Arc<Links>,
    pub(crate) watched: Watched,
    number: u64,
    starts: u64,
    place: Place,
}

impl Member {
    pub(crate) fn new(
        number: u64,
        role: Role,
        port: Option<u16>,
        links: Links,
        place: Place,
        recorder: Recorder,
    ) -> Self {
        let kind = if role.is_server() { "server" } else { "client" };
        let name = format!("{kind} {number}");
        let records = matches!(role, Role::Server(_) | Role::Client { .. });
        let file = records.then(|| place.folder.join(format!("{kind}-{number}.jsonl")));
        let endpoint = port.map(|port| SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
        let watched = Watched { name, role, endpoint, file, recorder, state: Arc::default() };
        Self { links: Arc::new(links), watched, number, starts: 0, place }
    }

    /// Starts the process.
    pub(crate) fn start(&mut self) -> Result<(), String> {
        self.starts += 1;
        let first_call = (self.number * 1000 + self.starts) * CALLS;
        let mut arguments = vec!["run".to_owned()];
        arguments.extend(self.arguments(first_call));
        let environment = [("RUST_LOG", self.role.log())];
        self.recorder.record(What::Spawned { process: self.name.clone() });
        let process = Process::start(&self.place.walk, &self.place.folder, &arguments, &environment);
        let process = process.map_err(|error| format!("{} cannot start: {error}", self.name))?;
        let instance = self.endpoint.map(|endpoint| endpoint.to_string());
        if self.role == Role::DaytimeServer
            && let Some(name) = instance.clone()
        {
            // What it registers by default. Its incarnation is found in its znode.
            let data = oracle::Data { weight: Some(100), draining: false, incarnation: None };
            self.recorder.record(What::Wanted { process: self.name.clone(), name, data });
        }
        let daytime = self.role.is_daytime().then(|| daytime::Reader::new(&self.name, instance, first_call));
        self.watched.started(process, daytime);
        Ok(())
    }

    fn arguments(&self, first_call: u64) -> Vec<String> {
        let Place { walk, daytime_server, daytime_client, .. } = &self.place;
        let (hosts, session) = (self.links.hosts(), SESSION.as_millis());
        let port = self.endpoint.map_or(0, |endpoint| endpoint.port());
        let millis = |duration: Duration| format!("{}ms", duration.as_millis());
        let recording = |command: &str, rest: String| {
            let mut arguments = vec![walk.display().to_string(), command.to_owned()];
            let record = self.file.clone().unwrap_or_default();
            let began = self.recorder.clock().nanos();
            arguments.extend(["--name".into(), self.name.clone(), "--began".into(), began.to_string()]);
            arguments.extend(["--record".into(), record.display().to_string(), "--zookeeper".into()]);
            arguments.extend([hosts.clone(), "--session-timeout".into(), session.to_string()]);
            arguments.extend(rest.split_whitespace().map(ToOwned::to_owned));
            arguments
        };
        let program = |path: &Path, rest: String| {
            let mut arguments = vec![path.display().to_string(), "--config".into(), CONFIG.into()];
            arguments.extend(["--zookeeper".into(), hosts.clone(), "--session-timeout".into()]);
            arguments.push(format!("{session}ms"));
            arguments.extend(rest.split_whitespace().map(ToOwned::to_owned));
            arguments
        };
        match self.role {
            Role::Server(kind) => recording("server", format!("--port {port} --weight 100 --kind {kind}")),
            Role::Client { strategy, records, idempotent } => recording(
                "client",
                format!(
                    "--strategy {strategy} --records {records} --idempotent {idempotent} --first-call {first_call}"
                ),
            ),
            Role::DaytimeServer => program(daytime_server, format!("--port {port}")),
            Role::DaytimeClient { strategy } => program(
                daytime_client,
                format!(
                    "--strategy {strategy} --rounds 1000000 --interval {} --timeout {}",
                    millis(PACE),
                    millis(CALL)
                ),
            ),
        }
    }
}

/// The file that the daytime programs read.
const CONFIG: &str = "daytime.toml";

/// Writes that file.
pub(crate) fn write_config(folder: &Path) -> std::io::Result<()> {
    let (audit, attempt) = (AUDIT.as_millis(), ATTEMPT.as_millis());
    let text = format!(
        "[registry]\naudit_interval = \"{audit}ms\"\n[discovery]\naudit_interval = \"{audit}ms\"\n\
         [client]\nattempt_timeout = \"{attempt}ms\"\n"
    );
    std::fs::write(folder.join(CONFIG), text)
}

impl Role {
    pub(crate) fn is_server(self) -> bool {
        matches!(self, Self::Server(_) | Self::DaytimeServer)
    }

    fn is_daytime(self) -> bool {
        matches!(self, Self::DaytimeServer | Self::DaytimeClient { .. })
    }

    /// What it logs: by default, of the daytime client its rounds, too, and of the daytime server every status.
    fn log(self) -> &'static str {
        match self {
            Self::DaytimeClient { .. } => "info,daytime_client::ask=debug,zookeeper_client=error",
            Self::DaytimeServer => "info,registry::keeper::report=debug,zookeeper_client=error",
            _ => "info,zookeeper_client=error",
        }
    }
}

impl Deref for Member {
    type Target = Watched;

    fn deref(&self) -> &Watched {
        &self.watched
    }
}
