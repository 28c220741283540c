//! Rows that need a network, and a table of host names, of their own: the inner half of each runs in namespaces.

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
/// A hardware address that nobody has: what is sent there is lost, without a word.
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

/// Whether this is the inside of namespaces that may be changed at will.
pub(crate) fn is_inside() -> bool {
    let inside = std::env::var_os(INSIDE).is_some();
    assert!(inside, "run by the test of the same name without `inner_`");
    inside
}

pub(crate) fn run(program: &str, arguments: &str) {
    let done = std::process::Command::new(program).args(arguments.split(' ')).status();
    assert!(done.unwrap_or_else(|error| panic!("{program}: {error}")).success(), "{program} {arguments}");
}

// === 15: the way to ZooKeeper is open in one direction only ===

const WHY_15: &str = "a partition in one direction takes a network namespace";

#[tokio::test]
async fn fault_15_a_partition_in_either_direction_is_admitted_and_mended() {
    run_inside("namespace::inner_15", WHY_15).await;
}

/// A second namespace, joined to this one by a wire: here is 10.9.0.1, there 10.9.0.2.
struct There(Child);

impl There {
    async fn join() -> Self {
        run("ip", "link set lo up");
        let holder =
            Command::new("unshare").args(["--net", "sleep", "600"]).kill_on_drop(true).spawn().unwrap();
        let there = Self(holder);
        let inode = |path: String| std::fs::metadata(path).map(|found| found.ino());
        let own = inode("/proc/self/ns/net".into()).unwrap();
        let deadline = Instant::now() + SOON;
        while inode(there.path()).is_ok_and(|other| other == own) {
            assert!(Instant::now() < deadline, "no second namespace");
            sleep(Duration::from_millis(5)).await;
        }
        let pid = there.0.id().unwrap();
        run("ip", &format!("link add here type veth peer name there netns {pid}"));
        run("ip", "addr add 10.9.0.1/24 dev here");
        run("ip", "link set here up");
        there.run("link set lo up");
        there.run("addr add 10.9.0.2/24 dev there");
        there.run("link set there up");
        there
    }

    fn path(&self) -> String {
        format!("/proc/{}/ns/net", self.0.id().expect("it sleeps"))
    }

    fn run(&self, arguments: &str) {
        run("nsenter", &format!("--net={} ip {arguments}", self.path()));
    }

    /// Starts a daytime server there.
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
    /// What the program sends.
    Requests,
    /// What ZooKeeper sends.
    Replies,
}

impl Lost {
    fn begin(self, there: &There) {
        match self {
            Self::Requests => {
                there.run(&format!("neigh replace 10.9.0.1 lladdr {NOBODY} dev there nud permanent"))
            }
            Self::Replies => {
                run("ip", &format!("neigh replace 10.9.0.2 lladdr {NOBODY} dev here nud permanent"))
            }
        }
    }

    fn end(self, there: &There) {
        match self {
            Self::Requests => there.run("neigh del 10.9.0.1 dev there"),
            Self::Replies => run("ip", "neigh del 10.9.0.2 dev here"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "run by fault_15"]
async fn inner_15() {
    assert!(is_inside());
    let there = There::join().await;
    let zk = Server::start().await.unwrap();
    let bed = TestBed::new(real(), vec![zk.addr()]);
    // ZooKeeper itself listens on the loopback interface only.
    let door: SocketAddr = format!("10.9.0.1:{}", free_port()).parse().unwrap();
    let _gate = BlackHole::start(door, zk.addr()).await.unwrap();
    let port = free_port().to_string();
    let server =
        there.server(&["--zookeeper", &door.to_string(), "--session-timeout", "2s", "--port", &port]);
    let mut nodes = bed.observer.until("the server", SOON, |nodes| nodes.len() == 1).await.unwrap();
    let watch = bed.client(&["watch", "--json"]);
    prints(&watch, 1).await.unwrap();

    for (round, lost) in [Lost::Requests, Lost::Replies].into_iter().enumerate() {
        let cut = Instant::now();
        lost.begin(&there);
        // I9: it does not go on to believe that it is registered.
        let honest = SESSION * 2 / 5 + SESSION / 20 + PROPAGATION;
        while server.err().matches("connection lost session=").count() == round {
            assert!(cut.elapsed() < honest, "{lost:?}: not noticed within {honest:?}:\n{}", server.err());
            sleep(Duration::from_millis(5)).await;
        }
        // I4: ZooKeeper may hear its pings up to then.
        let gone = gone_within() + SESSION * 2 / 5;
        bed.observer
            .until("gone", gone, |nodes| nodes.is_empty())
            .await
            .unwrap_or_else(|error| panic!("{lost:?}: {error}"));
        // One instance of one is no mass: the caller knows at once.
        let count = 2 * (round + 1);
        prints(&watch, count).await.unwrap();
        sleep(SESSION).await;

        lost.end(&there);
        let within = BACKOFF + Duration::from_secs(2);
        let back = bed.observer.until("back", within, |nodes| nodes.len() == 1).await;
        let back = back.unwrap_or_else(|error| panic!("{lost:?}: {error}:\n{}", server.err()));
        assert_eq!(back.keys().collect::<Vec<_>>(), nodes.keys().collect::<Vec<_>>(), "the same name");
        assert_ne!(back, nodes, "by another session");
        owned(&back).unwrap();
        prints(&watch, count + 1).await.unwrap();
        sleep(gone_within()).await;
        assert_eq!(bed.observer.now().as_ref(), Some(&back), "I7: and so it stays");
        nodes = back;
    }
}

// === 36: the name of the ensemble leads elsewhere; hosts that are dead ===

const WHY_36: &str = "another table of host names takes a mount namespace";

#[tokio::test]
async fn fault_36_names_are_looked_up_anew_and_dead_hosts_cost_no_time() {
    run_inside("namespace::inner_36", WHY_36).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "run by fault_36"]
async fn inner_36() {
    assert!(is_inside());
    let there = There::join().await;
    let folder = tempfile::tempdir().unwrap();
    let table = folder.path().join("hosts");
    let name_leads_to = |address: &str| {
        // Written in place: the mount shows this very file.
        std::fs::write(&table, format!("127.0.0.1 localhost\n{address} zookeeper.test\n")).unwrap();
    };
    name_leads_to("127.0.0.2");
    run("mount", &format!("--bind {} /etc/hosts", table.display()));

    let zk = Server::start().await.unwrap();
    let bed = TestBed::new(real(), vec![zk.addr()]);
    let (door, dead) = (free_port(), free_port());
    let old = BlackHole::start(SocketAddr::from(([127, 0, 0, 2], door)), zk.addr()).await.unwrap();
    // One host refuses, one is a black hole, one has no address, and one leads to ZooKeeper.
    run("ip", &format!("neigh replace 10.9.0.77 lladdr {NOBODY} dev here nud permanent"));
    let hosts =
        format!("127.0.0.1:{dead},10.9.0.77:{door},no-such-host.invalid:{door},zookeeper.test:{door}");
    let common = ["--zookeeper", &hosts, "--session-timeout", "2s"];
    for _ in 0..5 {
        let started = Instant::now();
        let port = free_port();
        let server = bed.server_with(&[&common[..], &["--port", &port.to_string()]].concat());
        // Two connect timeouts of 2 s are what may be needed; those that fail do not hold up the others.
        bed.observer.until("registered", Duration::from_secs(4), all_of(&[port])).await.unwrap();
        println!("registered after {:?}", started.elapsed());
        server.signal(nix::sys::signal::Signal::SIGTERM);
        server.exit(SOON).await.unwrap();
        bed.observer.until("gone", SOON, all_of(&[])).await.unwrap();
    }

    let port = free_port();
    let server = bed.server_with(&[&common[..], &["--port", &port.to_string()]].concat());
    let before = bed.observer.until("registered", SOON, all_of(&[port])).await.unwrap();
    // The ensemble moves: the old address is gone, the name leads to the new one.
    drop(old);
    let new = BlackHole::start(SocketAddr::from(([127, 0, 0, 3], door)), zk.addr()).await.unwrap();
    name_leads_to("127.0.0.3");
    let moved = Instant::now();
    while !server.err().contains("session resumed") {
        assert!(moved.elapsed() < SESSION, "not found at its new address:\n{}", server.err());
        sleep(Duration::from_millis(5)).await;
    }
    assert!(!new.arrivals().is_empty());
    sleep(gone_within() + TICK).await;
    assert_eq!(bed.observer.now(), Some(before), "I7: the same session, the same znode");
    drop(there);
}
