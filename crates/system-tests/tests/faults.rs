//! Rows of the fault matrix on the real programs.
//!
//! A row is a function from programs to a verdict: it is run with the real programs, which must pass it,
//! and some with stand-ins that behave as the tutorial's server does, which must not.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use nix::sys::signal::Signal;
use system_tests::{
    Exit, Node, PROPAGATION, Process, Programs, SESSION, Scene, Sighting, TICK, Verdict, free_port,
    free_ports, require_that,
};
use test_zookeeper::Server;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use zk_testing::{Ensemble, expire_session};

/// Long enough for anything that has no bound of its own.
const SOON: Duration = Duration::from_secs(15);
/// B, the longest wait between two attempts to connect: a third of the session timeout here.
const BACKOFF: Duration = Duration::from_millis(667);

fn real() -> Programs {
    Programs {
        server: env!("CARGO_BIN_EXE_system-daytime-server").into(),
        client: env!("CARGO_BIN_EXE_system-daytime-client").into(),
        environment: vec![],
    }
}

fn tutorial() -> Programs {
    Programs { server: env!("CARGO_BIN_EXE_tutorial-server").into(), ..real() }
}

/// The tutorial's server with the one mend that its words promise: the znode is EPHEMERAL.
fn tutorial_ephemeral() -> Programs {
    Programs { environment: vec![("TUTORIAL_EPHEMERAL", "1")], ..tutorial() }
}

fn name(port: u16) -> String {
    format!("127.0.0.1:{port}")
}

fn all_of(ports: &[u16]) -> impl Fn(&BTreeMap<String, Node>) -> bool + use<> {
    let names: BTreeSet<_> = ports.iter().copied().map(name).collect();
    move |nodes| nodes.keys().cloned().collect::<BTreeSet<_>>() == names
}

/// How long a dead owner's znode may stay.
fn gone_within() -> Duration {
    SESSION + 2 * TICK + PROPAGATION
}

/// Three servers, a process each, all registered.
async fn three_servers(scene: &Scene) -> Result<(Vec<u16>, Vec<Process>, BTreeMap<String, Node>), String> {
    let ports = free_ports(3);
    let servers: Vec<_> = ports.iter().map(|port| scene.server(&[*port])).collect();
    let nodes = scene.observer.until("three servers", SOON, all_of(&ports)).await?;
    Ok((ports, servers, nodes))
}

async fn answers(client: &Process, count: usize) -> Result<(), String> {
    let deadline = Instant::now() + SOON;
    while client.out().len() < count {
        require_that!(Instant::now() < deadline, "no {count} answers: {}", client.err());
        sleep(Duration::from_millis(5)).await;
    }
    Ok(())
}

/// I3: every round was answered.
async fn answered(client: Process, rounds: usize) -> Result<Exit, String> {
    let exit = client.exit(2 * SOON).await?;
    let count = exit.out.len();
    let noteworthy = |line: &&str| !line.contains(" answered ");
    let log: Vec<_> = exit.err.lines().filter(noteworthy).collect();
    require_that!(exit.code == Some(0), "I3: the client ended with {:?}: {log:#?}", exit.code);
    require_that!(count == rounds, "I3: {count} answers to {rounds} rounds: {log:#?}");
    Ok(exit)
}

/// The longest time without an answer.
fn longest_gap(exit: &Exit) -> Duration {
    let gaps = exit.out.windows(2).map(|pair| pair[1].0 - pair[0].0);
    gaps.max().unwrap_or_default()
}

/// I5: each of these has one znode, owned by one session each, EPHEMERAL.
fn owned(nodes: &BTreeMap<String, Node>) -> Verdict {
    for (name, node) in nodes {
        require_that!(node.owner != 0, "I5: {name} is persistent");
    }
    Ok(())
}

/// No sighting since a moment lacks one of these names, as long as ZooKeeper answered.
fn never_missing(history: &[Sighting], names: &[String]) -> Verdict {
    for sighting in history {
        let Some(nodes) = &sighting.nodes else { continue };
        for name in names {
            require_that!(nodes.contains_key(name), "I7: {name} was missing: {nodes:?}");
        }
    }
    Ok(())
}

/// Joins and leaves that `daytime-client watch --json` has told.
fn told(watch: &Process) -> Vec<(String, String)> {
    let lines = watch.out().into_iter().filter_map(|(_, line)| {
        let line: serde_json::Value = serde_json::from_str(&line).expect("a JSON object a line");
        let event = line["event"].as_str().expect("an event").to_owned();
        Some((event, line["endpoint"].as_str()?.to_owned()))
    });
    lines.collect()
}

async fn told_of(watch: &Process, count: usize) -> Result<(), String> {
    let deadline = Instant::now() + SOON;
    while told(watch).len() < count {
        require_that!(Instant::now() < deadline, "watch tells {:?}:\n{}", told(watch), watch.err());
        sleep(Duration::from_millis(10)).await;
    }
    Ok(())
}

// === 1: kill -9 of one server of three, under load ===

async fn row_01(programs: Programs) -> Verdict {
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

async fn row_05(programs: Programs) -> Verdict {
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

// === 7: the leader of an ensemble is killed ===

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fault_07_a_killed_leader_is_not_noticed() {
    let Some(_) = test_zookeeper::require_apache() else { return };
    let mut ensemble = Ensemble::start(3).await.unwrap();
    let scene = Scene::new(real(), ensemble.servers().iter().map(zk_testing::Server::addr).collect());
    let (mut ports, mut servers, before) = three_servers(&scene).await.unwrap();
    let watch = scene.client(&["watch", "--json"]);
    told_of(&watch, 3).await.unwrap();
    let client = scene.client(&["--rounds", "300", "--interval", "10ms"]);
    answers(&client, 50).await.unwrap();

    let leader = ensemble.leader().await.expect("a leader");
    ensemble.server(leader).kill().await;
    // A write that must get through.
    ports.push(free_port());
    servers.push(scene.server(&ports[3..]));
    let after = scene.observer.until("a fourth server", SOON, all_of(&ports)).await.unwrap();
    for (name, node) in &before {
        assert_eq!(after.get(name), Some(node), "I7: the same znode of the same session");
    }
    answered(client, 300).await.unwrap();
    told_of(&watch, 4).await.unwrap();
    assert!(told(&watch).iter().all(|(event, _)| event == "joined"), "{:?}", told(&watch));
}

// === 9: an outage shorter than the session timeout ===

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fault_09_a_short_outage_changes_nothing() {
    let Some(_) = test_zookeeper::require() else { return };
    let mut zk = Server::start().await.unwrap();
    let scene = Scene::new(real(), vec![zk.addr()]);
    let (ports, _servers, before) = three_servers(&scene).await.unwrap();
    let watch = scene.client(&["watch", "--json"]);
    told_of(&watch, 3).await.unwrap();
    let client = scene.client(&["--rounds", "400", "--interval", "10ms"]);
    answers(&client, 20).await.unwrap();
    let down = Instant::now();
    zk.kill().await;
    sleep_until(down + SESSION * 8 / 10).await;
    zk.start_again().await.unwrap();
    answered(client, 400).await.unwrap();
    // Past the moment at which sessions that did not come back would end.
    sleep_until(Instant::now() + gone_within()).await;
    let after = scene.observer.until("all three", SOON, all_of(&ports)).await.unwrap();
    assert_eq!(after, before, "I7: no new session, no new znode");
    assert_eq!(told(&watch).len(), 3, "I1: {:?}", told(&watch));
}

// === 10: an outage of three session timeouts, in which a server dies ===

async fn row_10(programs: Programs) -> Verdict {
    let mut zk = Server::start().await.unwrap();
    let scene = Scene::new(programs, vec![zk.addr()]);
    let (ports, mut servers, before) = three_servers(&scene).await?;
    let watch = scene.client(&["watch", "--json"]);
    told_of(&watch, 3).await?;
    let client = scene.client(&["--rounds", "1200", "--interval", "10ms"]);
    answers(&client, 20).await?;
    let down = Instant::now();
    zk.kill().await;
    sleep(SESSION).await;
    servers.remove(0).kill().await;
    sleep_until(down + 3 * SESSION).await;
    require_that!(told(&watch).len() == 3, "I1: {:?}", told(&watch));

    zk.start_again().await.unwrap();
    let healed = Instant::now();
    let within = gone_within() + BACKOFF;
    let after = scene.observer.until("I4: the dead one is gone", within, all_of(&ports[1..])).await?;
    // What was not taken back would go with the old sessions, about now.
    sleep_until(healed + gone_within() + SESSION).await;
    let living: Vec<_> = ports[1..].iter().copied().map(name).collect();
    never_missing(&scene.observer.since(healed), &living)?;
    owned(&after)?;
    for name in &living {
        require_that!(after.get(name) == before.get(name), "I7: {name} has another znode than before");
    }
    answered(client, 1200).await?;
    let events = told(&watch);
    require_that!(events[3..] == [("left".to_owned(), name(ports[0]))], "one leave: {events:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fault_10_a_long_outage_costs_nobody_who_lives() {
    let Some(_) = test_zookeeper::require() else { return };
    row_10(real()).await.unwrap();
}

// === 12: the session of a server expires ===

async fn row_12(programs: Programs) -> Verdict {
    let zk = Server::start().await.unwrap();
    let scene = Scene::new(programs, vec![zk.addr()]);
    let port = free_port();
    let _server = scene.server(&[port]);
    let before = scene.observer.until("the server", SOON, all_of(&[port])).await?;
    let was = before[&name(port)].clone();
    require_that!(was.owner != 0, "I5: the znode is persistent");
    expire_session(zk.addr(), was.owner).await.map_err(|error| error.to_string())?;
    let what = "registered again, by another session";
    let now = scene
        .observer
        .until(what, Duration::from_secs(1) + BACKOFF, |nodes| {
            nodes.get(&name(port)).is_some_and(|node| node.owner != was.owner)
        })
        .await?;
    sleep(gone_within()).await;
    let later = scene.observer.until("still there", PROPAGATION, all_of(&[port])).await?;
    require_that!(now == later, "I7: {now:?} became {later:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fault_12_a_server_whose_session_expires_registers_again() {
    let Some(_) = test_zookeeper::require() else { return };
    row_12(real()).await.unwrap();
}

// === 23: killed and restarted within the session timeout ===

async fn row_23(programs: Programs) -> Verdict {
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

// === 33: ZooKeeper's data is lost ===

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fault_33_lost_data_is_written_again_and_callers_see_no_empty_set() {
    let Some(_) = test_zookeeper::require() else { return };
    let mut zk = Server::start().await.unwrap();
    let scene = Scene::new(real(), vec![zk.addr()]);
    let (ports, _servers, before) = three_servers(&scene).await.unwrap();
    let watch = scene.client(&["watch", "--json"]);
    told_of(&watch, 3).await.unwrap();
    let client = scene.client(&["--rounds", "500", "--interval", "10ms"]);
    answers(&client, 20).await.unwrap();
    zk.kill().await;
    zk.wipe().unwrap();
    zk.start_again().await.unwrap();
    let within = SESSION * 7 / 5 + BACKOFF + Duration::from_secs(2);
    // By new sessions: the observer may not have noticed yet that the old znodes are gone.
    let anew = |nodes: &BTreeMap<String, Node>| {
        before.iter().all(|(name, old)| nodes.get(name).is_some_and(|node| node.owner != old.owner))
    };
    scene.observer.until("all three again, anew", within, anew).await.unwrap();
    answered(client, 500).await.unwrap();
    sleep(gone_within()).await;
    let mut seen = BTreeSet::new();
    for (step, (event, endpoint)) in told(&watch).into_iter().enumerate() {
        if event == "joined" {
            seen.insert(endpoint)
        } else {
            seen.remove(&endpoint)
        };
        assert!(step < 3 || seen.len() > 1, "most of the set was lost from sight: {:?}", told(&watch));
    }
    assert_eq!(seen, ports.iter().copied().map(name).collect());
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

// === Negative controls: a harness that cannot fail proves nothing ===

/// Runs a row with a stand-in, and returns what it violated.
async fn violation(verdict: impl Future<Output = Verdict>) -> String {
    let verdict = timeout(4 * SOON, verdict).await.expect("a verdict");
    verdict.expect_err("the row lets pass what it is there to catch")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn control_the_tutorials_server_fails_row_01() {
    let Some(_) = test_zookeeper::require() else { return };
    let violated = violation(row_01(tutorial())).await;
    assert!(violated.contains("I4"), "{violated}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn control_the_tutorials_server_fails_row_10() {
    let Some(_) = test_zookeeper::require() else { return };
    let violated = violation(row_10(tutorial())).await;
    assert!(violated.contains("I4"), "{violated}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn control_the_tutorials_server_fails_row_12_also_with_an_ephemeral_znode() {
    let Some(_) = test_zookeeper::require() else { return };
    let violated = violation(row_12(tutorial())).await;
    assert!(violated.contains("I5"), "{violated}");
    let violated = violation(row_12(tutorial_ephemeral())).await;
    assert!(violated.contains("registered again"), "{violated}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn control_the_tutorials_server_fails_row_23_also_with_an_ephemeral_znode() {
    let Some(_) = test_zookeeper::require() else { return };
    for stand_in in [tutorial(), tutorial_ephemeral()] {
        let violated = violation(row_23(stand_in)).await;
        assert!(violated.contains("the new session owns it"), "{violated}");
    }
}
