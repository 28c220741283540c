//! Rows 13, 30 and 47 of the fault matrix: the session of a reader expires, a thousand changes a second, readers that
//! are slow or dropped.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::collections::BTreeSet;
use std::future::{Future, poll_fn};
use std::task::Poll;
use std::time::Duration;

use common::{
    ROOT, SESSION, SOON, Watches, add, becomes_live, becomes_stale, discovery_config, eventually,
    link_config, observer, ports, ports_become, remove, require_recursive_watches, serve, serve_with_proxy,
};
use discovery::{Change, Changes, Discovery, DiscoveryConfig, View};
use test_zookeeper::Server;
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use zk_core::Zk;
use zk_testing::proxy::Proxy;
use zk_testing::{expire_session, four_letter_word, holds_within, poll_at_most, raw};

/// B, the longest wait between two attempts to connect.
const BACKOFF: Duration = Duration::from_millis(667);
/// P, from ZooKeeper's event to a view.
const PROPAGATION: Duration = Duration::from_millis(250);

fn start(hosts: &str, change: impl FnOnce(DiscoveryConfig) -> DiscoveryConfig) -> (Zk, Discovery) {
    common::start(Watches::Recursive, hosts, change)
}

/// Applies a change to the ports that a reader knows.
fn apply(known: &mut BTreeSet<u16>, change: Change) {
    let fits = match &change {
        Change::Reset(snapshot) => {
            *known = snapshot.endpoints().map(|endpoint| endpoint.port()).collect();
            true
        }
        Change::Added(instance) => known.insert(instance.endpoint().port()),
        Change::Removed(instance) => known.remove(&instance.endpoint().port()),
        Change::Updated { .. } => true,
    };
    assert!(fits, "I7: {change:?} came twice");
}

// === 13: the session of a reader expires ===

#[tokio::test]
async fn fault_13_changes_during_an_expired_session_are_reported_once_and_the_next_session_watches() {
    let Some(_) = test_zookeeper::require() else { return };
    let (server, proxy, observer) = serve_with_proxy(1..=4).await;
    let (zk, discovery) = start(&proxy.connect_string(), |config| config);
    ports_become(&discovery, &[1, 2, 3, 4]).await;
    let mut changes = discovery.changes();
    assert!(matches!(changes.next().await, Some(Change::Reset(all)) if all.len() == 4));

    proxy.refuse().await;
    becomes_stale(&discovery).await;
    expire_session(server.addr(), zk.state().session.unwrap().id.0).await.unwrap();
    remove(&observer, [1]).await;
    add(&observer, [5]).await;
    sleep(SESSION).await;
    assert_eq!(ports(&discovery.view()).unwrap(), [1, 2, 3, 4], "I1: the set stays");
    assert!(!discovery.view().is_live());

    proxy.pass().await.unwrap();
    let healed = Instant::now();
    ports_become(&discovery, &[2, 3, 4, 5]).await;
    let within = BACKOFF + Duration::from_secs(1);
    assert!(healed.elapsed() < within, "I2: it took {:?}", healed.elapsed());
    assert_eq!(zk.state().epoch, 2);
    // The watch of the new session reports an addition and a removal.
    add(&observer, [6]).await;
    ports_become(&discovery, &[2, 3, 4, 5, 6]).await;
    remove(&observer, [2]).await;
    ports_become(&discovery, &[3, 4, 5, 6]).await;
    let mut known: BTreeSet<u16> = (1..=4).collect();
    while known != (3..=6).collect() {
        let change = timeout(SOON, changes.next()).await.unwrap().unwrap();
        apply(&mut known, change);
    }
}

// === 30: a thousand changes a second ===

/// The number of ports that come and go; a set of them fits a `u64`.
const PORTS: u16 = 60;

fn bits(view: &View) -> Option<u64> {
    ports(view).map(|ports| ports.iter().fold(0, |bits, port| bits | 1 << (port - 1)))
}

/// Writes five thousand changes in five seconds. Returns all sets of ports, beginning with the empty one, and the client
/// that owns the znodes.
async fn churn(server: &Server, mut every_second: impl AsyncFnMut()) -> (Vec<u64>, raw::Client) {
    let writer = observer(server).await;
    writer.create_all(ROOT).await.unwrap();
    let mut truth = vec![0u64];
    let mut random = 88_172_645_463_325_252u64;
    let started = Instant::now();
    for batch in 1..=250u32 {
        let mut steps = Vec::new();
        for _ in 0..20 {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            let port = 1 + (random >> 20) as u16 % PORTS;
            let bit = 1 << (port - 1);
            let now = *truth.last().unwrap();
            let (writer, exists) = (&writer, now & bit != 0);
            steps.push(async move {
                if exists { remove(writer, [port]).await } else { add(writer, [port]).await }
            });
            truth.push(now ^ bit);
        }
        // Sent in this order, without waiting for the replies in between.
        all_of(steps).await;
        if batch % 50 == 25 {
            every_second().await;
        }
        sleep_until(started + Duration::from_millis(20) * batch).await;
    }
    // A machine that is busy with other tests may be slower.
    let took = started.elapsed();
    assert!(took < Duration::from_secs(20), "the fault did not take effect: {took:?} for 5000 changes");
    (truth, writer)
}

/// Polls all futures, in their order, until all are done.
async fn all_of(futures: Vec<impl Future<Output = ()>>) {
    let mut waiting: Vec<_> = futures.into_iter().map(Box::pin).collect();
    poll_fn(|context| {
        waiting.retain_mut(|future| future.as_mut().poll(context).is_pending());
        if waiting.is_empty() { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

/// Collects every view that a reader can see, until the sender sends.
fn collect(discovery: &Discovery) -> (oneshot::Sender<()>, JoinHandle<Vec<u64>>) {
    let (stop, mut stopped) = oneshot::channel();
    let mut views = discovery.views();
    let collecting = tokio::spawn(async move {
        let mut seen = Vec::new();
        loop {
            let view = views.borrow_and_update().clone();
            seen.extend(bits(&view));
            tokio::select! {
                changed = views.changed() => changed.unwrap(),
                _ = &mut stopped => return seen,
            }
        }
    });
    (stop, collecting)
}

/// I8: the seen sets are a subsequence of the true ones.
fn assert_subsequence(seen: &[u64], truth: &[u64]) {
    let mut at = 0;
    for (step, state) in seen.iter().enumerate() {
        let found = truth[at..].iter().position(|there| there == state);
        let earlier = truth[..at].contains(state);
        at += found.unwrap_or_else(|| {
            panic!(
                "I8: view {step} of {}, {state:b}, was never true after state {at}; earlier: {earlier}",
                seen.len()
            )
        });
    }
}

async fn assert_views_were_true(cut: bool) {
    let server = Server::start().await.unwrap();
    let proxy = Proxy::start(server.addr()).await.unwrap();
    // Without settling and holding each view is what one list could have returned.
    let (zk, discovery) = start(&proxy.connect_string(), |config| {
        config.with_settle(Duration::ZERO).unwrap().with_hold(Duration::ZERO).unwrap()
    });
    becomes_live(&discovery).await;
    let (stop, collecting) = collect(&discovery);
    let (truth, _writer) = churn(&server, async || {
        if cut {
            proxy.cut().await
        }
    })
    .await;
    let within = if cut { BACKOFF + PROPAGATION } else { PROPAGATION };
    let last_state = *truth.last().unwrap();
    let is_last = async || discovery.view().is_live() && bits(&discovery.view()) == Some(last_state);
    holds_within("I2: the view is the last state", within, is_last).await.unwrap();
    stop.send(()).unwrap();
    let seen = collecting.await.unwrap();
    println!("{} states, {} views, {} reconnects", truth.len(), seen.len(), zk.state().reconnects);
    assert!(seen.len() > 100, "too few views: {}", seen.len());
    assert_subsequence(&seen, &truth);
    assert_eq!(zk.state().reconnects > 0, cut);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fault_30_every_view_of_a_thousand_changes_a_second_was_true_once_and_in_order() {
    let Some(_) = test_zookeeper::require() else { return };
    assert_views_were_true(false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fault_30_every_view_was_true_once_and_in_order_while_connections_break() {
    let Some(_) = test_zookeeper::require() else { return };
    assert_views_were_true(true).await;
}

// === 47: a future is dropped at any await; readers are slow, or gone ===

/// The resources that must not grow: tasks of this runtime, connections and watches of the server.
async fn resources(server: &Server) -> (usize, Vec<String>) {
    let words = four_letter_word(server.addr(), "mntr").await.unwrap();
    let counted = ["zk_num_alive_connections", "zk_watch_count"];
    let metrics = words.lines().filter(|line| counted.iter().any(|name| line.starts_with(name)));
    (Handle::current().metrics().num_alive_tasks(), metrics.map(str::to_owned).collect())
}

#[tokio::test]
async fn fault_47_futures_dropped_at_any_await_lose_no_change() {
    let Some(_) = test_zookeeper::require() else { return };
    let (server, observer) = serve([]).await;
    let (_zk, discovery) = start(&server.connect_string(), |config| config);
    ports_become(&discovery, &[]).await;
    let mut changes = discovery.changes();
    let mut known = BTreeSet::new();
    let mut dropped = 0;
    for port in 1..=60u16 {
        assert!(poll_at_most(1, discovery.ready(usize::from(port), SOON)).await.is_none());
        add(&observer, [port]).await;
        let deadline = Instant::now() + SOON;
        while !known.contains(&port) {
            match poll_at_most(1 + usize::from(port % 3), changes.next()).await {
                Some(change) => apply(&mut known, change.unwrap()),
                None => {
                    dropped += 1;
                    assert!(Instant::now() < deadline, "{port} was lost: {known:?}");
                    tokio::task::yield_now().await;
                }
            }
        }
    }
    assert_eq!(known, (1..=60).collect());
    assert!(dropped > 60, "{dropped}");
    assert_eq!(discovery.ready(60, SOON).await.unwrap().len(), 60);
}

#[tokio::test]
async fn fault_47_a_slow_reader_delays_nobody_and_gets_the_whole_set() {
    let Some(_) = test_zookeeper::require() else { return };
    let (server, observer) = serve([]).await;
    let (_zk, discovery) = start(&server.connect_string(), |config| config);
    ports_become(&discovery, &[]).await;
    let before = resources(&server).await;
    let (mut sleeping_changes, mut sleeping_views) = (discovery.changes(), discovery.views());
    // One reader that stops after a while, and some that are dropped at once.
    let mut stopped: Changes = discovery.changes();
    let mut known = BTreeSet::new();
    for port in 1..=500u16 {
        add(&observer, [port]).await;
        drop((discovery.changes(), discovery.views()));
        if port <= 10 {
            while !known.contains(&port) {
                apply(&mut known, timeout(SOON, stopped.next()).await.unwrap().unwrap());
            }
        }
    }
    ports_become(&discovery, &(1..=500).collect::<Vec<_>>()).await;
    assert!(matches!(sleeping_changes.next().await, Some(Change::Reset(all)) if all.len() == 500));
    assert!(poll_at_most(1, sleeping_changes.next()).await.is_none(), "no further change");
    assert!(matches!(stopped.next().await, Some(Change::Reset(all)) if all.len() == 500));
    assert_eq!(ports(&sleeping_views.borrow_and_update()).unwrap().len(), 500);
    assert_eq!(resources(&server).await, before);
}

#[tokio::test]
async fn fault_47_a_view_dropped_at_any_moment_leaves_no_watch_and_no_task() {
    let Some(_) = require_recursive_watches() else { return };
    let (server, proxy, _observer) = serve_with_proxy(1..=50).await;
    let zk = Zk::start(link_config(&proxy.connect_string())).unwrap();
    zk.connected().await.unwrap();
    let before = resources(&server).await;
    // A round trip of 6 ms: the first view takes a few of them.
    proxy.delay(Duration::from_millis(3)).await.unwrap();
    // Dropped later and later, until some are dropped after their first view.
    let (mut live, mut step) = (0, 0u64);
    while live < 5 {
        let discovery = Discovery::start(&zk, discovery_config());
        sleep(Duration::from_millis(step)).await;
        live += u64::from(discovery.view().is_live());
        step += 1;
        assert!(step < 500, "no first view within {step} ms");
    }
    assert!(step - live > 3, "some are dropped before the first view: {live} of {step} after it");
    eventually("all resources are free again", || async { resources(&server).await == before }).await;
    let discovery = Discovery::start(&zk, discovery_config());
    ports_become(&discovery, &(1..=50).collect::<Vec<_>>()).await;
}
