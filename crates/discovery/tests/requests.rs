//! What following costs, counted at a proxy.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::time::Duration;

use common::{
    Engine, ROOT, SOON, add, node, observer, ports, ports_become, remove, start, verbs, view_where,
};
use discovery::{Change, View};
use test_zookeeper::Server;
use tokio::time::{Instant, sleep, timeout};
use zk_core::State;
use zk_testing::proxy::{Op, Proxy};
use zk_testing::raw::{CreateMode, MultiOp};

#[tokio::test]
async fn a_change_costs_one_event_and_no_read() {
    // An old server knows neither the watch nor the request to take one off.
    if !test_zookeeper::has_recursive_watches() {
        return;
    }
    let Some(_) = test_zookeeper::require() else { return };
    let server = Server::start().await.unwrap();
    let proxy = Proxy::start(server.addr()).await.unwrap();
    let observer = observer(&server).await;
    observer.create_all(ROOT).await.unwrap();
    add(&observer, [1, 2, 3]).await;
    let (_zk, discovery) = start(Engine::Recursive, &proxy.connect_string(), |config| config);
    ports_become(&discovery, &[1, 2, 3]).await;
    assert_eq!(verbs(&proxy), [Op::AddWatch, Op::Sync, Op::Exists, Op::GetChildren2]);

    proxy.clear();
    for port in 4..20 {
        add(&observer, [port]).await;
        view_where(&discovery, "the new port", |view| ports(view).unwrap().contains(&port)).await;
    }
    remove(&observer, [1]).await;
    view_where(&discovery, "one less", |view| !ports(view).unwrap().contains(&1)).await;
    observer.set(&node(2), b"data is none of our business", None).await.unwrap();
    observer.create(&format!("{ROOT}/127.0.0.1:50"), b"", CreateMode::Persistent).await.unwrap();
    observer.create(&format!("{ROOT}/127.0.0.1:50/127.0.0.1:51"), b"", CreateMode::Ephemeral).await.unwrap();
    // When this one is shown, the others were heard of.
    add(&observer, [60]).await;
    let view = view_where(&discovery, "the last one", |view| ports(view).unwrap().contains(&60)).await;
    assert!(ports(&view).unwrap().contains(&50) && !ports(&view).unwrap().contains(&51), "{view:?}");
    assert_eq!(view.skipped, 0, "grandchildren are ignored, and not even invalid");
    assert_eq!(verbs(&proxy), []);
}

/// D7: the order on the wire is what makes the look see at least what was seen before.
#[tokio::test]
async fn after_a_reconnect_it_watches_syncs_looks_and_lists_only_if_the_root_moved() {
    // An old server knows neither the watch nor the request to take one off.
    if !test_zookeeper::has_recursive_watches() {
        return;
    }
    let Some(_) = test_zookeeper::require() else { return };
    let server = Server::start().await.unwrap();
    let proxy = Proxy::start(server.addr()).await.unwrap();
    let observer = observer(&server).await;
    observer.create_all(ROOT).await.unwrap();
    add(&observer, [1, 2]).await;
    let (zk, discovery) = start(Engine::Recursive, &proxy.connect_string(), |config| config);
    let before = ports_become(&discovery, &[1, 2]).await;

    let mut states = zk.states();
    proxy.clear();
    proxy.cut().await;
    states.wait_for(|state: &State| state.reconnects == 1).await.unwrap();
    let after = ports_become(&discovery, &[1, 2]).await;
    assert_eq!(verbs(&proxy), [Op::AddWatch, Op::Sync, Op::Exists]);
    assert_eq!(after.snapshot, before.snapshot, "the very same snapshot");

    proxy.refuse().await;
    view_where(&discovery, "stale", |view| !view.is_live()).await;
    remove(&observer, [2]).await;
    add(&observer, [3]).await;
    proxy.clear();
    proxy.pass().await.unwrap();
    ports_become(&discovery, &[1, 3]).await;
    assert_eq!(verbs(&proxy), [Op::AddWatch, Op::Sync, Op::Exists, Op::GetChildren2]);
    // D1: what comes after the reconnect is seen.
    add(&observer, [4]).await;
    ports_become(&discovery, &[1, 3, 4]).await;
}

#[tokio::test]
async fn following_ends_with_the_last_handle() {
    // An old server knows neither the watch nor the request to take one off.
    if !test_zookeeper::has_recursive_watches() {
        return;
    }
    let Some(_) = test_zookeeper::require() else { return };
    let server = Server::start().await.unwrap();
    let proxy = Proxy::start(server.addr()).await.unwrap();
    let (zk, discovery) = start(Engine::Recursive, &proxy.connect_string(), |config| config);
    view_where(&discovery, "live", View::is_live).await;
    let mut changes = discovery.changes();
    assert!(matches!(changes.next().await, Some(Change::Reset(_))));
    drop(discovery);
    assert_eq!(timeout(SOON, changes.next()).await.unwrap(), None);
    let deadline = Instant::now() + SOON;
    while !verbs(&proxy).contains(&Op::RemoveWatches) {
        assert!(Instant::now() < deadline, "the watch is taken off the server");
        sleep(Duration::from_millis(10)).await;
    }
    assert!(zk.state().is_connected(), "the link is not ours to close");
}

#[tokio::test]
async fn without_recursive_watches_a_change_costs_one_list() {
    let Some(_) = test_zookeeper::require() else { return };
    let server = Server::start().await.unwrap();
    let proxy = Proxy::start(server.addr()).await.unwrap();
    let observer = observer(&server).await;
    observer.create_all(ROOT).await.unwrap();
    add(&observer, [1, 2, 3]).await;
    let (zk, discovery) = start(Engine::OneShot, &proxy.connect_string(), |config| config);
    ports_become(&discovery, &[1, 2, 3]).await;
    assert_eq!(verbs(&proxy), [Op::Sync, Op::GetChildren2]);

    for port in 4..10 {
        proxy.clear();
        add(&observer, [port]).await;
        ports_become(&discovery, &(1..=port).collect::<Vec<_>>()).await;
        assert_eq!(verbs(&proxy), [Op::GetChildren2]);
    }
    proxy.clear();
    observer.set(&node(2), b"data is none of our business", None).await.unwrap();

    // The watch went with the connection, and a list brings it back.
    let mut states = zk.states();
    proxy.cut().await;
    states.wait_for(|state: &State| state.reconnects == 1).await.unwrap();
    ports_become(&discovery, &(1..10).collect::<Vec<_>>()).await;
    assert_eq!(verbs(&proxy), [Op::Sync, Op::GetChildren2]);
    add(&observer, [10]).await;
    ports_become(&discovery, &(1..=10).collect::<Vec<_>>()).await;
}

#[tokio::test]
async fn without_recursive_watches_a_thousand_changes_do_not_cost_a_thousand_lists() {
    let Some(_) = test_zookeeper::require() else { return };
    let server = Server::start().await.unwrap();
    let proxy = Proxy::start(server.addr()).await.unwrap();
    let observer = observer(&server).await;
    observer.create_all(ROOT).await.unwrap();
    let (_zk, discovery) = start(Engine::OneShot, &proxy.connect_string(), |config| config);
    ports_become(&discovery, &[]).await;
    proxy.clear();
    let started = Instant::now();
    // Ten in each transaction, one transaction behind the other.
    for first in (1..=1_000).step_by(10) {
        let ten: Vec<_> =
            (first..first + 10).map(|port| MultiOp::create(node(port), b"", CreateMode::Ephemeral)).collect();
        observer.multi(&ten).await.unwrap();
    }
    ports_become(&discovery, &(1..=1_000).collect::<Vec<_>>()).await;
    let took = started.elapsed();
    let lists = verbs(&proxy).len();
    let most = usize::try_from(took.as_millis() / 10).unwrap() + 2;
    assert!(lists <= most, "{lists} lists in {took:?}");
}
