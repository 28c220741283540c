//! The programs of another version beside those of this one: servers are replaced one by one, and nobody loses a round.
//!
//! The programs of the other version are built by hand, as no test builds an older commit:
//!
//! ```sh
//! git worktree add --detach ../earlier COMMIT
//! (cd ../earlier && cargo build -p daytime-server -p daytime-client)
//! OLD_PROGRAMS=../earlier/target/debug cargo test -p system-tests --test old_versions -- --nocapture programs
//! ```

use std::collections::BTreeMap;
use std::path::PathBuf;

use nix::sys::signal::Signal;
use system_tests::{Node, Process, Programs, TICK, TestBed, free_ports, name, skipped};
use zk_testing::{SOON, holds_within};

/// Names the folder with the programs of the other version.
const VARIABLE: &str = "OLD_PROGRAMS";
const ASK: [&str; 4] = ["--rounds", "1000000", "--interval", "5ms"];
/// Reads records, and so sees who is draining.
const ASK_BY_RECORDS: [&str; 6] = ["--rounds", "1000000", "--interval", "5ms", "--strategy", "weighted"];
const WATCH: [&str; 2] = ["watch", "--json"];

fn old_programs() -> Option<Programs> {
    let Some(folder) = std::env::var_os(VARIABLE) else {
        skipped(
            &format!("{VARIABLE} names no folder"),
            "the programs of another version beside those of this one",
        );
        return None;
    };
    // A test runs in the folder of its package.
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..").join(folder);
    let program =
        |name| folder.join(name).canonicalize().unwrap_or_else(|error| panic!("{folder:?}, {name}: {error}"));
    Some(Programs {
        server: program("daytime-server"),
        client: program("daytime-client"),
        environment: vec![],
    })
}

/// The joins and leaves that a client has printed, in order.
fn changes(watch: &Process) -> Vec<(String, String)> {
    let lines = watch.out().into_iter().filter_map(|(_, line)| {
        let line: serde_json::Value = serde_json::from_str(&line).unwrap();
        Some((line["event"].as_str()?.to_owned(), line["endpoint"].as_str()?.to_owned()))
    });
    lines.filter(|(event, _)| event == "joined" || event == "left").collect()
}

/// Waits until a client has printed so many joins and leaves.
async fn until_printed(watch: &Process, count: usize) {
    let printed = async || changes(watch).len() >= count;
    let printed = holds_within(&format!("{count} changes are printed"), SOON, printed).await;
    printed.unwrap_or_else(|late| panic!("{late}: {:?}\n{}", changes(watch), watch.err()));
}

/// Waits until a client has had an answer of a server that was started now.
async fn until_answered(client: &Process, port: u16) {
    let (before, start) = (client.out().len(), name(port) + ":");
    let answered = async || client.out_from(before).iter().any(|(_, line)| line.starts_with(&start));
    let answered = holds_within(&format!("{start} answers"), SOON, answered).await;
    answered.unwrap_or_else(|late| panic!("{late}\n{}", client.err()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn programs_of_another_version_are_replaced_by_ours_and_back_and_no_client_loses_a_round() {
    let Some(old) = old_programs() else { return };
    let zookeeper = zk_embedded::Server::builder().tick(TICK).start().await.unwrap();
    let [old, new] =
        [old, system_tests::programs!()].map(|programs| TestBed::new(programs, vec![zookeeper.addr()]));
    let watches = [old.client(&WATCH), new.client(&WATCH)];
    let ports = free_ports(3);
    let mut servers: Vec<_> = ports.iter().map(|port| old.server(&[*port])).collect();
    new.registered(&ports).await;
    for watch in &watches {
        until_printed(watch, ports.len()).await;
    }
    let clients = [
        ("the other", old.client(&ASK)),
        ("the other, by records", old.client(&ASK_BY_RECORDS)),
        ("ours", new.client(&ASK)),
        ("ours, by records", new.client(&ASK_BY_RECORDS)),
    ];
    let mut expected = ports.len();
    for (version, bed) in [("ours", &new), ("the other", &old)] {
        for port in &ports {
            let server = servers.remove(0);
            server.signal(Signal::SIGTERM);
            let exit = server.exit(SOON).await.unwrap();
            assert_eq!(exit.code, Some(0), "{} ends for {version}: {}", name(*port), exit.err);
            servers.push(bed.server(&[*port]));
            new.registered(&ports).await;
            for (_, client) in &clients {
                until_answered(client, *port).await;
            }
            expected += 2;
        }
    }
    // A killed server whose place the other version takes at once is never missing.
    for bed in [&new, &old] {
        let port = ports[0];
        let node = new.observer.now().unwrap()[&name(port)].clone();
        servers.remove(0).kill().await;
        servers.insert(0, bed.server(&[port]));
        let taken = |nodes: &BTreeMap<String, Node>| {
            nodes.get(&name(port)).is_some_and(|now| now.owner != node.owner)
        };
        new.observer.until("the znode is taken over", SOON, taken).await.unwrap();
        for (_, client) in &clients {
            until_answered(client, port).await;
        }
    }
    for (whose, client) in clients {
        client.signal(Signal::SIGTERM);
        let exit = client.exit(SOON).await.unwrap();
        // Answers are on standard output; what begins so on standard error is a round without one.
        let lost: Vec<_> = exit.err.lines().filter(|line| line.starts_with("round ")).collect();
        println!("client of {whose}: {} rounds answered, {} lost", exit.out.len(), lost.len());
        assert!(lost.is_empty() && exit.out.len() > 100, "client of {whose}: {lost:#?}");
    }
    for (whose, watch) in ["the other", "ours"].into_iter().zip(&watches) {
        until_printed(watch, expected).await;
        let changes = changes(watch);
        println!("watch of {whose}: {} changes", changes.len());
        assert_eq!(changes.len(), expected, "watch of {whose}: {changes:?}");
    }
}
