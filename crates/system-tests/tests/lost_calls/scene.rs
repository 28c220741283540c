//! Three services, one process each, and what happens to them.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use futures_util::future::join_all;
use nix::sys::signal::Signal;
use system_tests::{Process, free_ports};
use tempfile::TempDir;
use tokio::time::{sleep, timeout};
use zk_roster::{Discovery, DiscoveryConfig, Zk};
use zk_testing::SOON;

use crate::method::{Load, Method, Tally};

pub(crate) const ROOT: &str = "/services/greeter";
const SERVERS: usize = 3;

/// What callers do: each method's tally, in the order of the methods.
pub(crate) type Tallies = Vec<Tally>;

/// How long everything takes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    /// Between two calls of a method.
    pub(crate) interval: Duration,
    /// The session timeout of the services: for so long ZooKeeper lists a killed one.
    pub(crate) session: Duration,
    /// Before, between and after what happens.
    pub(crate) calm: Duration,
    /// After a service was killed.
    pub(crate) after_kill: Duration,
}

/// Three services. `Drop` kills them.
pub(crate) struct Scene {
    hosts: String,
    pace: Pace,
    folder: TempDir,
    /// By port.
    running: BTreeMap<u16, Process>,
    watcher: Discovery,
}

impl Scene {
    pub(crate) async fn start(zk: &Zk, hosts: String, pace: Pace) -> Self {
        let folder = TempDir::new().unwrap();
        let watcher = Discovery::start(zk, DiscoveryConfig::new(ROOT.parse().unwrap()));
        let mut scene = Self { hosts, pace, folder, running: BTreeMap::new(), watcher };
        for port in free_ports(SERVERS) {
            scene.run(port);
        }
        scene.all_registered().await;
        scene
    }

    /// One service is stopped by SIGTERM, and another one by `kill -9`; one is left. Afterwards all run again.
    pub(crate) async fn stop_one_and_kill_one(&mut self, methods: &[Method]) -> Tallies {
        let ports: Vec<u16> = self.running.keys().copied().collect();
        let loads = self.load(methods);
        sleep(self.pace.calm).await;
        self.stop(ports[0]).await;
        sleep(self.pace.calm).await;
        self.running.remove(&ports[1]).unwrap().kill().await;
        sleep(self.pace.after_kill).await;
        let tallies = finish(loads).await;
        self.run(ports[0]);
        self.run(ports[1]);
        self.all_registered().await;
        tallies
    }

    /// Each service is stopped by SIGTERM and started again, one after the other.
    pub(crate) async fn restart_all(&mut self, methods: &[Method]) -> Tallies {
        let ports: Vec<u16> = self.running.keys().copied().collect();
        let loads = self.load(methods);
        sleep(self.pace.calm).await;
        for port in ports {
            self.stop(port).await;
            self.run(port);
            self.all_registered().await;
            sleep(self.pace.calm).await;
        }
        finish(loads).await
    }

    fn load(&self, methods: &[Method]) -> Vec<Load> {
        methods.iter().map(|method| Load::start(method, self.pace.interval)).collect()
    }

    async fn stop(&mut self, port: u16) {
        let process = self.running.remove(&port).unwrap();
        process.signal(Signal::SIGTERM);
        let exit = process.exit(SOON).await.unwrap();
        assert_eq!(exit.code, Some(0), "{}", exit.err);
    }

    fn run(&mut self, port: u16) {
        let session = self.pace.session.as_millis().to_string();
        let port_argument = port.to_string();
        let arguments = [
            ["--zookeeper", &self.hosts],
            ["--session-timeout", &session],
            ["--root", ROOT],
            ["--port", &port_argument],
        ];
        let arguments: Vec<_> = arguments.iter().flatten().map(ToString::to_string).collect();
        let program = Path::new(env!("CARGO_BIN_EXE_greeter"));
        let process = Process::start(program, self.folder.path(), &arguments, &[("RUST_LOG", "info")]);
        self.running.insert(port, process.unwrap());
    }

    /// Waits until those that run are registered, and the znode of nobody else is left.
    async fn all_registered(&self) {
        let mut views = self.watcher.views();
        let ports: Vec<u16> = self.running.keys().copied().collect();
        let registered = views.wait_for(|view| {
            let snapshot = view.snapshot.as_ref();
            let listed = snapshot.map(|set| set.endpoints().map(|endpoint| endpoint.port()).collect());
            view.held == 0 && listed.as_ref() == Some(&ports)
        });
        let in_time = timeout(SOON + self.pace.session, registered).await.is_ok();
        let logs: Vec<_> = self.running.values().map(Process::err).collect();
        assert!(in_time, "{ports:?} are not registered: {:?}\n{}", self.watcher.view(), logs.join("\n"));
    }
}

async fn finish(loads: Vec<Load>) -> Tallies {
    join_all(loads.into_iter().map(Load::finish)).await
}
