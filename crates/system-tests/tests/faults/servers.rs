//! Rows in which a daytime server is killed, stopped or started.

use std::collections::BTreeMap;
use std::time::Duration;

use nix::sys::signal::Signal;
use system_tests::{
    Node, PROPAGATION, Programs, SESSION, Scene, Verdict, free_port, free_ports, require_that,
};
use test_zookeeper::Server;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, sleep_until};

use crate::support::*;

// === 1: kill -9 of one server of three, under load ===

pub(crate) async fn row_01(programs: Programs) -> Verdict {
    let zk = Server::start().await.unwrap();
    let scene = Scene::new(programs, vec![zk.addr()]);
    let (ports, mut servers, _) = three_servers(&scene).await?;
    let client = scene.client(&["--rounds", "400", "--interval", "10ms"]);
    answers(&client, 50).await?;
    servers.remove(0).kill().await;
    scene.observer.until("I4: the dead one is gone", gone_within(), all_of(&ports[1..])).await?;
    let exit = answered(client, 400).await?;
    let gap = longest_gap(&exit);
    require_that!(gap < Duration::from_millis(500), "{gap:?} without an answer");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fault_01_a_server_killed_under_load_costs_no_request() {
    let Some(_) = test_zookeeper::require() else { return };
    row_01(real()).await.unwrap();
}

// === 5: graceful stops under load ===

pub(crate) async fn row_05(programs: Programs) -> Verdict {
    let zk = Server::start().await.unwrap();
    let scene = Scene::new(programs, vec![zk.addr()]);
    let (ports, servers, _) = three_servers(&scene).await?;
    let client = scene.client(&["--rounds", "1200", "--interval", "5ms", "--strategy", "round-robin"]);
    answers(&client, 50).await?;
    let mut again = Vec::new();
    for (port, server) in ports.iter().zip(servers) {
        let others: Vec<_> = ports.iter().copied().filter(|other| other != port).collect();
        server.signal(Signal::SIGTERM);
        scene.observer.until("it is gone", 2 * PROPAGATION, all_of(&others)).await?;
        let exit = server.exit(Duration::from_secs(5)).await?;
        require_that!(exit.code == Some(0), "exit code {:?}:\n{}", exit.code, exit.err);
        again.push(scene.server(&[*port]));
        scene.observer.until("it is back", SOON, all_of(&ports)).await?;
    }
    let exit = answered(client, 1200).await?;
    let failed: Vec<_> = exit.err.lines().filter(|line| line.contains("attempt failed")).collect();
    require_that!(failed.is_empty(), "attempts failed, although each stop was announced: {failed:#?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fault_05_graceful_stops_under_load_cost_not_even_an_attempt() {
    let Some(_) = test_zookeeper::require() else { return };
    row_05(real()).await.unwrap();
}

// === 6: SIGTERM while ZooKeeper is down ===

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fault_06_sigterm_without_zookeeper_still_ends_in_time() {
    let Some(_) = test_zookeeper::require() else { return };
    let mut zk = Server::start().await.unwrap();
    let scene = Scene::new(real(), vec![zk.addr()]);
    let ports = free_ports(2);
    let server = scene.server(&ports);
    scene.observer.until("both ports", SOON, all_of(&ports)).await.unwrap();
    zk.kill().await;
    server.signal(Signal::SIGTERM);
    let exit = server.exit(Duration::from_secs(5)).await.unwrap();
    assert_eq!(exit.code, Some(0), "{}", exit.err);
    zk.start_again().await.unwrap();
    scene.observer.until("nothing is left", gone_within(), all_of(&[])).await.unwrap();
}

// === 23: killed and restarted within the session timeout ===

pub(crate) async fn row_23(programs: Programs) -> Verdict {
    let zk = Server::start().await.unwrap();
    let scene = Scene::new(programs, vec![zk.addr()]);
    let ports = free_ports(2);
    let server = scene.server(&ports);
    let before = scene.observer.until("the server", SOON, all_of(&ports)).await?;
    let watch = scene.client(&["watch", "--json"]);
    told_of(&watch, 2).await?;
    let killed = Instant::now();
    server.kill().await;
    sleep(Duration::from_millis(200)).await;
    let _server = scene.server(&ports);
    let names: Vec<_> = ports.iter().copied().map(name).collect();
    let other = |nodes: &BTreeMap<String, Node>| {
        names.iter().all(|name| nodes.get(name).is_some_and(|node| node.owner != before[name].owner))
    };
    let after = scene.observer.until("the new session owns it", Duration::from_secs(1), other).await?;
    owned(&after)?;
    sleep_until(killed + 3 * SESSION).await;
    let later = scene.observer.until("still there", PROPAGATION, all_of(&ports)).await?;
    require_that!(later == after, "I7: {after:?} became {later:?}");
    never_missing(&scene.observer.since(killed), &names)?;
    require_that!(told(&watch).len() == 2, "a caller saw a gap: {:?}", told(&watch));
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fault_23_a_restarted_server_is_never_missing() {
    let Some(_) = test_zookeeper::require() else { return };
    row_23(real()).await.unwrap();
}

// === 43: a port is in use ===

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fault_43_a_port_in_use_means_no_znode_and_a_clear_end() {
    let Some(_) = test_zookeeper::require() else { return };
    let zk = Server::start().await.unwrap();
    let scene = Scene::new(real(), vec![zk.addr()]);
    let ports = free_ports(3);
    let _holder = std::net::TcpListener::bind(("127.0.0.1", ports[1])).unwrap();
    let started = Instant::now();
    let exit = scene.server(&ports).exit(Duration::from_secs(1)).await.unwrap();
    assert_eq!(exit.code, Some(1));
    let error = exit.err.lines().last().unwrap_or_default();
    assert!(error.contains(&name(ports[1])) && error.contains("in use"), "{}", exit.err);
    sleep(gone_within()).await;
    let seen = scene.observer.since(started);
    assert!(seen.iter().all(|sighting| sighting.nodes == Some(BTreeMap::new())), "{seen:?}");
}

// === 44: SIGTERM at any moment of the start ===

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fault_44_sigterm_at_any_moment_of_the_start_leaves_nothing() {
    let Some(_) = test_zookeeper::require() else { return };
    let zk = Server::start().await.unwrap();
    let scene = Scene::new(real(), vec![zk.addr()]);
    for round in 0..50u64 {
        let port = free_port();
        let server = scene.server(&[port]);
        let end = Instant::now() + Duration::from_millis(round * 10);
        let mut seen = false;
        while Instant::now() < end {
            if !seen && scene.observer.now().is_some_and(|nodes| nodes.contains_key(&name(port))) {
                seen = true;
                let connected = TcpStream::connect(("127.0.0.1", port)).await;
                assert!(connected.is_ok(), "round {round}: a znode without a listener: {connected:?}");
            }
            sleep(Duration::from_millis(1)).await;
        }
        server.signal(Signal::SIGTERM);
        let exit = server.exit(Duration::from_secs(2)).await.unwrap_or_else(|e| panic!("round {round}: {e}"));
        // Before it has taken the signals over it is the system that ends it.
        assert!(exit.code == Some(0) || (exit.code.is_none() && !seen), "round {round}: {exit:?}");
        scene.observer.until("nothing is left", PROPAGATION, all_of(&[])).await.unwrap();
    }
}
