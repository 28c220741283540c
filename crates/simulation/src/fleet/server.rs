//! A server process: a link, a registration on it, and a callee.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use oracle::{Data, What};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::sleep;
use zk_core::Zk;
use zk_roster::{HealthCheck, Host, Listening, RunningService, Service};

use super::callees::Callees;
use super::follow;
use super::recorder::Recorder;
use super::{AUDIT, ROOT, once};
use crate::plan::{Callee, ServerKind};

/// How long a process that stops serves on once its service has left.
const SERVES_ON: Duration = Duration::from_millis(100);

/// How long it waits for ZooKeeper to confirm the end of its session.
const CLOSES_WITHIN: Duration = Duration::from_secs(1);

/// A listening socket: an address, and whether it is this process's alone.
struct Socket {
    address: SocketAddr,
    exclusive: bool,
}

impl Listening for Socket {
    fn address(&self) -> io::Result<SocketAddr> {
        Ok(self.address)
    }

    fn is_exclusive(&self) -> bool {
        self.exclusive
    }
}

/// What a server process is made of.
pub(super) struct Birth {
    pub(super) name: String,
    pub(super) port: u16,
    pub(super) config: Callee,
    pub(super) client: u64,
    pub(super) zk: Zk,
    pub(super) callees: Callees,
    pub(super) recorder: Recorder,
}

/// A server process that runs, or is on its way out. Dropped, it is killed.
pub(super) struct Server {
    name: String,
    endpoint: String,
    /// Its client of the ensemble.
    pub(super) client: u64,
    pub(super) zk: Zk,
    service: Option<RunningService>,
    health: watch::Sender<bool>,
    callees: Callees,
    recorder: Recorder,
    wanted: Data,
    stopping: bool,
    ended: Arc<AtomicBool>,
    tasks: JoinSet<()>,
}

/// The endpoint of a server.
pub(super) fn endpoint(port: u16) -> String {
    format!("127.0.0.1:{port}")
}

impl Server {
    /// Listens, and then registers.
    pub(super) fn start(birth: Birth) -> Self {
        let Birth { name, port, config, client, zk, callees, recorder } = birth;
        let endpoint = endpoint(port);
        recorder.record(What::Spawned { process: name.clone() });
        callees.listen(&endpoint, &name);
        let wanted = Data { weight: Some(config.weight), draining: false, incarnation: None };
        let (health, healthy) = watch::channel(true);
        let mut tasks = JoinSet::new();
        tasks.spawn(follow::link(name.clone(), zk.states(), recorder.clone()));
        let mut server = Self {
            name,
            endpoint,
            client,
            zk,
            service: None,
            health,
            callees,
            recorder,
            wanted,
            stopping: false,
            ended: Arc::default(),
            tasks,
        };
        server.want();
        match config.kind {
            ServerKind::Kept => server.register(port, config, healthy),
            kind => {
                let instance = once::instance(&server.endpoint, config.weight);
                server.tasks.spawn(once::create(server.zk.clone(), kind, server.endpoint.clone(), instance));
            }
        }
        server
    }

    fn register(&mut self, port: u16, config: Callee, healthy: watch::Receiver<bool>) {
        let socket = Socket { address: SocketAddr::from(([127, 0, 0, 1], port)), exclusive: config.vouches };
        // Its address is known: nothing looks it up, from this machine.
        let (_, host) = watch::channel(Some(Host::from(socket.address.ip())));
        let service = Service::new(&self.zk, ROOT)
            .weight(config.weight)
            .advertise_from(host)
            .health(HealthCheck::watch(healthy))
            .registrar(|registrar| {
                let registrar = registrar.with_audit_interval(AUDIT).expect("an allowed interval");
                if config.shares_watch { registrar.with_own_watches(0) } else { registrar }
            })
            .serve_on(&socket);
        let service = service.expect("all that is known without ZooKeeper is right");
        let (name, endpoint) = (self.name.clone(), self.endpoint.clone());
        self.tasks.spawn(follow::registration(name, endpoint, service.statuses(), self.recorder.clone()));
        self.service = Some(service);
    }

    /// Records what is to be registered.
    fn want(&self) {
        let (process, name, data) = (self.name.clone(), self.endpoint.clone(), self.wanted.clone());
        self.recorder.record(What::Wanted { process, name, data });
    }

    /// Whether the process has not ended.
    pub(super) fn is_alive(&self) -> bool {
        !self.ended.load(Ordering::Relaxed)
    }

    /// Whether it runs, and is not told to stop.
    pub(super) fn is_serving(&self) -> bool {
        self.is_alive() && !self.stopping
    }

    /// Changes the weight; false if nothing changes.
    pub(super) fn reweigh(&mut self, weight: u32) -> bool {
        let Some(service) = self.service.as_ref().filter(|_| !self.stopping) else { return false };
        if self.wanted.weight == Some(weight) || service.update(|record| record.weight = weight).is_err() {
            return false;
        }
        self.wanted.weight = Some(weight);
        self.want();
        true
    }

    /// Says that it is about to leave, or no longer does; false if nothing changes.
    pub(super) fn drain(&mut self, draining: bool) -> bool {
        if self.service.is_none() || self.stopping || self.wanted.draining == draining {
            return false;
        }
        self.health.send_replace(!draining);
        self.wanted.draining = draining;
        self.want();
        true
    }

    /// Leaves, serves on for a moment, and ends.
    pub(super) fn stop(&mut self) {
        self.stopping = true;
        let (process, name) = (self.name.clone(), self.endpoint.clone());
        self.recorder.record(What::Unwanted { process: process.clone(), name });
        let (service, zk, ended) = (self.service.take(), self.zk.clone(), self.ended.clone());
        let (callees, endpoint, recorder) =
            (self.callees.clone(), self.endpoint.clone(), self.recorder.clone());
        self.tasks.spawn(async move {
            if let Some(service) = &service {
                // Whether ZooKeeper confirms it or not: the process ends.
                let _ = service.leave().await;
            }
            sleep(SERVES_ON).await;
            callees.close(&endpoint);
            drop(service);
            let _ = zk.close(CLOSES_WITHIN).await;
            ended.store(true, Ordering::Relaxed);
            recorder.record(What::Exited { process, status: Some(0) });
        });
    }

    /// Ends at once. What is left of it reaches nobody: the ensemble must have been told before.
    pub(super) fn kill(mut self) {
        self.callees.close(&self.endpoint);
        self.tasks.abort_all();
        if self.is_alive() {
            self.recorder.record(What::Exited { process: self.name.clone(), status: None });
        }
    }
}
