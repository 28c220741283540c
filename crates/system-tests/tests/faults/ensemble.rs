//! Rows in which servers of an ensemble are restarted or hang.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use system_tests::{PROPAGATION, Process, SESSION, TestBed, free_port};
use tokio::time::sleep;
use zk_testing::{Ensemble, raw};

use crate::support::*;

// === 8: the servers of an ensemble are restarted, one after another ===

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fault_08_a_rolling_restart_of_the_ensemble_keeps_every_session_and_znode() {
    let Some(_) = test_zookeeper::require_apache() else { return };
    let mut ensemble = Ensemble::start(3).await.unwrap();
    let bed = TestBed::new(real(), addresses(&ensemble));
    let (ports, servers, before) = three_servers(&bed).await.unwrap();
    let watch = bed.client(&["watch", "--json"]);
    until_changes(&watch, 3).await.unwrap();
    let client = bed.client(&FOR_EVER);
    until_answers(&client, 50).await.unwrap();

    for member in 0..3 {
        ensemble.server(member).restart().await.unwrap();
        ensemble.wait_quorum().await.unwrap();
        // It has caught up: it knows all three itself.
        let own = raw::Client::connect(ensemble.servers()[member].addr(), SESSION).await.unwrap();
        own.sync("/go_servers").await.unwrap();
        assert_eq!(own.children("/go_servers").await.unwrap().0.len(), 3);
        own.close().await.unwrap();
    }
    // Past the moment at which a session that did not come back would end.
    sleep(gone_within()).await;
    let after = bed.observer.until("all three", SOON, all_of(&ports)).await.unwrap();
    assert_eq!(after, before, "I7: the same znodes of the same sessions");
    assert_eq!(changes(&watch).len(), 3, "I1: {:?}", changes(&watch));
    for program in servers.iter().chain([&watch]) {
        let resumed = program.err().matches("session resumed").count();
        assert!(resumed > 0, "each was connected to a server that was restarted:\n{}", program.err());
        assert_eq!(program.err().matches("supervisor: connected").count(), 1, "{}", program.err());
    }
    still_answered(&client).await.unwrap();
}

// === 11: the server of the ensemble that a program is connected to hangs ===

/// The server of ZooKeeper that a program has logged last as its connection's.
fn connected_to(program: &Process) -> Option<SocketAddr> {
    let log = program.log();
    let server = log.iter().rev().find_map(|(_, line)| {
        let connected = line.contains("session resumed") || line.contains("supervisor: connected");
        connected.then(|| line.split_once("server=")?.1.split_whitespace().next()).flatten()
    });
    server.map(|address| address.parse().unwrap_or_else(|error| panic!("{address}: {error}")))
}

fn addresses(ensemble: &Ensemble) -> Vec<SocketAddr> {
    ensemble.servers().iter().map(zk_testing::Server::addr).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fault_11_a_link_to_a_hung_server_moves_to_another_one_in_the_same_session() {
    let Some(_) = test_zookeeper::require_apache() else { return };
    let ensemble = Ensemble::start(3).await.unwrap();
    let bed = TestBed::new(real(), addresses(&ensemble));
    let (mut ports, mut servers, _) = three_servers(&bed).await.unwrap();
    let leader = ensemble.servers()[ensemble.leader().await.expect("a leader")].addr();
    // Each program is connected to a random server. Not the leader: without it the ensemble would first elect another.
    let hung = loop {
        let mut counts = BTreeMap::new();
        for server in servers.iter().filter_map(connected_to).filter(|server| *server != leader) {
            *counts.entry(server).or_insert(0) += 1;
        }
        if let Some((server, _)) = counts.into_iter().find(|(_, programs)| *programs >= 3) {
            break server;
        }
        let port = free_port();
        servers.push(bed.server(&[port]));
        ports.push(port);
        bed.observer.until("one more", SOON, all_of(&ports)).await.unwrap();
    };
    let before = bed.observer.now().unwrap();
    let watch = bed.client(&["watch", "--json"]);
    until_changes(&watch, ports.len()).await.unwrap();
    let client = bed.client(&FOR_EVER);
    until_answers(&client, 20).await.unwrap();

    let member = ensemble.servers().iter().find(|server| server.addr() == hung).unwrap();
    member.pause().await.unwrap();
    let within = SESSION * 2 / 5 + BACKOFF + PROPAGATION;
    let all_moved = || servers.iter().all(|program| connected_to(program) != Some(hung));
    until(&format!("no program is connected to {hung}"), within, all_moved).await.unwrap();
    // Past the moment at which a session that did not find another server would end.
    sleep(gone_within()).await;
    member.resume().unwrap();
    sleep(SESSION).await;
    let after = bed.observer.until("all of them", SOON, all_of(&ports)).await.unwrap();
    assert_eq!(after, before, "I7: the same znodes of the same sessions");
    assert_eq!(changes(&watch).len(), ports.len(), "I1: {:?}", changes(&watch));
    still_answered(&client).await.unwrap();
}

/// A server that wakes up after more than the session timeout ends every session at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fault_11_a_hung_only_server_costs_no_instance_whether_sessions_survive_or_end() {
    let Some(_) = test_zookeeper::require_apache() else { return };
    let zk = zk_testing::Server::start().await.unwrap();
    let bed = TestBed::new(real(), vec![zk.addr()]);
    let (ports, _servers, before) = three_servers(&bed).await.unwrap();
    let watch = bed.client(&["watch", "--json"]);
    until_changes(&watch, 3).await.unwrap();
    let client = bed.client(&FOR_EVER);
    until_answers(&client, 20).await.unwrap();

    zk.pause().await.unwrap();
    sleep(SESSION / 2).await;
    zk.resume().unwrap();
    sleep(gone_within()).await;
    let after = bed.observer.until("all three", SOON, all_of(&ports)).await.unwrap();
    assert_eq!(after, before, "I7: no new session, no new znode");

    zk.pause().await.unwrap();
    sleep(3 * SESSION).await;
    assert_eq!(changes(&watch).len(), 3, "I1: {:?}", changes(&watch));
    zk.resume().unwrap();
    let within = BACKOFF + Duration::from_secs(2);
    let anew = |nodes: &_| all_of(&ports)(nodes) && owned(nodes).is_ok();
    // The observer has to connect again, too.
    sleep(within).await;
    let healed = bed.observer.until("all three", PROPAGATION, anew).await.unwrap();
    sleep(gone_within()).await;
    let later = bed.observer.until("all three", PROPAGATION, all_of(&ports)).await.unwrap();
    assert_eq!(later, healed, "I7: and so it stays");
    still_most_of(&ports, &changes(&watch));
    still_answered(&client).await.unwrap();
}
