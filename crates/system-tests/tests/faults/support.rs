//! What the rows share: programs, bounds, and checks.
//!
//! A failure names the invariant that was violated:
//! I1 an outage of ZooKeeper changes no view; I2 a view reaches the last state in time; I3 no request fails; I4 a dead
//! server leaves the list in time; I5 a server has one znode, EPHEMERAL, of its present session; I7 a living server is
//! never missing, and its znode stays the same; I9 a server claims a registration only while it has one; I10 processor
//! time, memory, descriptors and log are bounded; I11 nothing panics.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use system_tests::{
    Exit, Node, PROPAGATION, Process, Programs, SESSION, Sighting, TICK, TestBed, Verdict, free_ports,
    require_that,
};
pub(crate) use system_tests::{all_of, name, register_by_hand};
pub(crate) use zk_testing::SOON;
use zk_testing::holds_within;

/// B, the longest wait between two attempts to connect: a third of the session timeout here.
pub(crate) const BACKOFF: Duration = Duration::from_millis(667);

pub(crate) fn real() -> Programs {
    system_tests::programs!()
}

pub(crate) fn tutorial() -> Programs {
    Programs { server: env!("CARGO_BIN_EXE_tutorial-server").into(), ..real() }
}

/// The tutorial's server with one correction, which its text promises: the znode is EPHEMERAL.
pub(crate) fn tutorial_ephemeral() -> Programs {
    Programs { environment: vec![("TUTORIAL_EPHEMERAL", "1")], ..tutorial() }
}

/// How long the znode of a dead server may stay.
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

/// Waits until a client has printed so many answers.
pub(crate) async fn until_answers(client: &Process, count: usize) -> Verdict {
    client.until_lines(count).await
}

/// I3: every round was answered.
pub(crate) async fn all_answered(client: Process, rounds: usize) -> Result<Exit, String> {
    let exit = client.exit(2 * SOON).await?;
    let count = exit.out.len();
    // An answer is logged, too.
    let log: Vec<_> = exit.err.lines().filter(|line| !line.contains(" answered ")).collect();
    require_that!(exit.code == Some(0), "I3: the client ended with {:?}: {log:#?}", exit.code);
    require_that!(count == rounds, "I3: {count} answers to {rounds} rounds: {log:#?}");
    Ok(exit)
}

/// The longest time without an answer.
pub(crate) fn longest_gap(exit: &Exit) -> Duration {
    let gaps = exit.out.windows(2).map(|pair| pair[1].0 - pair[0].0);
    gaps.max().unwrap_or_default()
}

/// I5: each of these znodes is EPHEMERAL: a session owns it.
pub(crate) fn owned(nodes: &BTreeMap<String, Node>) -> Verdict {
    for (name, node) in nodes {
        require_that!(node.owner != 0, "I5: {name} is persistent");
    }
    Ok(())
}

/// I7: no sighting lacks one of these names, as far as ZooKeeper replied.
pub(crate) fn never_missing(history: &[Sighting], names: &[String]) -> Verdict {
    for sighting in history {
        let Some(nodes) = &sighting.nodes else { continue };
        for name in names {
            require_that!(nodes.contains_key(name), "I7: {name} was missing: {nodes:?}");
        }
    }
    Ok(())
}

/// The joins and leaves that `daytime-client watch --json` has printed: `joined` or `left`, and the endpoint.
pub(crate) fn changes(watch: &Process) -> Vec<(String, String)> {
    let lines = watch.out().into_iter().filter_map(|(_, line)| {
        let line: serde_json::Value = serde_json::from_str(&line).expect("a JSON object a line");
        let event = line["event"].as_str().expect("an event").to_owned();
        Some((event, line["endpoint"].as_str()?.to_owned()))
    });
    lines.collect()
}

/// Waits until `daytime-client watch --json` has printed so many joins and leaves.
pub(crate) async fn until_changes(watch: &Process, count: usize) -> Verdict {
    let printed =
        until(&format!("{count} changes are printed"), SOON, || changes(watch).len() >= count).await;
    printed.map_err(|late| format!("{late}: {:?}\n{}", changes(watch), watch.err()))
}

/// Waits until a condition holds that no event reports.
pub(crate) async fn until(claim: &str, within: Duration, holds: impl Fn() -> bool) -> Verdict {
    holds_within(claim, within, async || holds()).await
}

/// The programs with the log that they write by default.
pub(crate) fn default_log(programs: Programs) -> Programs {
    Programs { environment: vec![("RUST_LOG", "info,zookeeper_client=error")], ..programs }
}

/// I11: no panic stands in a log.
pub(crate) fn no_panic(log: &str) -> Verdict {
    require_that!(!log.contains("panicked"), "I11: {log}");
    Ok(())
}

/// Rounds for a client that asks for as long as a test lasts.
pub(crate) const FOR_EVER: [&str; 4] = ["--rounds", "100000", "--interval", "10ms"];

/// I3, while the client goes on: no round has failed so far, and answers still come.
pub(crate) async fn still_answered(client: &Process) -> Result<(), String> {
    until_answers(client, client.out().len() + 50).await?;
    let failed: Vec<_> = client.log().into_iter().filter(|(_, line)| line.starts_with("round ")).collect();
    require_that!(failed.is_empty(), "I3: {failed:#?}");
    Ok(())
}

/// The set that printed joins and leaves amount to. Those of an endpoint must alternate (I7).
pub(crate) fn replay(changes: &[(String, String)]) -> BTreeSet<String> {
    let mut there = BTreeSet::new();
    for (event, endpoint) in changes {
        let fits = match event.as_str() {
            "joined" => there.insert(endpoint.clone()),
            _ => there.remove(endpoint),
        };
        assert!(fits, "I7: {endpoint} {event} twice: {changes:?}");
    }
    there
}

/// The changes of three servers, as printed: from the third on most are there at any time, and in the end all are (I1).
pub(crate) fn still_most_of(ports: &[u16], changes: &[(String, String)]) {
    for step in 3..=changes.len() {
        assert!(replay(&changes[..step]).len() > 1, "most of the set was missing: {changes:?}");
    }
    assert_eq!(replay(changes), ports.iter().copied().map(name).collect());
}
