//! What a recorder sees.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use common::{
    Engine, ROOT, SOON, add, node, observer, on_both_engines, ports_become, remove, start, view_where,
};
use discovery::{Records, View};
use metrics::{Counter, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit};
use test_zookeeper::Server;
use tokio::time::{Instant, sleep};
use zk_testing::proxy::Proxy;
use zk_testing::raw::CreateMode;

/// Keeps the numbers of one root, by name and further labels.
#[derive(Debug, Default)]
struct Numbers(Mutex<BTreeMap<String, Arc<AtomicU64>>>);

impl Numbers {
    fn cell(&self, key: &Key) -> Arc<AtomicU64> {
        let mut name = key.name().to_owned();
        for label in key.labels() {
            match label.key() {
                "root" => assert_eq!(label.value(), ROOT),
                _ => name = format!("{name} {}", label.value()),
            }
        }
        self.0.lock().unwrap().entry(name).or_default().clone()
    }

    fn counter(&self, name: &str) -> u64 {
        self.0.lock().unwrap().get(name).unwrap_or_else(|| panic!("no {name}")).load(Ordering::Relaxed)
    }

    fn gauge(&self, name: &str) -> f64 {
        f64::from_bits(self.counter(name))
    }

    /// Numbers follow the views within the same step of the watcher, but a view may be seen first.
    async fn become_true(&self, what: &str, wanted: impl Fn(&Self) -> bool) {
        let deadline = Instant::now() + SOON;
        while !wanted(self) {
            assert!(Instant::now() < deadline, "{what}: {self:?}");
            sleep(Duration::from_millis(5)).await;
        }
    }
}

impl Recorder for Numbers {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(self.cell(key))
    }
    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::from_arc(self.cell(key))
    }
    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::noop()
    }
}

fn weight(view: &View, port: u16) -> Option<u32> {
    let endpoint = format!("127.0.0.1:{port}").parse().unwrap();
    Some(view.snapshot.as_ref()?.get(&endpoint)?.weight())
}

fn unix_time() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64()
}

on_both_engines! {
    every_number_tells_what_its_name_says,
    what_the_audit_finds_is_counted,
}

async fn every_number_tells_what_its_name_says(engine: Engine) {
    let Some(_) = test_zookeeper::require() else { return };
    let numbers = Numbers::default();
    let _guard = metrics::set_default_local_recorder(&numbers);
    let server = Server::start().await.unwrap();
    let proxy = Proxy::start(server.addr()).await.unwrap();
    let observer = observer(&server).await;
    observer.create_all(ROOT).await.unwrap();
    add(&observer, 1..=3).await;
    observer.create(&node(4), b"[]", CreateMode::Ephemeral).await.unwrap();
    observer.create(&format!("{ROOT}/junk"), b"", CreateMode::Ephemeral).await.unwrap();
    let before = unix_time();
    let (_zk, discovery) = start(engine, &proxy.connect_string(), |config| {
        config.with_records(Records::Read).with_hold(Duration::from_secs(600)).unwrap()
    });
    assert_eq!(numbers.gauge("discovery_live"), 0.0);
    ports_become(&discovery, &[1, 2, 3, 4]).await;
    numbers.become_true("one unreadable", |n| n.gauge("discovery_unreadable") == 1.0).await;
    assert_eq!(numbers.gauge("discovery_instances"), 4.0);
    assert_eq!(numbers.gauge("discovery_skipped"), 1.0);
    assert_eq!(numbers.gauge("discovery_held"), 0.0);
    assert_eq!(numbers.gauge("discovery_live"), 1.0);
    let confirmed = numbers.gauge("discovery_confirmed_timestamp_seconds");
    assert!((before..=unix_time()).contains(&confirmed), "{confirmed}");
    assert!(numbers.counter("discovery_lists_total") >= 1);
    assert!(numbers.counter("discovery_record_reads_total") >= 4);

    // Single events, and what they lead to.
    let events = |n: &Numbers| {
        ["created", "deleted", "children", "written"]
            .map(|kind| n.counter(&format!("discovery_events_total {kind}")))
    };
    let reads = numbers.counter("discovery_record_reads_total");
    let lists = numbers.counter("discovery_lists_total");
    assert_eq!(events(&numbers), [0; 4]);
    observer.create(&node(5), br#"{"Weight":6}"#, CreateMode::Ephemeral).await.unwrap();
    // Without recursive watches there is an event of a write where the record was read before.
    numbers.become_true("its read", |n| n.counter("discovery_record_reads_total") == reads + 1).await;
    view_where(&discovery, "read", |view| weight(view, 5) == Some(6)).await;
    observer.set(&node(5), br#"{"Weight":8}"#, None).await.unwrap();
    view_where(&discovery, "read again", |view| weight(view, 5) == Some(8)).await;
    assert_eq!(numbers.counter("discovery_record_reads_total"), reads + 2);
    remove(&observer, [5]).await;
    ports_become(&discovery, &[1, 2, 3, 4]).await;
    let (expected, listed) = match engine.served() {
        Engine::Recursive => ([1, 1, 0, 1], 0),
        Engine::OneShot => ([0, 0, 2, 1], 2),
    };
    assert_eq!(events(&numbers), expected, "created, deleted, children, written");
    assert_eq!(numbers.counter("discovery_lists_total"), lists + listed);

    remove(&observer, [1, 2, 3, 4]).await;
    numbers.become_true("held", |n| n.gauge("discovery_held") > 0.0).await;
    assert!(numbers.counter("discovery_removals_held_total") > 0);

    proxy.refuse().await;
    view_where(&discovery, "stale", |view: &View| !view.is_live()).await;
    numbers.become_true("stale", |n| n.gauge("discovery_live") == 0.0).await;
    assert!(numbers.gauge("discovery_instances") > 0.0, "the last set keeps serving");
    drop(discovery);
    numbers.become_true("ended", |n| n.gauge("discovery_instances") == 0.0).await;
}

async fn what_the_audit_finds_is_counted(engine: Engine) {
    let Some(_) = test_zookeeper::require() else { return };
    let numbers = Numbers::default();
    let _guard = metrics::set_default_local_recorder(&numbers);
    let server = Server::start().await.unwrap();
    let proxy = Proxy::start(server.addr()).await.unwrap();
    let observer = observer(&server).await;
    observer.create_all(ROOT).await.unwrap();
    add(&observer, [1]).await;
    let (_zk, discovery) = start(engine, &proxy.connect_string(), |config| {
        config.with_records(Records::Read).with_audit_interval(Duration::from_secs(2)).unwrap()
    });
    ports_become(&discovery, &[1]).await;
    let dropped = proxy.drop_events();
    assert_eq!(numbers.counter("discovery_audit_mismatches_total"), 0);
    observer.set(&node(1), br#"{"Weight":7}"#, None).await.unwrap();
    numbers.become_true("a record", |n| n.counter("discovery_audit_mismatches_total") == 1).await;
    // With a new watch, which is followed by looks and lists of its own.
    let seen = unix_time();
    let confirmed = |n: &Numbers| n.gauge("discovery_confirmed_timestamp_seconds") > seen;
    numbers.become_true("begun anew", confirmed).await;
    add(&observer, [6]).await;
    numbers.become_true("a name", |n| n.counter("discovery_audit_mismatches_total") == 2).await;
    dropped.lift();
}
