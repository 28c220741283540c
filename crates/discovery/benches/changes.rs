//! Measures how long one change takes from the writer's request to the view, by the size of the set: `cargo bench -p
//! discovery`. The embedded server, the writer and the reader share the process: the time with 10 instances is theirs,
//! and the additional time with more instances is the view's.

#![allow(clippy::unwrap_used, reason = "a bench may panic")]

use std::time::Duration;

use discovery::{Discovery, DiscoveryConfig, Records, View};
use tokio::time::Instant;
use zk_core::{ServerVersion, Zk};
use zk_testing::raw::{Client, CreateMode, MultiOp};

const ROOT: &str = "/go_servers";
const ROUNDS: usize = 100;

fn node(number: usize) -> String {
    format!("{ROOT}/10.{}.{}.{}:80", number >> 16, number >> 8 & 255, number & 255)
}

async fn shown(discovery: &Discovery, wanted: impl FnMut(&std::sync::Arc<View>) -> bool) {
    let mut views = discovery.views();
    tokio::time::timeout(Duration::from_secs(60), views.wait_for(wanted)).await.unwrap().unwrap();
}

async fn measure(count: usize, records: Records, version: ServerVersion) {
    let server = zk_embedded::Server::start().await.unwrap();
    let writer = Client::connect(server.addr(), Duration::from_secs(30)).await.unwrap();
    writer.create_all(ROOT).await.unwrap();
    let numbers: Vec<_> = (0..count).collect();
    for some in numbers.chunks(500) {
        let create = |number: &usize| {
            MultiOp::create(node(*number), r#"{"Weight":7,"Tags":{"zone":"a"}}"#, CreateMode::Ephemeral)
        };
        writer.multi(&some.iter().map(create).collect::<Vec<_>>()).await.unwrap();
    }
    let config = zk_core::ZkConfig::new(&server.connect_string()).unwrap().with_server_version(version);
    let started = Instant::now();
    let zk = Zk::start(config).unwrap();
    let config = DiscoveryConfig::new(ROOT.parse().unwrap()).with_records(records);
    let discovery = Discovery::start(&zk, config);
    shown(&discovery, |view| view.snapshot.as_ref().is_some_and(|all| all.len() == count)).await;
    let first = started.elapsed();
    // By then all records have been read.
    tokio::time::sleep(Duration::from_millis(1500)).await;
    // Reads every change.
    let mut changes = discovery.changes();
    changes.next().await.unwrap();
    let mut times = Vec::new();
    for number in count..count + ROUNDS {
        let before = Instant::now();
        writer.create(&node(number), b"{}", CreateMode::Ephemeral).await.unwrap();
        changes.next().await.unwrap();
        times.push(before.elapsed());
        tokio::time::sleep(Duration::from_millis(15)).await;
    }
    times.sort_unstable();
    println!(
        "{version:?} {records:?} {count:>6}: first view {first:>8.1?}, a change {:>8.1?} (median), {:>8.1?} (99 of 100)",
        times[ROUNDS / 2],
        times[ROUNDS - 2]
    );
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    for version in [ServerVersion::Detect, ServerVersion::Before3_6] {
        for records in [Records::NamesOnly, Records::Read] {
            for count in [10, 10_000, 40_000] {
                measure(count, records, version).await;
            }
        }
    }
}
