//! The fleet: an ensemble, the processes around it, and what watches them.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use nix::sys::signal::Signal;
use oracle::What;
use rand::rngs::SmallRng;
use system_tests::free_ports;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use zk_testing::{Ensemble, SOON, holds_within};

use crate::callees::Callees;
use crate::links::Links;
use crate::member::{Member, Place, Role, write_config};
use crate::operator::Others;
use crate::recorder::Recorder;
use crate::settings::CALL;

/// How often it is recorded what processes use.
const USAGE: Duration = Duration::from_millis(500);
/// How often it is recorded how late the recorder is.
const CANARY: Duration = Duration::from_millis(100);
/// How often an observer lists the children.
const OBSERVE: Duration = Duration::from_millis(20);

/// Everything that takes part in a walk. `Drop` ends it.
#[derive(Debug)]
pub(crate) struct Fleet {
    pub(crate) ensemble: Ensemble,
    pub(crate) servers: Vec<SocketAddr>,
    pub(crate) members: Vec<Member>,
    pub(crate) others: Others,
    pub(crate) callees: Callees,
    pub(crate) recorder: Recorder,
    pub(crate) random: SmallRng,
    /// The sessions that faults have ended.
    pub(crate) stolen: BTreeSet<i64>,
    /// Processes that a fault is at work on.
    pub(crate) busy: BTreeSet<usize>,
    watching: JoinSet<()>,
}

/// Who takes part.
pub(crate) fn roles(kind: &'static str) -> Vec<Role> {
    let client = |strategy, records, idempotent| Role::Client { strategy, records, idempotent };
    let mut roles = vec![Role::Server(kind); 3];
    roles.extend(match kind {
        "ours" => [Role::DaytimeServer; 2],
        kind => [Role::Server(kind); 2],
    });
    roles.extend([
        client("random", true, true),
        client("round-robin", false, true),
        client("least-loaded", true, false),
        Role::DaytimeClient { strategy: "rendezvous" },
    ]);
    roles
}

impl Fleet {
    /// Starts everything, and waits until every server is registered and every client knows them.
    pub(crate) async fn start(
        kind: &'static str,
        place: &Place,
        recorder: Recorder,
        random: SmallRng,
    ) -> Result<Self, String> {
        let ensemble = Ensemble::start(3).await.map_err(|error| error.to_string())?;
        let servers: Vec<_> = ensemble.servers().iter().map(zk_testing::Server::addr).collect();
        write_config(&place.folder).map_err(|error| error.to_string())?;
        let roles = roles(kind);
        let ports = free_ports(roles.iter().filter(|role| role.is_server()).count());
        let (mut ports, mut members) = (ports.into_iter(), Vec::new());
        let (mut server_number, mut client_number) = (0, 0);
        for role in roles {
            let number = if role.is_server() { &mut server_number } else { &mut client_number };
            *number += 1;
            let links = Links::start(&servers).await.map_err(|error| error.to_string())?;
            let port = if role.is_server() { ports.next() } else { None };
            members.push(Member::new(*number, role, port, links, place.clone(), recorder.clone()));
        }
        let callees = Callees::new(recorder.clone());
        let others = Others::new(servers.clone());
        let mut fleet = Self {
            ensemble,
            servers,
            members,
            others,
            callees,
            recorder,
            random,
            stolen: BTreeSet::new(),
            busy: BTreeSet::new(),
            watching: JoinSet::new(),
        };
        for member in &mut fleet.members {
            member.start()?;
        }
        fleet.watch();
        fleet.all_registered().await?;
        fleet.all_call().await?;
        Ok(fleet)
    }

    /// Starts what watches the processes; it ends with the fleet.
    fn watch(&mut self) {
        for member in &self.members {
            if let Some(endpoint) = member.endpoint {
                self.callees.probe(endpoint, &member.name, &mut self.watching);
            }
        }
        let others = self.others.clone();
        self.watching.spawn(others.observe(OBSERVE));
        let recorder = self.recorder.clone();
        self.watching.spawn(async move {
            loop {
                let began = Instant::now();
                sleep(CANARY).await;
                recorder.record(What::Lag { by: began.elapsed().saturating_sub(CANARY) });
            }
        });
    }

    /// Records what each process uses, from now on and for as long as it is polled.
    pub(crate) fn sampling(&self) -> impl Future<Output = ()> + use<> {
        let members: Vec<_> =
            self.members.iter().map(|member| (member.watched.clone(), member.links.clone())).collect();
        async move {
            loop {
                for (member, links) in &members {
                    member.sample().await;
                    let (process, count) = (member.name.clone(), links.take_requests());
                    member.recorder.record(What::Requests { process, count });
                }
                sleep(USAGE).await;
            }
        }
    }

    pub(crate) async fn all_registered(&self) -> Result<(), String> {
        let wanted: BTreeSet<_> = self
            .members
            .iter()
            .filter_map(|member| member.endpoint)
            .map(|endpoint| endpoint.to_string())
            .collect();
        let registered = async || self.others.children().await.is_ok_and(|names| wanted.is_subset(&names));
        holds_within("all servers are registered", SOON, registered).await
    }

    /// Every client has had an answer.
    async fn all_call(&self) -> Result<(), String> {
        let clients = || self.members.iter().filter(|member| !member.role.is_server());
        holds_within("all clients call", SOON, async || clients().all(|client| client.has_called())).await
    }

    /// Nobody begins calls any more, and those that are under way end.
    pub(crate) async fn stop_calling(&self) {
        for member in self.members.iter().filter(|member| matches!(member.role, Role::Client { .. })) {
            member.signal(Signal::SIGUSR1);
        }
        sleep(CALL + Duration::from_millis(500)).await;
    }

    /// Ends every process, in an orderly way as far as it can.
    pub(crate) async fn stop(&mut self) {
        for member in &self.members {
            member.tell_to_stop();
        }
        for member in &self.members {
            if member.ended(SOON).await.is_err() {
                let _ = member.kill().await;
            }
        }
        self.watching.shutdown().await;
    }

    /// The folders with the data of the ensemble.
    pub(crate) fn data_folders(&self) -> Vec<std::path::PathBuf> {
        let logs = self.ensemble.servers().iter().map(zk_testing::Server::log_file);
        logs.map(|log| log.with_file_name("data")).collect()
    }
}
