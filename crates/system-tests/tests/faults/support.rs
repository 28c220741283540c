//! What the rows share: programs, bounds, and the checks that are named in several of them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use system_tests::{
    Exit, Node, PROPAGATION, Process, Programs, SESSION, Sighting, TICK, TestBed, Verdict, free_ports,
    require_that,
};
use test_zookeeper::Server;
use tokio::time::{Instant, sleep};
pub(crate) use zk_testing::SOON;
use zk_testing::holds_within;
use zk_testing::raw::{Client, CreateMode};

/// B, the longest wait between two attempts to connect: a third of the session timeout here.
pub(crate) const BACKOFF: Duration = Duration::from_millis(667);

pub(crate) fn real() -> Programs {
    Programs {
        server: env!("CARGO_BIN_EXE_system-daytime-server").into(),
        client: env!("CARGO_BIN_EXE_system-daytime-client").into(),
        environment: vec![],
    }
}

pub(crate) fn tutorial() -> Programs {
    Programs { server: env!("CARGO_BIN_EXE_tutorial-server").into(), ..real() }
}

/// The tutorial's server with the one mend that its words promise: the znode is EPHEMERAL.
pub(crate) fn tutorial_ephemeral() -> Programs {
    Programs { environment: vec![("TUTORIAL_EPHEMERAL", "1")], ..tutorial() }
}

pub(crate) fn name(port: u16) -> String {
    format!("127.0.0.1:{port}")
}

pub(crate) fn all_of(ports: &[u16]) -> impl Fn(&BTreeMap<String, Node>) -> bool + use<> {
    let names: BTreeSet<_> = ports.iter().copied().map(name).collect();
    move |nodes| nodes.keys().cloned().collect::<BTreeSet<_>>() == names
}

/// How long a dead owner's znode may stay.
pub(crate) fn gone_within() -> Duration {
    SESSION + 2 * TICK + PROPAGATION
}

/// Three servers, a process each, all registered.
pub(crate) async fn three_servers(
    bed: &TestBed,
) -> Result<(Vec<u16>, Vec<Process>, BTreeMap<String, Node>), String> {
    let ports = free_ports(3);
    let servers: Vec<_> = ports.iter().map(|port| bed.server(&[*port])).collect();
    let nodes = bed.observer.until("three servers", SOON, all_of(&ports)).await?;
    Ok((ports, servers, nodes))
}

pub(crate) async fn answers(client: &Process, count: usize) -> Result<(), String> {
    let deadline = Instant::now() + SOON;
    while client.out().len() < count {
        require_that!(Instant::now() < deadline, "no {count} answers: {}", client.err());
        sleep(Duration::from_millis(5)).await;
    }
    Ok(())
}

/// I3: every round was answered.
pub(crate) async fn answered(client: Process, rounds: usize) -> Result<Exit, String> {
    let exit = client.exit(2 * SOON).await?;
    let count = exit.out.len();
    let noteworthy = |line: &&str| !line.contains(" answered ");
    let log: Vec<_> = exit.err.lines().filter(noteworthy).collect();
    require_that!(exit.code == Some(0), "I3: the client ended with {:?}: {log:#?}", exit.code);
    require_that!(count == rounds, "I3: {count} answers to {rounds} rounds: {log:#?}");
    Ok(exit)
}

/// The longest time without an answer.
pub(crate) fn longest_gap(exit: &Exit) -> Duration {
    let gaps = exit.out.windows(2).map(|pair| pair[1].0 - pair[0].0);
    gaps.max().unwrap_or_default()
}

/// I5: each of these has one znode, owned by one session each, EPHEMERAL.
pub(crate) fn owned(nodes: &BTreeMap<String, Node>) -> Verdict {
    for (name, node) in nodes {
        require_that!(node.owner != 0, "I5: {name} is persistent");
    }
    Ok(())
}

/// No sighting since a moment lacks one of these names, as long as ZooKeeper answered.
pub(crate) fn never_missing(history: &[Sighting], names: &[String]) -> Verdict {
    for sighting in history {
        let Some(nodes) = &sighting.nodes else { continue };
        for name in names {
            require_that!(nodes.contains_key(name), "I7: {name} was missing: {nodes:?}");
        }
    }
    Ok(())
}

/// Joins and leaves that `daytime-client watch --json` has printed.
pub(crate) fn events(watch: &Process) -> Vec<(String, String)> {
    let lines = watch.out().into_iter().filter_map(|(_, line)| {
        let line: serde_json::Value = serde_json::from_str(&line).expect("a JSON object a line");
        let event = line["event"].as_str().expect("an event").to_owned();
        Some((event, line["endpoint"].as_str()?.to_owned()))
    });
    lines.collect()
}

pub(crate) async fn prints(watch: &Process, count: usize) -> Result<(), String> {
    let deadline = Instant::now() + SOON;
    while events(watch).len() < count {
        require_that!(Instant::now() < deadline, "watch tells {:?}:\n{}", events(watch), watch.err());
        sleep(Duration::from_millis(10)).await;
    }
    Ok(())
}

/// Registers addresses that something else serves, for as long as the session is kept.
pub(crate) async fn register_by_hand(zk: &Server, addresses: &[String]) -> Client {
    let client = Client::connect(zk.addr(), Duration::from_secs(4)).await.expect("a session");
    client.create_all("/go_servers").await.expect("a root");
    for address in addresses {
        let path = format!("/go_servers/{address}");
        client.create(&path, b"", CreateMode::Ephemeral).await.expect("a znode");
    }
    client
}

/// Waits until a condition holds that nobody tells of.
pub(crate) async fn until(what: &str, within: Duration, holds: impl Fn() -> bool) -> Verdict {
    holds_within(what, within, async || holds()).await
}

/// What the programs would log if nobody asked for more.
pub(crate) fn default_log(programs: Programs) -> Programs {
    Programs { environment: vec![("RUST_LOG", "info,zookeeper_client=error")], ..programs }
}

/// I11: nothing in a log tells of a panic.
pub(crate) fn no_panic(log: &str) -> Verdict {
    require_that!(!log.contains("panicked"), "I11: {log}");
    Ok(())
}

/// Rounds for a client that asks for as long as a test lasts.
pub(crate) const FOR_EVER: [&str; 4] = ["--rounds", "100000", "--interval", "10ms"];

/// I3, while the client goes on: no round has failed so far, and answers still come.
pub(crate) async fn answers_on(client: &Process) -> Result<(), String> {
    answers(client, client.out().len() + 50).await?;
    let failed: Vec<_> = client.log().into_iter().filter(|(_, line)| line.starts_with("round ")).collect();
    require_that!(failed.is_empty(), "I3: {failed:#?}");
    Ok(())
}

/// What is there, if one believes the joins and leaves printed, checked to alternate (I7).
pub(crate) fn replay(events: &[(String, String)]) -> BTreeSet<String> {
    let mut there = BTreeSet::new();
    for (event, endpoint) in events {
        let fits = match event.as_str() {
            "joined" => there.insert(endpoint.clone()),
            _ => there.remove(endpoint),
        };
        assert!(fits, "I7: {endpoint} {event} twice: {events:?}");
    }
    there
}
