//! Rows in which a great many znodes come and go.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::future::try_join_all;
use nix::sys::signal::Signal;
use system_tests::{PROPAGATION, Process, SESSION, TestBed, free_ports, heavy, usage};
use tempfile::TempDir;
use test_zookeeper::Server;
use tokio::net::TcpListener;
use tokio::time::{Instant, sleep, sleep_until};
use zk_testing::proxy::{Op, Proxy};
use zk_testing::raw::{Client, CreateMode, MultiOp};

use crate::support::*;

const ROOT: &str = "/go_servers";
const MIB: u64 = 1024 * 1024;

/// `daytime-client watch --json` without a test bed, whose observer would read every znode all the time.
fn watch(hosts: &str) -> (Process, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let arguments = ["--zookeeper", hosts, "--session-timeout", "2s", "watch", "--json"].map(str::to_owned);
    let default_log = [("RUST_LOG", "info,zookeeper_client=error")];
    (Process::start(&real().client, folder.path(), &arguments, &default_log).unwrap(), folder)
}

/// How many events of a kind are printed.
fn count(watch: &Process, event: &str) -> usize {
    let event = format!("\"event\":\"{event}\"");
    watch.out().iter().filter(|(_, line)| line.contains(&event)).count()
}

fn path(name: &str) -> String {
    format!("{ROOT}/{name}")
}

async fn session(zk: &Server) -> Client {
    let client = Client::connect(zk.addr(), Duration::from_secs(4)).await.unwrap();
    client.create_all(ROOT).await.unwrap();
    client
}

// === 30: a thousand changes a second ===

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fault_30_a_thousand_changes_a_second_end_in_the_last_state_and_in_little_memory() {
    let Some(_) = test_zookeeper::require() else { return };
    let zk = Server::start().await.unwrap();
    let writer = session(&zk).await;
    // So many that what goes within a second is never most of them, which would be held.
    let all: Vec<_> = (1..=4000).map(name).collect();
    let mut truth = BTreeSet::new();
    for thousand in all[..2000].chunks(1000) {
        let creates = thousand.iter().map(|name| MultiOp::create(path(name), b"", CreateMode::Ephemeral));
        writer.multi(&creates.collect::<Vec<_>>()).await.unwrap();
        truth.extend(thousand.iter().cloned());
    }
    let (watch, _folder) = watch(&zk.connect_string());
    until("synced", SOON, || count(&watch, "synced") == 1).await.unwrap();
    let before = usage::peak_memory(watch.pid());

    let started = Instant::now();
    let mut written = 0u32;
    for batch in 0..250u32 {
        let mut operations = Vec::new();
        for step in 0..20 {
            let name =
                all[((batch * 20 + step).wrapping_mul(2_654_435_761) >> 12) as usize % all.len()].clone();
            operations.push(if truth.remove(&name) {
                MultiOp::delete(path(&name), None)
            } else {
                let create = MultiOp::create(path(&name), b"", CreateMode::Ephemeral);
                truth.insert(name);
                create
            });
        }
        // Each a transaction of its own, sent in this order.
        try_join_all(operations.iter().map(|operation| writer.multi(std::slice::from_ref(operation))))
            .await
            .unwrap();
        written += 20;
        sleep_until(started + Duration::from_millis(20) * (batch + 1)).await;
    }
    let rate = f64::from(written) / started.elapsed().as_secs_f64();
    // A machine that is busy with other tests may not reach a thousand.
    assert!(rate > 250.0, "the fault did not take effect: {rate} changes a second");
    let last = Instant::now();
    until("I2: the last state", SOON, || replay(&changes(&watch)) == truth).await.unwrap();
    // Measured by the moment of the print: to parse it all here takes its time.
    let printed = watch.out().last().unwrap().0;
    let took = printed.saturating_duration_since(last);
    assert!(took < PROPAGATION, "I2: the last state came {took:?} after the last change");
    assert_eq!(count(&watch, "held"), 0);
    let grown = usage::peak_memory(watch.pid()) - before;
    println!("{rate:.0} changes/s, {} printed, memory grown by {grown} bytes", changes(&watch).len());
    assert!(grown < 16 * MIB, "I10: memory has grown by {grown} bytes");
}

// === 31: very many children ===

async fn very_many_children(total: usize) {
    let zk = Server::start().await.unwrap();
    let writer = session(&zk).await;
    let names: Vec<_> = (0..total)
        .map(|n| format!("10.{}.{}.{}:{}", n >> 16, n >> 8 & 255, n & 255, 10_000 + n % 50_000))
        .collect();
    for thousand in names.chunks(1000) {
        let creates: Vec<_> =
            thousand.iter().map(|name| MultiOp::create(path(name), b"", CreateMode::Persistent)).collect();
        writer.multi(&creates).await.unwrap();
    }
    let proxy = Proxy::start(zk.addr()).await.unwrap();
    let started = Instant::now();
    let (watch, _folder) = watch(&proxy.connect_string());
    until("synced", Duration::from_secs(10), || count(&watch, "synced") == 1).await.unwrap();
    println!("{total} children: synced after {:?}", started.elapsed());
    assert_eq!(count(&watch, "joined"), total);

    proxy.clear();
    let changed = Instant::now();
    writer.create(&path("10.9.9.9:1"), b"", CreateMode::Ephemeral).await.unwrap();
    let half = Duration::from_millis(500);
    until("one more", half, || count(&watch, "joined") == total + 1).await.unwrap();
    writer.delete(&path(&names[total / 2]), None).await.unwrap();
    until("one less", half, || count(&watch, "left") == 1).await.unwrap();
    println!("one more and one less: {:?}", changed.elapsed());
    // The link itself reads the root of the tree as a sign of life.
    let reads: Vec<_> = proxy
        .requests()
        .into_iter()
        .filter(|seen| seen.op != Op::Ping && seen.path.as_deref() != Some("/"))
        .collect();
    assert!(reads.len() <= 2, "{reads:?}");
    let memory = usage::peak_memory(watch.pid());
    println!("memory: {} MiB", memory / MIB);
    assert!(memory < 150 * MIB, "{} MiB", memory / MIB);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fault_31_five_thousand_children_are_listed_once() {
    let Some(_) = test_zookeeper::require() else { return };
    very_many_children(5_000).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fault_31_forty_thousand_children_are_listed_once() {
    let Some(_) = test_zookeeper::require() else { return };
    let Some(_) = heavy("40,000 znodes take half a minute and much memory") else { return };
    very_many_children(40_000).await;
}

// === 32: a list larger than jute.maxbuffer ===

/// `jute.maxbuffer` limits the requests that a server reads and the replies that Java clients read, not the replies to us.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fault_32_a_list_larger_than_jute_maxbuffer_is_read_and_followed() {
    let Some(_) = test_zookeeper::require_apache() else { return };
    let small = zk_testing::Server::builder().java_property("jute.maxbuffer", 4096);
    let zk = small.start().await.unwrap();
    let writer = Client::connect(zk.addr(), Duration::from_secs(4)).await.unwrap();
    writer.create_all(ROOT).await.unwrap();
    let names: Vec<_> = (1..=1000).map(|port| format!("a-rather-long-name.example:{port}")).collect();
    for ten in names.chunks(10) {
        let creates = ten.iter().map(|name| MultiOp::create(path(name), b"", CreateMode::Ephemeral));
        writer.multi(&creates.collect::<Vec<_>>()).await.unwrap();
    }
    let (watch, _folder) = watch(&zk.connect_string());
    until("synced", SOON, || count(&watch, "synced") == 1).await.unwrap();
    assert_eq!(count(&watch, "joined"), 1000);
    writer.delete(&path(&names[0]), None).await.unwrap();
    until("one less", SOON, || count(&watch, "left") == 1).await.unwrap();
    assert_eq!(watch.log().iter().filter(|(_, line)| line.contains("WARN")).count(), 0, "{}", watch.err());
}

// === 34: most of the instances disappear at once ===

/// H by default.
const HOLD: Duration = Duration::from_secs(4);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fault_34_a_mass_disappearance_is_held_and_then_believed() {
    let Some(_) = test_zookeeper::require() else { return };
    let zk = Server::start().await.unwrap();
    let bed = TestBed::new(real(), vec![zk.addr()]);
    let ports = free_ports(10);
    // The ports listen all the time: only their znodes go.
    let mut listeners = Vec::new();
    for port in &ports {
        listeners.push(TcpListener::bind(("127.0.0.1", *port)).await.unwrap());
    }
    let writer = register_by_hand(zk.addr(), &ports.iter().copied().map(name).collect::<Vec<_>>()).await;
    let watch = bed.client(&["watch", "--json"]);
    until_changes(&watch, 10).await.unwrap();

    // One goes, which is believed at once.
    writer.delete(&path(&name(ports[9])), None).await.unwrap();
    until("one has left", PROPAGATION, || count(&watch, "left") == 1).await.unwrap();
    sleep(Duration::from_secs(1)).await;
    // Eight of nine go.
    let deletes: Vec<_> = ports[..8].iter().map(|port| MultiOp::delete(path(&name(*port)), None)).collect();
    writer.multi(&deletes).await.unwrap();
    let gone = Instant::now();
    until("the hold is printed", PROPAGATION, || count(&watch, "held") > 0).await.unwrap();
    sleep_until(gone + HOLD - PROPAGATION).await;
    // The deletions may arrive one by one, and the first are believed: as long as half of the set is left.
    assert!(replay(&changes(&watch)).len() >= 5, "held: {:?}", changes(&watch));
    until("believed", 2 * PROPAGATION, || count(&watch, "left") == 9).await.unwrap();
    assert_eq!(replay(&changes(&watch)), BTreeSet::from([name(ports[8])]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fault_34_eight_killed_servers_of_ten_leave_at_once_for_callers_and_after_the_hold_for_watchers() {
    let Some(_) = test_zookeeper::require() else { return };
    let zk = Server::start().await.unwrap();
    let bed = TestBed::new(real(), vec![zk.addr()]);
    let ports = free_ports(10);
    let mut servers: Vec<_> = ports.chunks(2).map(|two| bed.server(two)).collect();
    bed.observer.until("ten", SOON, all_of(&ports)).await.unwrap();
    let watch = bed.client(&["watch", "--json"]);
    until_changes(&watch, 10).await.unwrap();
    let asking = bed.client(&FOR_EVER);
    until_answers(&asking, 100).await.unwrap();
    let dead: BTreeSet<_> = ports[..8].iter().copied().map(name).collect();
    let living: BTreeSet<_> = ports[8..].iter().copied().map(name).collect();

    for server in servers.drain(..4) {
        server.kill().await;
    }
    let killed = Instant::now();
    bed.observer.until("their sessions have ended", gone_within(), all_of(&ports[8..])).await.unwrap();
    // The watching client believes it after the hold; the first few before, while half of the set was left. Where a busy
    // machine has cost it its link, the hold begins anew.
    let live = || {
        let log = watch.log();
        log.iter().rev().find_map(|(at, line)| line.contains("discovery view is live").then_some(*at))
    };
    while replay(&changes(&watch)) != living {
        let held_since = live().unwrap_or(killed).max(killed + gone_within());
        let printed = &changes(&watch)[10..];
        assert!(held_since.elapsed() < HOLD + PROPAGATION, "I4: {printed:?}\n{}", watch.err());
        sleep(Duration::from_millis(10)).await;
    }
    assert!(killed.elapsed() > HOLD, "the disappearance was held: {:?}", changes(&watch));
    assert_eq!(count(&watch, "left"), 8);
    // The asking client finds that they refuse, at once.
    still_answered(&asking).await.unwrap();
    let log = asking.log();
    let removed: BTreeSet<_> = log
        .iter()
        .filter(|(at, line)| {
            line.contains("held instance removed: it refuses connections")
                && *at < killed + gone_within() + SESSION
        })
        .filter_map(|(_, line)| line.split_once("endpoint=")?.1.split_whitespace().next().map(str::to_owned))
        .collect();
    println!("{} of 8 removed because they refuse", removed.len());
    assert!(!removed.is_empty() && removed.is_subset(&dead), "{removed:?}");
}

/// A server of three ports, and a client that watches it.
async fn three_ports(bed: &TestBed) -> (Process, Process) {
    let ports = free_ports(3);
    let server = bed.server(&ports);
    bed.registered(&ports).await;
    let watch = bed.client(&["watch", "--json"]);
    until_changes(&watch, 3).await.unwrap();
    (server, watch)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fault_34_a_stopped_server_of_three_ports_leaves_at_once_and_nothing_is_held() {
    let Some(_) = test_zookeeper::require() else { return };
    if !test_zookeeper::has_recursive_watches() {
        return zk_testing::skipped("only a recursive watch shows that a leave was told");
    }
    let zk = Server::start().await.unwrap();
    let bed = TestBed::new(real(), vec![zk.addr()]);
    let (server, watch) = three_ports(&bed).await;
    server.signal(Signal::SIGTERM);
    until("three have left", 2 * PROPAGATION, || count(&watch, "left") == 3).await.unwrap();
    let exit = server.exit(Duration::from_secs(5)).await.unwrap();
    assert_eq!(exit.code, Some(0), "{}", exit.err);
    assert_eq!(count(&watch, "held"), 0, "{:?}", watch.out());
    assert!(!watch.has_logged("mass disappearance"), "{}", watch.err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fault_34_a_killed_server_of_three_ports_is_held() {
    let Some(_) = test_zookeeper::require() else { return };
    let zk = Server::start().await.unwrap();
    let bed = TestBed::new(real(), vec![zk.addr()]);
    let (server, watch) = three_ports(&bed).await;
    server.kill().await;
    until("the hold is printed", gone_within(), || count(&watch, "held") > 0).await.unwrap();
    let held = Instant::now();
    sleep_until(held + HOLD - PROPAGATION).await;
    // A deletion that arrives before the others is believed.
    assert!(count(&watch, "left") <= 1, "{:?}", watch.out());
    until("believed", 2 * PROPAGATION, || count(&watch, "left") == 3).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fault_34_sigusr1_makes_clients_believe_a_mass_disappearance_at_once() {
    let Some(_) = test_zookeeper::require() else { return };
    let zk = Server::start().await.unwrap();
    let bed = TestBed::new(real(), vec![zk.addr()]);
    // A hold that is longer than this test. The programs read the file in the folder that they run in.
    bed.write("config/daytime.toml", "[discovery]\nhold = '10m'\n");
    let ports = free_ports(10);
    // The ports serve all the time, so that none goes for a refused connection: only their znodes go.
    let elsewhere = test_zookeeper::Server::start().await.unwrap();
    let unlisted = TestBed::new(real(), vec![elsewhere.addr()]);
    let _server = unlisted.server(&ports);
    unlisted.registered(&ports).await;
    let names: BTreeSet<_> = ports.iter().copied().map(name).collect();
    let writer = register_by_hand(zk.addr(), &names.iter().cloned().collect::<Vec<_>>()).await;
    let watch = bed.client(&["watch", "--json"]);
    until_changes(&watch, 10).await.unwrap();
    let asking = bed.client(&FOR_EVER);
    until_answers(&asking, 100).await.unwrap();

    // A signal before the hold is answered, and does not count for later.
    for process in [&watch, &asking] {
        process.signal(Signal::SIGUSR1);
        process.until_logged("SIGUSR1: no instances are held").await;
    }
    let deletes: Vec<_> = ports[..9].iter().map(|port| MultiOp::delete(path(&name(*port)), None)).collect();
    writer.multi(&deletes).await.unwrap();
    until("the hold is printed", SOON, || count(&watch, "held") > 0).await.unwrap();
    sleep(Duration::from_secs(1)).await;
    // The deletions may arrive one by one, and the first are believed: as long as half of the set is left.
    let held = replay(&changes(&watch)).len() - 1;
    assert!(held >= 4, "held: {:?}", changes(&watch));

    for process in [&watch, &asking] {
        process.signal(Signal::SIGUSR1);
    }
    let last = BTreeSet::from([name(ports[9])]);
    until("believed", PROPAGATION, || replay(&changes(&watch)) == last).await.unwrap();
    assert!(watch.has_logged(&format!("released={held}")), "{}", watch.err());
    asking.until_logged("SIGUSR1: releasing the held instances").await;
    let answered_before = asking.out().len();
    until_answers(&asking, answered_before + 50).await.unwrap();
    let late: BTreeSet<_> = asking.out()[answered_before + 10..]
        .iter()
        .filter_map(|(_, line)| Some(line[..line.match_indices(':').nth(1)?.0].to_owned()))
        .collect();
    assert_eq!(late, last, "the asking client calls the one that is left");
    still_answered(&asking).await.unwrap();
}
