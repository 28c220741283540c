//! The requests that discovery sends, counted at a proxy.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::intercept::{Intercept, start_intercepted};
use common::{
    ROOT, SOON, Watches, add, audits, becomes_live, becomes_stale, eventually, node, operations, ports,
    ports_become, remove, require_recursive_watches, serve_with_proxy, start, view_where,
};
use discovery::{Change, Records};
use test_zookeeper::Server;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout};
use zk_core::transport::{Reply, Transport, Turn};
use zk_core::{Event, State, ZnodePath};
use zk_testing::proxy::{Op, Proxy};
use zk_testing::raw::{CreateMode, MultiOp};

#[tokio::test]
async fn a_change_costs_one_event_and_no_read() {
    let Some(_) = require_recursive_watches() else { return };
    let (_server, proxy, observer) = serve_with_proxy([1, 2, 3]).await;
    let (_zk, discovery) = start(Watches::Recursive, &proxy.connect_string(), |config| config);
    ports_become(&discovery, &[1, 2, 3]).await;
    assert_eq!(operations(&proxy), [Op::AddWatch, Op::Sync, Op::Exists, Op::GetChildren2]);

    proxy.clear();
    for port in 4..20 {
        add(&observer, [port]).await;
        view_where(&discovery, "the new port", |view| ports(view).unwrap().contains(&port)).await;
    }
    remove(&observer, [1]).await;
    view_where(&discovery, "one less", |view| !ports(view).unwrap().contains(&1)).await;
    observer.set(&node(2), b"data that nobody reads", None).await.unwrap();
    observer.create(&format!("{ROOT}/127.0.0.1:50"), b"", CreateMode::Persistent).await.unwrap();
    observer.create(&format!("{ROOT}/127.0.0.1:50/127.0.0.1:51"), b"", CreateMode::Ephemeral).await.unwrap();
    // When this one is shown, the events before it have arrived.
    add(&observer, [60]).await;
    let view = view_where(&discovery, "the last one", |view| ports(view).unwrap().contains(&60)).await;
    assert!(ports(&view).unwrap().contains(&50) && !ports(&view).unwrap().contains(&51), "{view:?}");
    assert_eq!(view.skipped, 0, "grandchildren are ignored, and not skipped");
    assert_eq!(operations(&proxy), []);
}

/// D7: the order on the wire makes the stat at least as new as all that was seen before.
#[tokio::test]
async fn a_reconnect_watches_and_syncs_and_lists_only_if_the_root_changed() {
    let Some(_) = require_recursive_watches() else { return };
    let (_server, proxy, observer) = serve_with_proxy([1, 2]).await;
    let (zk, discovery) = start(Watches::Recursive, &proxy.connect_string(), |config| config);
    let before = ports_become(&discovery, &[1, 2]).await;

    let mut states = zk.states();
    proxy.clear();
    proxy.cut().await;
    states.wait_for(|state: &State| state.reconnects == 1).await.unwrap();
    let after = ports_become(&discovery, &[1, 2]).await;
    assert_eq!(operations(&proxy), [Op::AddWatch, Op::Sync, Op::Exists]);
    assert_eq!(after.snapshot, before.snapshot, "the same snapshot");

    proxy.refuse().await;
    becomes_stale(&discovery).await;
    remove(&observer, [2]).await;
    add(&observer, [3]).await;
    proxy.clear();
    proxy.pass().await.unwrap();
    ports_become(&discovery, &[1, 3]).await;
    assert_eq!(operations(&proxy), [Op::AddWatch, Op::Sync, Op::Exists, Op::GetChildren2]);
    // D1: a change after the reconnect is seen.
    add(&observer, [4]).await;
    ports_become(&discovery, &[1, 3, 4]).await;
}

/// Ten changes, a reconnect and three audits. Returns the operations from the reconnect on.
async fn follow_for_a_while(records: Records, churns: bool) -> Vec<Op> {
    let (_server, proxy, observer) = serve_with_proxy([1, 2, 3]).await;
    let (zk, discovery) = start(Watches::Recursive, &proxy.connect_string(), |config| {
        config.with_records(records).with_audit_interval(Duration::from_millis(400)).unwrap()
    });
    ports_become(&discovery, &[1, 2, 3]).await;
    proxy.clear();
    // Two that come and go all the time; the changes that must be missed are made without them.
    let churn = async || match churns {
        true => loop {
            add(&observer, [101, 102]).await;
            sleep(Duration::from_millis(20)).await;
            remove(&observer, [101, 102]).await;
            sleep(Duration::from_millis(20)).await;
        },
        false => std::future::pending::<()>().await,
    };
    let shows = async |port, there| {
        let claim = format!("{port} is there: {there}");
        view_where(&discovery, &claim, |view| ports(view).unwrap().contains(&port) == there).await;
    };
    for port in 11..16 {
        add(&observer, [port]).await;
        shows(port, true).await;
        remove(&observer, [port]).await;
        shows(port, false).await;
    }
    let seen = operations(&proxy);
    assert!(seen.iter().all(|op| matches!(op, Op::GetData | Op::Exists | Op::MultiRead)), "{seen:?}");
    proxy.clear();
    let mut states = zk.states();
    proxy.cut().await;
    states.wait_for(|state: &State| state.reconnects == 1).await.unwrap();
    becomes_live(&discovery).await;
    let before = audits(&proxy);
    tokio::select! {
        () = churn() => unreachable!("it does not end"),
        () = eventually("three audits", async || audits(&proxy) >= before + 3) => {}
    }
    operations(&proxy)
}

#[tokio::test]
async fn ten_changes_a_reconnect_and_three_audits_cost_no_list() {
    let Some(_) = require_recursive_watches() else { return };
    for records in [Records::NamesOnly, Records::Read] {
        for churns in [false, true] {
            let operations = follow_for_a_while(records, churns).await;
            assert!(!operations.contains(&Op::GetChildren2), "{records:?}, churns: {churns}: {operations:?}");
            let looks = |op: &&Op| matches!(op, Op::AddWatch | Op::Sync | Op::Exists | Op::GetData);
            let looks: Vec<_> = operations.iter().filter(looks).collect();
            assert_eq!(looks[..3], [&Op::AddWatch, &Op::Sync, &Op::Exists], "{operations:?}");
            if !churns {
                // The reconnect, and one look for each audit.
                assert_eq!(looks.len(), 3 + 3, "{operations:?}");
            }
        }
    }
}

/// Loses the events of one znode.
#[derive(Clone, Debug, Default)]
struct Swallows {
    path: Arc<Mutex<Option<String>>>,
    watches: Arc<AtomicUsize>,
}

impl Intercept for Swallows {
    fn watch_recursive(
        &self,
        transport: &dyn Transport,
        turn: Turn,
        path: &ZnodePath,
    ) -> Reply<mpsc::Receiver<Event>> {
        self.watches.fetch_add(1, Ordering::Relaxed);
        let (watched, swallows) = (transport.watch_recursive(turn, path), self.clone());
        Box::pin(async move {
            let mut events = watched.await?;
            let (queue, receiver) = mpsc::channel(1_000);
            tokio::spawn(async move {
                while let Some(event) = events.recv().await {
                    let swallowed = swallows.path.lock().unwrap().as_deref() == Some(event.path.as_str());
                    if !swallowed && queue.send(event).await.is_err() {
                        return;
                    }
                }
            });
            Ok(receiver)
        })
    }
}

#[tokio::test]
async fn a_lost_event_is_noticed_at_the_next_audit() {
    let Some(_) = require_recursive_watches() else { return };
    let (_server, proxy, observer) = serve_with_proxy([1, 2]).await;
    let swallows = Swallows::default();
    let (zk, discovery) = start_intercepted(&proxy.connect_string(), &swallows, |config| {
        config.with_audit_interval(Duration::from_secs(1)).unwrap()
    });
    ports_become(&discovery, &[1, 2]).await;
    // A creation is lost, and the one after it is not.
    *swallows.path.lock().unwrap() = Some(node(3));
    add(&observer, [3, 4]).await;
    ports_become(&discovery, &[1, 2, 4]).await;
    ports_become(&discovery, &[1, 2, 3, 4]).await;
    // The same with a deletion.
    becomes_live(&discovery).await;
    *swallows.path.lock().unwrap() = Some(node(4));
    remove(&observer, [4]).await;
    add(&observer, [5]).await;
    ports_become(&discovery, &[1, 2, 3, 4, 5]).await;
    ports_become(&discovery, &[1, 2, 3, 5]).await;
    // A watch that has reported nothing for an audit is replaced, too.
    let before = audits(&proxy);
    eventually("an audit without an event", async || audits(&proxy) >= before + 2).await;
    becomes_live(&discovery).await;
    let watches = swallows.watches.load(Ordering::Relaxed);
    *swallows.path.lock().unwrap() = Some(node(5));
    remove(&observer, [5]).await;
    ports_become(&discovery, &[1, 2, 3]).await;
    let replaced = async || swallows.watches.load(Ordering::Relaxed) == watches + 1;
    eventually("the watch is replaced", replaced).await;
    assert_eq!(zk.state().reconnects, 0);
}

#[tokio::test]
async fn dropping_the_last_handle_ends_discovery_and_removes_the_watch() {
    let Some(_) = require_recursive_watches() else { return };
    let server = Server::start().await.unwrap();
    let proxy = Proxy::start(server.addr()).await.unwrap();
    let (zk, discovery) = start(Watches::Recursive, &proxy.connect_string(), |config| config);
    becomes_live(&discovery).await;
    let mut changes = discovery.changes();
    assert!(matches!(changes.next().await, Some(Change::Reset(_))));
    drop(discovery);
    assert_eq!(timeout(SOON, changes.next()).await.unwrap(), None);
    let removed = async || operations(&proxy).contains(&Op::RemoveWatches);
    eventually("the watch is removed from the server", removed).await;
    assert!(zk.state().is_connected(), "the link stays open");
}

#[tokio::test]
async fn without_recursive_watches_a_change_costs_one_list() {
    let Some(_) = test_zookeeper::require() else { return };
    let (_server, proxy, observer) = serve_with_proxy([1, 2, 3]).await;
    let (zk, discovery) = start(Watches::OneShot, &proxy.connect_string(), |config| config);
    ports_become(&discovery, &[1, 2, 3]).await;
    assert_eq!(operations(&proxy), [Op::Sync, Op::GetChildren2]);

    for port in 4..10 {
        proxy.clear();
        add(&observer, [port]).await;
        ports_become(&discovery, &(1..=port).collect::<Vec<_>>()).await;
        assert_eq!(operations(&proxy), [Op::GetChildren2]);
    }
    proxy.clear();
    observer.set(&node(2), b"data that nobody reads", None).await.unwrap();

    // The watch ended with the connection, and a list sets the next one.
    let mut states = zk.states();
    proxy.cut().await;
    states.wait_for(|state: &State| state.reconnects == 1).await.unwrap();
    ports_become(&discovery, &(1..10).collect::<Vec<_>>()).await;
    assert_eq!(operations(&proxy), [Op::Sync, Op::GetChildren2]);
    add(&observer, [10]).await;
    ports_become(&discovery, &(1..=10).collect::<Vec<_>>()).await;
}

#[tokio::test]
async fn without_recursive_watches_a_thousand_changes_cost_at_most_a_list_every_10_ms() {
    let Some(_) = test_zookeeper::require() else { return };
    let (_server, proxy, observer) = serve_with_proxy([]).await;
    let (_zk, discovery) = start(Watches::OneShot, &proxy.connect_string(), |config| config);
    ports_become(&discovery, &[]).await;
    proxy.clear();
    let started = Instant::now();
    // Ten in each transaction.
    for first in (1..=1_000).step_by(10) {
        let ten: Vec<_> =
            (first..first + 10).map(|port| MultiOp::create(node(port), b"", CreateMode::Ephemeral)).collect();
        observer.multi(&ten).await.unwrap();
    }
    ports_become(&discovery, &(1..=1_000).collect::<Vec<_>>()).await;
    let took = started.elapsed();
    let lists = operations(&proxy).len();
    let max = usize::try_from(took.as_millis() / 10).unwrap() + 2;
    assert!(lists <= max, "{lists} lists in {took:?}");
}
