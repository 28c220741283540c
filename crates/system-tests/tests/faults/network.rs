//! Rows in which the network to ZooKeeper is cut or slow.

use std::time::Duration;

use system_tests::{PROPAGATION, Process, SESSION, TestBed, free_port};
use test_zookeeper::Server;
use tokio::time::{Instant, sleep_until};
use zk_testing::proxy::Proxy;

use crate::support::*;

// === 16: a client is cut from ZooKeeper, but not from the servers ===

/// The states of the link that `watch --json` has printed.
fn links(watch: &Process) -> Vec<String> {
    let lines = watch.out().into_iter().map(|(_, line)| line);
    let events =
        lines.map(|line| serde_json::from_str::<serde_json::Value>(&line).expect("a JSON object a line"));
    let links = events.filter(|event| event["event"] == "link");
    links.map(|event| event["state"].as_str().expect("a state").to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fault_16_a_client_cut_from_zookeeper_keeps_its_set_and_says_that_it_is_stale() {
    let Some(_) = test_zookeeper::require() else { return };
    let zk = Server::start().await.unwrap();
    let bed = TestBed::new(real(), vec![zk.addr()]);
    let (mut ports, mut servers, _) = three_servers(&bed).await.unwrap();
    let (hangs, refuses) = (Proxy::start(zk.addr()).await.unwrap(), Proxy::start(zk.addr()).await.unwrap());
    let mut clients = Vec::new();
    for proxy in [&hangs, &refuses] {
        let hosts = proxy.connect_string();
        let common = ["--zookeeper", &hosts, "--session-timeout", "2s"];
        let watch = bed.client_with(&[&common[..], &["watch", "--json"]].concat());
        until_changes(&watch, 3).await.unwrap();
        let asking = bed.client_with(&[&common[..], &FOR_EVER].concat());
        until_answers(&asking, 20).await.unwrap();
        clients.push((watch, asking));
    }

    let cut = Instant::now();
    hangs.hang().await.unwrap();
    refuses.refuse().await;
    sleep_until(cut + 2 * SESSION).await;
    // The clients do not see these changes; requests go past the dead server.
    servers.remove(0).kill().await;
    let dead = ports.remove(0);
    let new = free_port();
    servers.push(bed.server(&[new]));
    ports.push(new);
    sleep_until(cut + 10 * SESSION).await;
    for (watch, asking) in &clients {
        assert_eq!(changes(watch).len(), 3, "I1: {:?}", changes(watch));
        assert_eq!(links(watch).last().unwrap(), "lost", "the view is shown as stale: {:?}", links(watch));
        assert!(links(watch).contains(&"suspended".to_owned()), "{:?}", links(watch));
        still_answered(asking).await.unwrap();
    }

    hangs.pass().await.unwrap();
    refuses.pass().await.unwrap();
    let healed = Instant::now();
    let within = BACKOFF + Duration::from_secs(1) + PROPAGATION;
    for (watch, asking) in &clients {
        until_changes(watch, 5).await.unwrap();
        assert!(healed.elapsed() < within, "I2: it took {:?}", healed.elapsed());
        assert_eq!(links(watch).last().unwrap(), "connected");
        let changes = changes(watch);
        assert_eq!(replay(&changes), ports.iter().copied().map(name).collect());
        assert!(changes[3..].contains(&("left".to_owned(), name(dead))), "{changes:?}");
        still_answered(asking).await.unwrap();
    }
}

// === 22: a slow ZooKeeper ===

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fault_22_a_slow_zookeeper_suspends_no_link_and_delays_no_request() {
    let Some(_) = test_zookeeper::require() else { return };
    let zk = Server::start().await.unwrap();
    let bed = TestBed::new(real(), vec![zk.addr()]);
    let proxy = Proxy::start(zk.addr()).await.unwrap();
    // A round trip of a quarter of the session timeout; from 7/20 on the link could not be kept.
    let (session, each_way) = (Duration::from_secs(4), Duration::from_millis(500));
    let hosts = proxy.connect_string();
    let common = ["--zookeeper", &hosts, "--session-timeout", "4s"];
    // The root exists already, as in an ensemble that is in use.
    let first = bed.server(&[free_port()]);
    bed.observer.until("the root", SOON, |nodes| nodes.len() == 1).await.unwrap();
    first.kill().await;
    bed.observer.until("no server", SOON, |nodes| nodes.is_empty()).await.unwrap();

    proxy.delay(each_way).await.unwrap();
    let port = free_port();
    let started = Instant::now();
    let server = bed.server_with(&[&common[..], &["--port", &port.to_string()]].concat());
    let before = bed.observer.until("the server", SOON, all_of(&[port])).await.unwrap();
    let took = started.elapsed();
    assert!(took < 6 * 2 * each_way, "registered after {took:?}");
    let watch = bed.client_with(&[&common[..], &["watch", "--json"]].concat());
    let client = bed.client_with(&[&common[..], &["--rounds", "1200", "--interval", "10ms"]].concat());
    until_changes(&watch, 1).await.unwrap();
    until_answers(&client, 1).await.unwrap();

    let exit = all_answered(client, 1200).await.unwrap();
    let gap = longest_gap(&exit);
    assert!(gap < each_way, "a request has waited for ZooKeeper: {gap:?}");
    sleep_until(started + 4 * session).await;
    let after = bed.observer.until("the server", PROPAGATION, all_of(&[port])).await.unwrap();
    assert_eq!(after, before, "I7");
    assert_eq!(links(&watch), ["lost", "connected"], "the link never went down");
    assert!(!server.err().contains("suspended"), "{}", server.err());
    assert_eq!(changes(&watch).len(), 1, "{:?}", changes(&watch));
}
