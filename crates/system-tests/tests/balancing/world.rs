//! A ZooKeeper, some healthy servers and a fleet of others, all registered.

use futures_util::future::join_all;
use system_tests::{Process, TICK, TestBed, free_ports, name};
use zk_embedded::Server;
use zk_testing::raw::{Client, CreateMode};
use zk_testing::{SESSION, eventually};

use crate::asking::{Asking, Limits};
use crate::fleet::Fleet;

/// Not the root that the test bed's observer reads: it would read hundreds of znodes a hundred times a second.
const ROOT: &str = "/fleet";

/// Everything that a client meets. `Drop` ends it.
#[derive(Debug)]
pub(crate) struct World {
    bed: TestBed,
    fleet: Fleet,
    _healthy: Vec<Process>,
    _registrar: Client,
    _zookeeper: Server,
}

impl World {
    /// Starts healthy servers, one process each, and registers them and the fleet.
    pub(crate) async fn start(healthy: usize, fleet: Fleet) -> Self {
        let zookeeper = Server::builder().tick(TICK).start().await.unwrap();
        let bed = TestBed::new(system_tests::programs!(), vec![zookeeper.addr()]);
        let registrar = Client::connect(zookeeper.addr(), 2 * SESSION).await.unwrap();
        registrar.create_all(ROOT).await.unwrap();
        let registered = fleet.endpoints.iter().map(async |endpoint| {
            registrar.create(&format!("{ROOT}/{endpoint}"), b"", CreateMode::Ephemeral).await.unwrap();
        });
        join_all(registered).await;
        let ports = free_ports(healthy);
        let start = |port: &u16| bed.server_in("exec \"$@\"", &["--port", &port.to_string(), "--root", ROOT]);
        let servers: Vec<_> = ports.iter().map(start).collect();
        for port in ports {
            let znode = format!("{ROOT}/{}", name(port));
            let registered = async || registrar.exists(&znode).await.unwrap().is_some();
            eventually(&format!("{znode} is registered"), registered).await;
        }
        if let Some(address) = fleet.name_service() {
            bed.write("resolv.conf", &format!("nameserver {address}\n"));
        }
        Self { bed, fleet, _healthy: servers, _registrar: registrar, _zookeeper: zookeeper }
    }

    /// Starts a client that asks so many rounds.
    pub(crate) fn ask(
        &self,
        strategy: &'static str,
        limits: Limits,
        rounds: usize,
        interval: &str,
    ) -> Asking {
        let mut arguments = limits.arguments(&self.bed);
        let rounds = rounds.to_string();
        let others = ["--root", ROOT, "--strategy", strategy, "--rounds", &rounds, "--interval", interval];
        arguments.extend(others.map(str::to_owned));
        let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
        let process = match self.fleet.name_service() {
            Some(_) => self.bed.client_in(WITH_NAME_SERVICE, &arguments),
            None => self.bed.client(&arguments),
        };
        Asking::new(strategy, process)
    }
}

/// Runs a program with a name service of its own.
const WITH_NAME_SERVICE: &str = "exec unshare --mount -- \
    sh -c 'mount --bind resolv.conf /etc/resolv.conf && exec \"$@\"' sh \"$@\"";
