//! Rows in which ZooKeeper fails: its leader, all of it for a while, its data, a session.

use std::collections::BTreeMap;
use std::time::Duration;

use system_tests::{Node, PROPAGATION, Programs, SESSION, TICK, TestBed, Verdict, free_port, require_that};
use test_zookeeper::Server;
use tokio::time::{Instant, sleep, sleep_until};
use zk_testing::{Ensemble, expire_session};

use crate::support::*;

// === 7: the leader of an ensemble is killed ===

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fault_07_a_killed_leader_costs_no_session_and_no_znode() {
    let Some(_) = test_zookeeper::require_apache() else { return };
    let mut ensemble = Ensemble::start(3).await.unwrap();
    let bed = TestBed::new(real(), ensemble.servers().iter().map(zk_testing::Server::addr).collect());
    let (mut ports, mut servers, before) = three_servers(&bed).await.unwrap();
    let watch = bed.client(&["watch", "--json"]);
    until_changes(&watch, 3).await.unwrap();
    let client = bed.client(&["--rounds", "300", "--interval", "10ms"]);
    until_answers(&client, 50).await.unwrap();

    let leader = ensemble.leader().await.expect("a leader");
    ensemble.server(leader).kill().await;
    // A write needs a new leader.
    ports.push(free_port());
    servers.push(bed.server(&ports[3..]));
    let after = bed.observer.until("a fourth server", SOON, all_of(&ports)).await.unwrap();
    for (name, node) in &before {
        assert_eq!(after.get(name), Some(node), "I7: the same znode of the same session");
    }
    all_answered(client, 300).await.unwrap();
    until_changes(&watch, 4).await.unwrap();
    assert!(changes(&watch).iter().all(|(event, _)| event == "joined"), "{:?}", changes(&watch));
}

// === 9: an outage shorter than the session timeout ===

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fault_09_a_short_outage_costs_no_session_and_no_znode() {
    let Some(_) = test_zookeeper::require() else { return };
    let mut zk = Server::start().await.unwrap();
    // The longest timeout that the server grants: a fifth of it is enough to attach again on a busy machine.
    let session = 2 * SESSION;
    let bed = TestBed::new(real(), vec![zk.addr()]).with_session(session);
    let (ports, _servers, before) = three_servers(&bed).await.unwrap();
    let watch = bed.client(&["watch", "--json"]);
    until_changes(&watch, 3).await.unwrap();
    let client = bed.client(&["--rounds", "600", "--interval", "10ms"]);
    until_answers(&client, 20).await.unwrap();
    let down = Instant::now();
    zk.kill().await;
    sleep_until(down + session * 8 / 10).await;
    zk.start_again().await.unwrap();
    all_answered(client, 600).await.unwrap();
    // Past the moment at which sessions that were not resumed would end.
    sleep_until(Instant::now() + session + gone_within()).await;
    let after = bed.observer.until("all three", SOON, all_of(&ports)).await.unwrap();
    assert_eq!(after, before, "I7: no new session, no new znode");
    assert_eq!(changes(&watch).len(), 3, "I1: {:?}", changes(&watch));
}

// === 10: an outage of three session timeouts, in which a server dies ===

pub(crate) async fn row_10(programs: Programs) -> Verdict {
    let mut zk = Server::start().await.unwrap();
    // T here, the longest that the server grants: a server that has just started is slow, the more so on a busy machine,
    // and sessions that are not resumed within T are over.
    let session = 2 * SESSION;
    let gone_within = session + 2 * TICK + PROPAGATION;
    let bed = TestBed::new(programs, vec![zk.addr()]).with_session(session);
    let (ports, mut servers, before) = three_servers(&bed).await?;
    let watch = bed.client(&["watch", "--json"]);
    until_changes(&watch, 3).await?;
    let client = bed.client(&["--rounds", "2400", "--interval", "10ms"]);
    until_answers(&client, 20).await?;
    let down = Instant::now();
    zk.kill().await;
    sleep(session).await;
    servers.remove(0).kill().await;
    sleep_until(down + 3 * session).await;
    require_that!(changes(&watch).len() == 3, "I1: {:?}", changes(&watch));

    zk.start_again().await.unwrap();
    let healed = Instant::now();
    let within = gone_within + Duration::from_secs(1);
    let after = bed.observer.until("I4: the dead one is gone", within, all_of(&ports[1..])).await?;
    // A znode that was left to an old session would go about now.
    sleep_until(healed + gone_within + session).await;
    let living: Vec<_> = ports[1..].iter().copied().map(name).collect();
    never_missing(&bed.observer.since(healed), &living)?;
    owned(&after)?;
    for name in &living {
        require_that!(after.get(name) == before.get(name), "I7: {name} has another znode than before");
    }
    all_answered(client, 2400).await?;
    let changes = changes(&watch);
    require_that!(changes[3..] == [("left".to_owned(), name(ports[0]))], "one leave: {changes:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fault_10_a_long_outage_removes_only_the_server_that_died() {
    let Some(_) = test_zookeeper::require() else { return };
    row_10(real()).await.unwrap();
}

// === 12: the session of a server expires ===

pub(crate) async fn row_12(programs: Programs) -> Verdict {
    let zk = Server::start().await.unwrap();
    let bed = TestBed::new(programs, vec![zk.addr()]);
    let port = free_port();
    let _server = bed.server(&[port]);
    let before = bed.observer.until("the server", SOON, all_of(&[port])).await?;
    let was = before[&name(port)].clone();
    require_that!(was.owner != 0, "I5: the znode is persistent");
    expire_session(zk.addr(), was.owner).await.map_err(|error| error.to_string())?;
    let claim = "registered again, by another session";
    let now = bed
        .observer
        .until(claim, Duration::from_secs(1) + BACKOFF, |nodes| {
            nodes.get(&name(port)).is_some_and(|node| node.owner != was.owner)
        })
        .await?;
    sleep(gone_within()).await;
    let later = bed.observer.until("still there", PROPAGATION, all_of(&[port])).await?;
    require_that!(now == later, "I7: {now:?} became {later:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fault_12_a_server_whose_session_expires_registers_again() {
    let Some(_) = test_zookeeper::require() else { return };
    row_12(real()).await.unwrap();
}

// === 33: ZooKeeper's data is lost ===

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fault_33_servers_register_again_after_a_loss_of_data_and_callers_see_no_empty_set() {
    let Some(_) = test_zookeeper::require() else { return };
    let mut zk = Server::start().await.unwrap();
    let bed = TestBed::new(real(), vec![zk.addr()]);
    let (ports, _servers, before) = three_servers(&bed).await.unwrap();
    let watch = bed.client(&["watch", "--json"]);
    until_changes(&watch, 3).await.unwrap();
    let client = bed.client(&["--rounds", "500", "--interval", "10ms"]);
    until_answers(&client, 20).await.unwrap();
    zk.kill().await;
    zk.wipe().unwrap();
    zk.start_again().await.unwrap();
    let within = SESSION * 7 / 5 + BACKOFF + Duration::from_secs(2);
    // By new sessions: the observer may still show the old znodes.
    let anew = |nodes: &BTreeMap<String, Node>| {
        before.iter().all(|(name, old)| nodes.get(name).is_some_and(|node| node.owner != old.owner))
    };
    bed.observer.until("all three again, by new sessions", within, anew).await.unwrap();
    all_answered(client, 500).await.unwrap();
    sleep(gone_within()).await;
    still_most_of(&ports, &changes(&watch));
}
