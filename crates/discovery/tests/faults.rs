//! Rows of the fault matrix that concern views alone: a reader's session that ends, a thousand changes a
//! second, readers that are slow or gone.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeSet;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use discovery::{Change, Changes, Config, Discovery, View};
use test_zookeeper::Server;
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use zk_core::{Zk, ZnodePath};
use zk_testing::proxy::Proxy;
use zk_testing::raw::{self, CreateMode};
use zk_testing::{SESSION, SOON, eventually, expire_session, four_letter_word};

/// B, the longest wait between two attempts to connect.
const BACKOFF: Duration = Duration::from_millis(667);
/// P, from ZooKeeper's event to a view.
const PROPAGATION: Duration = Duration::from_millis(250);
const ROOT: &str = "/go_servers";

fn start(hosts: &str, change: impl FnOnce(Config) -> Config) -> (Zk, Discovery) {
    let config = zk_core::Config::new(hosts).unwrap().with_session_timeout(SESSION).unwrap();
    let zk = Zk::start(config).unwrap();
    // Audits are out of the way: what is seen is seen without them.
    let config = Config::new(ZnodePath::parse(ROOT).unwrap());
    let config = change(config.with_audit_interval(Duration::from_secs(3600)).unwrap());
    (zk.clone(), Discovery::start(zk, config))
}

async fn view_where(discovery: &Discovery, what: &str, mut wanted: impl FnMut(&View) -> bool) -> Arc<View> {
    let mut views = discovery.views();
    let found = timeout(SOON, views.wait_for(|view| wanted(view))).await;
    found.unwrap_or_else(|_| panic!("no view with {what}; it is {:?}", discovery.view())).unwrap().clone()
}

fn ports(view: &View) -> Option<BTreeSet<u16>> {
    view.snapshot.as_ref().map(|snapshot| snapshot.endpoints().map(|endpoint| endpoint.port()).collect())
}

async fn ports_become(discovery: &Discovery, expected: &BTreeSet<u16>) {
    let what = format!("live ports {expected:?}");
    view_where(discovery, &what, |view| view.is_live() && ports(view).as_ref() == Some(expected)).await;
}

async fn observer(server: &Server) -> raw::Client {
    let client = raw::Client::connect(server.addr(), Duration::from_secs(4)).await.unwrap();
    client.create_all(ROOT).await.unwrap();
    client
}

fn node(port: u16) -> String {
    format!("{ROOT}/127.0.0.1:{port}")
}

async fn add(observer: &raw::Client, port: u16) {
    observer.create(&node(port), b"", CreateMode::Ephemeral).await.unwrap();
}

async fn remove(observer: &raw::Client, port: u16) {
    observer.delete(&node(port), None).await.unwrap();
}

/// Applies a change to what was told before.
fn apply(told: &mut BTreeSet<u16>, change: Change) {
    let fits = match &change {
        Change::Reset(snapshot) => {
            *told = snapshot.endpoints().map(|endpoint| endpoint.port()).collect();
            true
        }
        Change::Added(instance) => told.insert(instance.endpoint().port()),
        Change::Removed(instance) => told.remove(&instance.endpoint().port()),
        Change::Updated { .. } => true,
    };
    assert!(fits, "I7: {change:?} was told twice");
}

// === 13: the session of a reader expires ===

#[tokio::test]
async fn fault_13_what_changes_while_the_session_is_gone_is_told_once_and_the_watch_works_on() {
    let Some(_) = test_zookeeper::require() else { return };
    let server = Server::start().await.unwrap();
    let proxy = Proxy::start(server.addr()).await.unwrap();
    let observer = observer(&server).await;
    for port in 1..=4 {
        add(&observer, port).await;
    }
    let (zk, discovery) = start(&proxy.connect_string(), |config| config);
    ports_become(&discovery, &(1..=4).collect()).await;
    let mut changes = discovery.changes();
    assert!(matches!(changes.next().await, Some(Change::Reset(all)) if all.len() == 4));

    proxy.refuse().await;
    view_where(&discovery, "stale", |view| !view.is_live()).await;
    expire_session(server.addr(), zk.state().session.unwrap().id.0).await.unwrap();
    remove(&observer, 1).await;
    add(&observer, 5).await;
    sleep(SESSION).await;
    assert_eq!(ports(&discovery.view()).unwrap(), (1..=4).collect(), "I1: the set is kept");
    assert!(!discovery.view().is_live());

    proxy.pass().await.unwrap();
    let healed = Instant::now();
    let expected: BTreeSet<u16> = (2..=5).collect();
    ports_become(&discovery, &expected).await;
    let within = BACKOFF + Duration::from_secs(1);
    assert!(healed.elapsed() < within, "I2: it took {:?}", healed.elapsed());
    assert_eq!(zk.state().epoch, 2);
    // The watch of the new session: an addition and a removal.
    add(&observer, 6).await;
    ports_become(&discovery, &(2..=6).collect()).await;
    remove(&observer, 2).await;
    ports_become(&discovery, &(3..=6).collect()).await;
    let mut told: BTreeSet<u16> = (1..=4).collect();
    while told != (3..=6).collect() {
        let change = timeout(SOON, changes.next()).await.unwrap().unwrap();
        apply(&mut told, change);
    }
}

// === 30: a thousand changes a second ===

/// The ports that come and go: so few that a set of them is a number.
const PORTS: u16 = 60;

fn bits(view: &View) -> Option<u64> {
    ports(view).map(|ports| ports.iter().fold(0, |bits, port| bits | 1 << (port - 1)))
}

/// Writes five thousand changes in five seconds, and returns every state there was, the first of them empty,
/// with the session whose znodes they are.
async fn churn(server: &Server, mut every_second: impl AsyncFnMut()) -> (Vec<u64>, raw::Client) {
    let writer = observer(server).await;
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
            let (writer, is_there) = (&writer, now & bit != 0);
            steps.push(
                async move { if is_there { remove(writer, port).await } else { add(writer, port).await } },
            );
            truth.push(now ^ bit);
        }
        // Sent in this order, one behind the other, without waiting for the answers in between.
        all_of(steps).await;
        if batch % 50 == 25 {
            every_second().await;
        }
        sleep_until(started + Duration::from_millis(20) * batch).await;
    }
    // A machine that is busy with other tests may not make a thousand.
    let took = started.elapsed();
    assert!(took < Duration::from_secs(20), "the fault did not take effect: {took:?} for 5000 changes");
    (truth, writer)
}

/// Polls all of them, in their order, until all are done.
async fn all_of(futures: Vec<impl Future<Output = ()>>) {
    let mut waiting: Vec<_> = futures.into_iter().map(Box::pin).collect();
    poll_fn(|context| {
        waiting.retain_mut(|future| future.as_mut().poll(context).is_pending());
        if waiting.is_empty() { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

/// Collects every view that can be seen, until it is told to stop.
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

/// I8: what was seen is a part of the truth, in its order.
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

async fn row_30(cut: bool) {
    let server = Server::start().await.unwrap();
    let proxy = Proxy::start(server.addr()).await.unwrap();
    // Nothing is kept from sight: each view is then what one list could have returned.
    let (zk, discovery) = start(&proxy.connect_string(), |config| {
        config.with_settle(Duration::ZERO).unwrap().with_hold(Duration::ZERO).unwrap()
    });
    view_where(&discovery, "live", View::is_live).await;
    let (stop, collecting) = collect(&discovery);
    let (truth, _writer) = churn(&server, async || {
        if cut {
            proxy.cut().await
        }
    })
    .await;
    let last = Instant::now();
    let within = if cut { BACKOFF + PROPAGATION } else { PROPAGATION };
    let last_state = *truth.last().unwrap();
    while !(discovery.view().is_live() && bits(&discovery.view()) == Some(last_state)) {
        assert!(last.elapsed() < within, "I2: not the last state within {within:?}");
        sleep(Duration::from_millis(1)).await;
    }
    stop.send(()).unwrap();
    let seen = collecting.await.unwrap();
    println!("{} states, {} views, {} reconnects", truth.len(), seen.len(), zk.state().reconnects);
    assert!(seen.len() > 100, "hardly anything was seen: {} views", seen.len());
    assert_subsequence(&seen, &truth);
    assert_eq!(zk.state().reconnects > 0, cut);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fault_30_every_view_of_a_thousand_changes_a_second_was_true_once_and_in_order() {
    let Some(_) = test_zookeeper::require() else { return };
    row_30(false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fault_30_so_it_was_where_the_link_is_cut_again_and_again() {
    let Some(_) = test_zookeeper::require() else { return };
    row_30(true).await;
}

// === 47: a future is dropped at any await; readers are slow, or gone ===

/// Polls a future as often as it wants, but not more than so many times; then drops it.
async fn at_most<T>(polls: usize, future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    let mut left = polls;
    poll_fn(move |context| match future.as_mut().poll(context) {
        Poll::Ready(value) => Poll::Ready(Some(value)),
        Poll::Pending if left <= 1 => Poll::Ready(None),
        Poll::Pending => {
            left -= 1;
            Poll::Pending
        }
    })
    .await
}

/// What must not grow: tasks of this runtime, connections and watches that the server holds.
async fn held(server: &Server) -> (usize, Vec<String>) {
    let words = four_letter_word(server.addr(), "mntr").await.unwrap();
    let counted = ["zk_num_alive_connections", "zk_watch_count"];
    let metrics = words.lines().filter(|line| counted.iter().any(|name| line.starts_with(name)));
    (Handle::current().metrics().num_alive_tasks(), metrics.map(str::to_owned).collect())
}

#[tokio::test]
async fn fault_47_waits_dropped_at_any_await_lose_no_change() {
    let Some(_) = test_zookeeper::require() else { return };
    let server = Server::start().await.unwrap();
    let observer = observer(&server).await;
    let (_zk, discovery) = start(&server.connect_string(), |config| config);
    ports_become(&discovery, &BTreeSet::new()).await;
    let mut changes = discovery.changes();
    let mut told = BTreeSet::new();
    let mut dropped = 0;
    for port in 1..=60u16 {
        assert!(at_most(1, discovery.ready(usize::from(port), SOON)).await.is_none());
        add(&observer, port).await;
        let deadline = Instant::now() + SOON;
        while !told.contains(&port) {
            match at_most(1 + usize::from(port % 3), changes.next()).await {
                Some(change) => apply(&mut told, change.unwrap()),
                None => {
                    dropped += 1;
                    assert!(Instant::now() < deadline, "{port} was lost: {told:?}");
                    tokio::task::yield_now().await;
                }
            }
        }
    }
    assert_eq!(told, (1..=60).collect());
    assert!(dropped > 60, "{dropped}");
    assert_eq!(discovery.ready(60, SOON).await.unwrap().len(), 60);
}

#[tokio::test]
async fn fault_47_a_reader_that_sleeps_holds_up_nobody_and_wakes_up_to_the_whole() {
    let Some(_) = test_zookeeper::require() else { return };
    let server = Server::start().await.unwrap();
    let observer = observer(&server).await;
    let (_zk, discovery) = start(&server.connect_string(), |config| config);
    ports_become(&discovery, &BTreeSet::new()).await;
    let before = held(&server).await;
    let (mut sleeper, mut sleeping_views) = (discovery.changes(), discovery.views());
    // One that reads a little, and then no more, and some that are dropped at once.
    let mut half: Changes = discovery.changes();
    let mut told = BTreeSet::new();
    for port in 1..=500u16 {
        add(&observer, port).await;
        drop((discovery.changes(), discovery.views()));
        if port <= 10 {
            while !told.contains(&port) {
                apply(&mut told, timeout(SOON, half.next()).await.unwrap().unwrap());
            }
        }
    }
    ports_become(&discovery, &(1..=500).collect()).await;
    assert!(matches!(sleeper.next().await, Some(Change::Reset(all)) if all.len() == 500));
    assert!(at_most(1, sleeper.next()).await.is_none(), "and nothing more");
    assert!(matches!(half.next().await, Some(Change::Reset(all)) if all.len() == 500));
    assert_eq!(ports(&sleeping_views.borrow_and_update()).unwrap().len(), 500);
    assert_eq!(held(&server).await, before);
}

#[tokio::test]
async fn fault_47_a_view_dropped_at_any_moment_leaves_no_watch_and_no_task() {
    // An old server keeps a watch that nobody waits for: it knows no request to take it off.
    if !test_zookeeper::has_recursive_watches() {
        return;
    }
    let Some(_) = test_zookeeper::require() else { return };
    let server = Server::start().await.unwrap();
    let proxy = Proxy::start(server.addr()).await.unwrap();
    let observer = observer(&server).await;
    for port in 1..=50 {
        add(&observer, port).await;
    }
    let config =
        zk_core::Config::new(&proxy.connect_string()).unwrap().with_session_timeout(SESSION).unwrap();
    let zk = Zk::start(config).unwrap();
    zk.connected().await.unwrap();
    let before = held(&server).await;
    // A round trip of 6 ms: the first view takes a few of them.
    proxy.delay(Duration::from_millis(3)).await.unwrap();
    let root = ZnodePath::parse(ROOT).unwrap();
    // Later and later, until some were dropped after it.
    let (mut seen, mut step) = (0, 0u64);
    while seen < 5 {
        let discovery = Discovery::start(zk.clone(), Config::new(root.clone()));
        sleep(Duration::from_millis(step)).await;
        seen += u64::from(discovery.view().is_live());
        step += 1;
        assert!(step < 500, "no first view within {step} ms");
    }
    assert!(step - seen > 3, "dropped before the first view, too: {seen} of {step}");
    eventually("everything is back to what it was", || async { held(&server).await == before }).await;
    let discovery = Discovery::start(zk.clone(), Config::new(root));
    ports_become(&discovery, &(1..=50).collect()).await;
}
