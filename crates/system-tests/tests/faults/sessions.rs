//! Rows in which many sessions end, or one ends many times.

use std::net::SocketAddr;
use std::time::Duration;

use system_tests::{Node, Process, Scene, free_ports, usage};
use test_zookeeper::Server;
use tokio::time::{Instant, sleep};
use zk_testing::{expire_session, four_letter_word};

use crate::support::*;

// === 14: a session expires, and the next one, and the next ===

/// What a server holds, and what ZooKeeper holds for it.
#[derive(Clone, Debug, PartialEq)]
struct Held {
    descriptors: usize,
    threads: usize,
    watches: String,
}

async fn held(server: &Process, zk: SocketAddr) -> Held {
    let threads = std::fs::read_dir(format!("/proc/{}/task", server.pid())).unwrap().count();
    let words = four_letter_word(zk, "wchs").await.unwrap();
    let watches = words.lines().find(|line| line.starts_with("Total watches:")).unwrap_or(&words).to_owned();
    Held { descriptors: usage::descriptors(server.pid()), threads, watches }
}

/// The sessions that a program has had, in its own words.
fn sessions(server: &Process) -> Vec<i64> {
    let log = server.log();
    let new = log.iter().filter(|(_, line)| line.contains("connected, new session"));
    let ids = new.map(|(_, line)| {
        let id = line.split_once("session=0x").expect("its id").1;
        u64::from_str_radix(id.split_whitespace().next().unwrap_or_default(), 16)
            .expect("a number")
            .cast_signed()
    });
    ids.collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fault_14_twenty_expiries_in_a_row_leave_nothing_behind() {
    let Some(_) = test_zookeeper::require() else { return };
    let zk = Server::start().await.unwrap();
    let scene = Scene::new(real(), vec![zk.addr()]);
    let ports = free_ports(3);
    let server = scene.server(&ports);
    scene.observer.until("the server", SOON, all_of(&ports)).await.unwrap();
    // The first change of session brings what every later one has as well.
    expire_session(zk.addr(), sessions(&server)[0]).await.unwrap();
    let registered = |owner: i64| {
        let all = all_of(&ports);
        move |nodes: &std::collections::BTreeMap<String, Node>| {
            all(nodes) && nodes.values().all(|node| node.owner == owner)
        }
    };
    next_session(&server, 1).await;
    scene.observer.until("again", SOON, registered(sessions(&server)[1])).await.unwrap();
    let before = held(&server, zk.addr()).await;

    for round in 1..=20u64 {
        let session = *sessions(&server).last().unwrap();
        if round % 2 == 0 {
            scene.observer.until("again", SOON, registered(session)).await.unwrap();
            sleep(Duration::from_millis(round * 37 % 50)).await;
        }
        // Otherwise as soon as there is a session: in the middle of its registrations.
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
        scene.observer.until("I5: again, all by the last session", within, registered(last)).await.unwrap();
    sleep(gone_within()).await;
    assert_eq!(scene.observer.now(), Some(nodes), "I7: and so it stays");
    assert_eq!(sessions(&server).len(), 22);
    // A thread or a connection may be on its way out.
    let deadline = Instant::now() + SOON;
    while held(&server, zk.addr()).await != before {
        let now = held(&server, zk.addr()).await;
        assert!(Instant::now() < deadline, "I10: {before:?} has become {now:?}");
        sleep(Duration::from_millis(50)).await;
    }
}

async fn next_session(server: &Process, known: usize) {
    let deadline = Instant::now() + Duration::from_secs(1) + BACKOFF;
    while sessions(server).len() <= known {
        assert!(Instant::now() < deadline, "no new session: {}", server.err());
        sleep(Duration::from_millis(1)).await;
    }
}
