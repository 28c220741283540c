//! Rows that need a network and a hosts file of their own: the inner half of each runs in namespaces.

use std::net::SocketAddr;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use system_tests::{BlackHole, PROPAGATION, Process, SESSION, TICK, TestBed, free_port};
use test_zookeeper::Server;
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep, timeout};

use crate::support::*;

/// Set for an inner half.
const INSIDE: &str = "SYSTEM_TESTS_NAMESPACE";
/// A hardware address that no interface has: packets to it are lost, without an error.
const NOBODY: &str = "02:00:00:00:00:99";

/// Runs the inner half of a test in network, mount and process namespaces, whose processes end with it.
pub(crate) async fn run_inside(test: &str, why: &str) {
    let Some(_) = test_zookeeper::require() else { return };
    let Some(_) = system_tests::namespaces(why) else { return };
    let mut inner = Command::from(system_tests::unshared());
    inner.arg(std::env::current_exe().unwrap()).args(["--exact", test, "--ignored", "--nocapture"]);
    inner.env(INSIDE, "1").stdin(Stdio::null()).kill_on_drop(true);
    let output = timeout(Duration::from_secs(120), inner.output()).await.expect("an end").unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && out.contains("1 passed"), "{err}\n{out}");
}

/// Whether this is the inner half of a test, in namespaces that it may change.
pub(crate) fn is_inside() -> bool {
    let inside = std::env::var_os(INSIDE).is_some();
    assert!(inside, "run by the test that its `ignore` names");
    inside
}

pub(crate) fn run(program: &str, arguments: &str) {
    let done = std::process::Command::new(program).args(arguments.split(' ')).status();
    assert!(done.unwrap_or_else(|error| panic!("{program}: {error}")).success(), "{program} {arguments}");
}

// === 15: packets to ZooKeeper, or those from it, are lost ===

const WHY_15: &str = "a partition in one direction takes a network namespace";

#[tokio::test]
async fn fault_15_a_server_notices_a_partition_in_either_direction_and_registers_again() {
    run_inside("namespace::in_namespace_fault_15_a_server_notices_a_partition", WHY_15).await;
}

/// A second network namespace, with a link to this one: this one is 10.9.0.1, the second one 10.9.0.2.
struct SecondNetwork(Child);

impl SecondNetwork {
    async fn create() -> Self {
        run("ip", "link set lo up");
        let holder =
            Command::new("unshare").args(["--net", "sleep", "600"]).kill_on_drop(true).spawn().unwrap();
        let second = Self(holder);
        let inode = |path: String| std::fs::metadata(path).map(|found| found.ino());
        let own = inode("/proc/self/ns/net".into()).unwrap();
        let is_there = || inode(second.path()).is_ok_and(|other| other != own);
        until("there is a second network namespace", SOON, is_there).await.unwrap();
        let pid = second.0.id().unwrap();
        run("ip", &format!("link add here type veth peer name there netns {pid}"));
        run("ip", "addr add 10.9.0.1/24 dev here");
        run("ip", "link set here up");
        second.run("link set lo up");
        second.run("addr add 10.9.0.2/24 dev there");
        second.run("link set there up");
        second
    }

    fn path(&self) -> String {
        format!("/proc/{}/ns/net", self.0.id().expect("`sleep` runs"))
    }

    fn run(&self, arguments: &str) {
        run("nsenter", &format!("--net={} ip {arguments}", self.path()));
    }

    /// Starts a daytime server in it.
    fn server(&self, arguments: &[&str]) -> Process {
        let program = real().server.display().to_string();
        let net = format!("--net={}", self.path());
        let all: Vec<_> =
            [&[&net, "--", &program], arguments].concat().into_iter().map(str::to_owned).collect();
        Process::start(Path::new("nsenter"), Path::new("/"), &all, &[]).unwrap()
    }
}

#[derive(Clone, Copy, Debug)]
enum Lost {
    /// Packets to ZooKeeper.
    Requests,
    /// Packets from ZooKeeper.
    Replies,
}

impl Lost {
    fn begin(self, second: &SecondNetwork) {
        match self {
            Self::Requests => {
                second.run(&format!("neigh replace 10.9.0.1 lladdr {NOBODY} dev there nud permanent"))
            }
            Self::Replies => {
                run("ip", &format!("neigh replace 10.9.0.2 lladdr {NOBODY} dev here nud permanent"))
            }
        }
    }

    fn end(self, second: &SecondNetwork) {
        match self {
            Self::Requests => second.run("neigh del 10.9.0.1 dev there"),
            Self::Replies => run("ip", "neigh del 10.9.0.2 dev here"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "run by fault_15"]
async fn in_namespace_fault_15_a_server_notices_a_partition() {
    assert!(is_inside());
    let second = SecondNetwork::create().await;
    let zk = Server::start().await.unwrap();
    let bed = TestBed::new(real(), vec![zk.addr()]);
    // ZooKeeper itself listens on the loopback interface only.
    let entrance: SocketAddr = format!("10.9.0.1:{}", free_port()).parse().unwrap();
    let _forwarder = BlackHole::start(entrance, zk.addr()).await.unwrap();
    let port = free_port().to_string();
    let server =
        second.server(&["--zookeeper", &entrance.to_string(), "--session-timeout", "2s", "--port", &port]);
    let mut nodes = bed.observer.until("the server", SOON, |nodes| nodes.len() == 1).await.unwrap();
    let watch = bed.client(&["watch", "--json"]);
    until_changes(&watch, 1).await.unwrap();

    for (round, lost) in [Lost::Requests, Lost::Replies].into_iter().enumerate() {
        let cut = Instant::now();
        lost.begin(&second);
        // I9: the server notices that its registration is unconfirmed.
        let noticed = SESSION * 2 / 5 + SESSION / 20 + PROPAGATION;
        while server.err().matches("connection lost session=").count() == round {
            assert!(cut.elapsed() < noticed, "{lost:?}: not noticed within {noticed:?}:\n{}", server.err());
            sleep(Duration::from_millis(5)).await;
        }
        // I4: until then ZooKeeper may have received its pings.
        let gone = gone_within() + SESSION * 2 / 5;
        bed.observer
            .until("gone", gone, |nodes| nodes.is_empty())
            .await
            .unwrap_or_else(|error| panic!("{lost:?}: {error}"));
        // A single instance is no mass disappearance: the client believes it at once.
        let count = 2 * (round + 1);
        until_changes(&watch, count).await.unwrap();
        sleep(SESSION).await;

        lost.end(&second);
        let within = BACKOFF + Duration::from_secs(2);
        let back = bed.observer.until("back", within, |nodes| nodes.len() == 1).await;
        let back = back.unwrap_or_else(|error| panic!("{lost:?}: {error}:\n{}", server.err()));
        assert_eq!(back.keys().collect::<Vec<_>>(), nodes.keys().collect::<Vec<_>>(), "the same name");
        assert_ne!(back, nodes, "by another session");
        owned(&back).unwrap();
        until_changes(&watch, count + 1).await.unwrap();
        sleep(gone_within()).await;
        assert_eq!(bed.observer.now().as_ref(), Some(&back), "I7: and so it stays");
        nodes = back;
    }
}

// === 36: the name of the ensemble resolves to another address; hosts that are dead ===

const WHY_36: &str = "another table of host names takes a mount namespace";

#[tokio::test]
async fn fault_36_host_names_are_resolved_for_each_connect_and_dead_hosts_do_not_delay_it() {
    run_inside("namespace::in_namespace_fault_36_host_names_are_resolved_for_each_connect", WHY_36).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "run by fault_36"]
async fn in_namespace_fault_36_host_names_are_resolved_for_each_connect() {
    assert!(is_inside());
    let second = SecondNetwork::create().await;
    let folder = tempfile::tempdir().unwrap();
    let table = folder.path().join("hosts");
    let name_resolves_to = |address: &str| {
        // Written in place, as this very file is mounted.
        std::fs::write(&table, format!("127.0.0.1 localhost\n{address} zookeeper.test\n")).unwrap();
    };
    name_resolves_to("127.0.0.2");
    run("mount", &format!("--bind {} /etc/hosts", table.display()));

    let zk = Server::start().await.unwrap();
    let bed = TestBed::new(real(), vec![zk.addr()]);
    let (port_of_zk, dead) = (free_port(), free_port());
    let old = BlackHole::start(SocketAddr::from(([127, 0, 0, 2], port_of_zk)), zk.addr()).await.unwrap();
    // One host refuses, one swallows packets, one has no address, and one is ZooKeeper.
    run("ip", &format!("neigh replace 10.9.0.77 lladdr {NOBODY} dev here nud permanent"));
    let hosts = format!(
        "127.0.0.1:{dead},10.9.0.77:{port_of_zk},no-such-host.invalid:{port_of_zk},zookeeper.test:{port_of_zk}"
    );
    let common = ["--zookeeper", &hosts, "--session-timeout", "2s"];
    for _ in 0..5 {
        let started = Instant::now();
        let port = free_port();
        let server = bed.server_with(&[&common[..], &["--port", &port.to_string()]].concat());
        // Within two connect timeouts of 2 s: a host that fails does not delay the others.
        bed.observer.until("registered", Duration::from_secs(4), all_of(&[port])).await.unwrap();
        println!("registered after {:?}", started.elapsed());
        server.signal(nix::sys::signal::Signal::SIGTERM);
        server.exit(SOON).await.unwrap();
        bed.observer.until("gone", SOON, all_of(&[])).await.unwrap();
    }

    let port = free_port();
    let server = bed.server_with(&[&common[..], &["--port", &port.to_string()]].concat());
    let before = bed.observer.until("registered", SOON, all_of(&[port])).await.unwrap();
    // The ensemble moves: the old address is gone, the name resolves to the new one.
    drop(old);
    let new = BlackHole::start(SocketAddr::from(([127, 0, 0, 3], port_of_zk)), zk.addr()).await.unwrap();
    name_resolves_to("127.0.0.3");
    let resumed = || server.has_logged("session resumed");
    let resumed = until("the link is at the new address", SESSION, resumed).await;
    resumed.unwrap_or_else(|late| panic!("{late}:\n{}", server.err()));
    assert!(!new.arrivals().is_empty());
    sleep(gone_within() + TICK).await;
    assert_eq!(bed.observer.now(), Some(before), "I7: the same session, the same znode");
    drop(second);
}
