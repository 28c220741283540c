//! Rows in which many sessions end, or one ends many times.

use std::net::SocketAddr;
use std::time::Duration;

use discovery::Discovery;
use futures_util::future::join_all;
use instance::Instance;
use registry::{Registrar, Registration};
use system_tests::{Node, PROPAGATION, Process, TestBed, free_ports, usage};
use test_zookeeper::Server;
use tokio::time::{Instant, sleep, sleep_until};
use zk_core::{Zk, ZnodePath};
use zk_testing::proxy::{Op, Proxy};
use zk_testing::{expire_session, four_letter_word, holds_within};

use crate::support::*;

// === 14: a session expires, and the next one, and the next ===

/// What a server uses, and the watches that ZooKeeper keeps for it.
#[derive(Clone, Debug, PartialEq)]
struct Resources {
    descriptors: usize,
    threads: usize,
    watches: String,
}

async fn resources(server: &Process, zk: SocketAddr) -> Resources {
    let threads = std::fs::read_dir(format!("/proc/{}/task", server.pid())).unwrap().count();
    let words = four_letter_word(zk, "mntr").await.unwrap();
    let watches =
        words.lines().find(|line| line.starts_with("zk_watch_count")).expect("it is counted").to_owned();
    Resources { descriptors: usage::descriptors(server.pid()), threads, watches }
}

/// The sessions that a program has had, by its log.
fn sessions(server: &Process) -> Vec<i64> {
    let log = server.log();
    let new = log.iter().filter(|(_, line)| line.contains("supervisor: connected"));
    let ids = new.map(|(_, line)| {
        let id = line.split_once("session=0x").expect("its id").1;
        u64::from_str_radix(id.split_whitespace().next().unwrap_or_default(), 16)
            .expect("a number")
            .cast_signed()
    });
    ids.collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fault_14_twenty_expired_sessions_in_a_row_leave_one_znode_and_leak_nothing() {
    let Some(_) = test_zookeeper::require() else { return };
    let zk = Server::start().await.unwrap();
    let bed = TestBed::new(real(), vec![zk.addr()]);
    let ports = free_ports(3);
    let server = bed.server(&ports);
    bed.observer.until("the server", SOON, all_of(&ports)).await.unwrap();
    // Resources are compared from the second session on: the first change of session brings some that stay.
    expire_session(zk.addr(), sessions(&server)[0]).await.unwrap();
    let registered = |owner: i64| {
        let all = all_of(&ports);
        move |nodes: &std::collections::BTreeMap<String, Node>| {
            all(nodes) && nodes.values().all(|node| node.owner == owner)
        }
    };
    next_session(&server, 1).await;
    bed.observer.until("again", SOON, registered(sessions(&server)[1])).await.unwrap();
    let before = resources(&server, zk.addr()).await;

    for round in 1..=20u64 {
        let session = *sessions(&server).last().unwrap();
        if round % 2 == 0 {
            bed.observer.until("again", SOON, registered(session)).await.unwrap();
            sleep(Duration::from_millis(round * 37 % 50)).await;
        }
        // In the other rounds as soon as there is a session, in the middle of its registrations.
        let count = sessions(&server).len();
        match expire_session(zk.addr(), session).await {
            Ok(()) => {}
            Err(error) => panic!("round {round}: {error}"),
        }
        next_session(&server, count).await;
    }
    let last = *sessions(&server).last().unwrap();
    let within = Duration::from_secs(1) + BACKOFF;
    let nodes =
        bed.observer.until("I5: again, all by the last session", within, registered(last)).await.unwrap();
    sleep(gone_within()).await;
    assert_eq!(bed.observer.now(), Some(nodes), "I7: and so it stays");
    assert_eq!(sessions(&server).len(), 22);
    // A thread or a connection may be on its way out.
    let mut now = before.clone();
    let same = holds_within("I10: resources as before", SOON, async || {
        now = resources(&server, zk.addr()).await;
        now == before
    });
    same.await.unwrap_or_else(|late| panic!("{late}: {before:?} has become {now:?}"));
}

async fn next_session(server: &Process, known: usize) {
    let deadline = Instant::now() + Duration::from_secs(1) + BACKOFF;
    while sessions(server).len() <= known {
        assert!(Instant::now() < deadline, "no new session: {}", server.err());
        // Not by `until`, which would look too late: the registrations take a few milliseconds.
        sleep(Duration::from_millis(1)).await;
    }
}

// === 35: the sessions of 20 servers and 50 readers end at once ===

/// T here, the longest that the server grants: seventy links in one process take their time on a busy machine.
const MASS_SESSION: Duration = Duration::from_secs(4);
/// B, for that T.
const MASS_BACKOFF: Duration = Duration::from_secs(1);
const REGISTRATIONS: u16 = 20;
const READERS: usize = 50;

fn link(proxy: &Proxy) -> Zk {
    let config = zk_core::ZkConfig::new(&proxy.connect_string()).unwrap();
    Zk::start(config.with_session_timeout(MASS_SESSION).unwrap()).unwrap()
}

fn root() -> ZnodePath {
    ZnodePath::parse("/go_servers").unwrap()
}

fn register(proxy: &Proxy, port: u16) -> (Zk, Registration) {
    let zk = link(proxy);
    let registrar = Registrar::new(&zk, registry::RegistrarConfig::new(root()));
    let registration = registrar.register(Instance::new(name(port).parse().unwrap())).unwrap();
    (zk, registration)
}

fn follow(proxy: &Proxy) -> (Zk, Discovery) {
    let zk = link(proxy);
    (zk.clone(), Discovery::start(&zk, discovery::DiscoveryConfig::new(root())))
}

/// All registrations stand, and all readers see all of them, by sessions of this epoch.
fn converged(registrations: &[(Zk, Registration)], readers: &[(Zk, Discovery)], epoch: u64) -> bool {
    let registered = |(zk, registration): &(Zk, Registration)| {
        zk.state().epoch == epoch && registration.status().is_registered()
    };
    let sees_all = |(zk, discovery): &(Zk, Discovery)| {
        let view = discovery.view();
        let seen = view.snapshot.as_ref().map_or(0, |snapshot| snapshot.len());
        zk.state().epoch == epoch && view.is_live() && view.held == 0 && seen == usize::from(REGISTRATIONS)
    };
    registrations.iter().all(registered) && readers.iter().all(sees_all)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fault_35_seventy_expired_sessions_come_back_spread_out_and_with_few_requests() {
    let Some(_) = test_zookeeper::require() else { return };
    let zk = Server::start().await.unwrap();
    let proxy = Proxy::start(zk.addr()).await.unwrap();
    let registrations: Vec<_> = (1..=REGISTRATIONS).map(|port| register(&proxy, port)).collect();
    let readers: Vec<_> = (0..READERS).map(|_| follow(&proxy)).collect();
    until("all are registered and seen", SOON, || converged(&registrations, &readers, 1)).await.unwrap();

    proxy.refuse().await;
    let links = registrations.iter().map(|(link, _)| link).chain(readers.iter().map(|(link, _)| link));
    let sessions: Vec<_> = links.map(|link| link.state().session.unwrap().id.0).collect();
    let ended = join_all(sessions.iter().map(|session| expire_session(zk.addr(), *session))).await;
    assert!(ended.iter().all(Result::is_ok), "{ended:?}");
    // Long enough for the waits between attempts to have grown to B.
    sleep(MASS_SESSION).await;
    proxy.clear();
    proxy.pass().await.unwrap();
    let healed = Instant::now();
    // Each link comes with its old session first, and learns that it is over.
    let mut connects = Vec::new();
    while !converged(&registrations, &readers, 2) {
        let count = proxy.requests().iter().filter(|seen| seen.op == Op::Connect).count();
        connects.resize(count, healed.elapsed());
        assert!(healed.elapsed() < MASS_SESSION, "I2: not within the session timeout");
        sleep(Duration::from_millis(5)).await;
    }
    let took = healed.elapsed();
    let count = connects.len();
    let spread = connects[count * 9 / 10] - connects[count / 10];
    println!("converged after {took:?}, four fifths of {count} connects within {spread:?}");
    assert!(spread > MASS_BACKOFF / 2, "the links connect at once: {connects:?}");
    // Past the audits that it might have caused.
    sleep_until(healed + MASS_SESSION + PROPAGATION).await;
    assert!(converged(&registrations, &readers, 2), "and so it stays");
    let costs = |seen: &&zk_testing::proxy::Seen| {
        !matches!(seen.op, Op::Ping | Op::Connect) && seen.path.as_deref() != Some("/")
    };
    let requests = proxy.requests().iter().filter(costs).count();
    println!("{:.1} requests a session", requests as f64 / sessions.len() as f64);
    assert!(requests <= 5 * sessions.len(), "{requests} requests of {} sessions", sessions.len());
    assert!(count <= 3 * sessions.len(), "{count} connects of {} sessions", sessions.len());
}
