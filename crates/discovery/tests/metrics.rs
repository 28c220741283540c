//! The metrics that a recorder gets.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use common::{
    ROOT, SOON, Watches, add, becomes_stale, node, on_both_watches, ports_become, remove, serve_with_proxy,
    start, view_where,
};
use discovery::{Records, View};
use metrics::{Counter, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit};
use zk_testing::holds_within;
use zk_testing::raw::CreateMode;

/// A recorder of the metrics of one root, by name and further labels.
#[derive(Debug, Default)]
struct Metrics(Mutex<BTreeMap<String, Arc<AtomicU64>>>);

impl Metrics {
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

    /// Waits, as a view may be seen before its metrics.
    async fn become_true(&self, claim: &str, wanted: impl Fn(&Self) -> bool) {
        if holds_within(claim, SOON, async || wanted(self)).await.is_err() {
            panic!("{claim}: {self:?}");
        }
    }
}

impl Recorder for Metrics {
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

on_both_watches! {
    every_metric_has_the_value_that_its_name_says,
    audit_mismatches_are_counted,
}

async fn every_metric_has_the_value_that_its_name_says(watches: Watches) {
    let Some(_) = test_zookeeper::require() else { return };
    let metrics = Metrics::default();
    let _guard = metrics::set_default_local_recorder(&metrics);
    let (_server, proxy, observer) = serve_with_proxy(1..=3).await;
    observer.create(&node(4), b"[]", CreateMode::Ephemeral).await.unwrap();
    observer.create(&format!("{ROOT}/junk"), b"", CreateMode::Ephemeral).await.unwrap();
    let before = unix_time();
    let (_zk, discovery) = start(watches, &proxy.connect_string(), |config| {
        config.with_records(Records::Read).with_hold(Duration::from_secs(600)).unwrap()
    });
    assert_eq!(metrics.gauge("discovery_live"), 0.0);
    ports_become(&discovery, &[1, 2, 3, 4]).await;
    metrics.become_true("one unreadable", |n| n.gauge("discovery_unreadable") == 1.0).await;
    assert_eq!(metrics.gauge("discovery_instances"), 4.0);
    assert_eq!(metrics.gauge("discovery_skipped"), 1.0);
    assert_eq!(metrics.gauge("discovery_held"), 0.0);
    assert_eq!(metrics.gauge("discovery_live"), 1.0);
    let confirmed = metrics.gauge("discovery_confirmed_timestamp_seconds");
    assert!((before..=unix_time()).contains(&confirmed), "{confirmed}");
    assert!(metrics.counter("discovery_lists_total") >= 1);
    assert!(metrics.counter("discovery_record_reads_total") >= 4);

    // Single events, and the reads and lists that they cause.
    let events = |n: &Metrics| {
        ["created", "deleted", "children", "written"]
            .map(|kind| n.counter(&format!("discovery_events_total {kind}")))
    };
    let reads = metrics.counter("discovery_record_reads_total");
    let lists = metrics.counter("discovery_lists_total");
    assert_eq!(events(&metrics), [0; 4]);
    observer.create(&node(5), br#"{"Weight":6}"#, CreateMode::Ephemeral).await.unwrap();
    // With one-shot watches a write has an event only if the record was read before.
    metrics.become_true("its read", |n| n.counter("discovery_record_reads_total") == reads + 1).await;
    view_where(&discovery, "read", |view| weight(view, 5) == Some(6)).await;
    observer.set(&node(5), br#"{"Weight":8}"#, None).await.unwrap();
    view_where(&discovery, "read again", |view| weight(view, 5) == Some(8)).await;
    assert_eq!(metrics.counter("discovery_record_reads_total"), reads + 2);
    remove(&observer, [5]).await;
    ports_become(&discovery, &[1, 2, 3, 4]).await;
    let (expected, listed) = match watches.supported() {
        Watches::Recursive => ([1, 1, 0, 1], 0),
        Watches::OneShot => ([0, 0, 2, 1], 2),
    };
    assert_eq!(events(&metrics), expected, "created, deleted, children, written");
    assert_eq!(metrics.counter("discovery_lists_total"), lists + listed);

    remove(&observer, [1, 2, 3, 4]).await;
    metrics.become_true("held", |n| n.gauge("discovery_held") > 0.0).await;
    assert!(metrics.counter("discovery_removals_held_total") > 0);

    proxy.refuse().await;
    becomes_stale(&discovery).await;
    metrics.become_true("stale", |n| n.gauge("discovery_live") == 0.0).await;
    assert!(metrics.gauge("discovery_instances") > 0.0, "the last set stays");
    drop(discovery);
    metrics.become_true("ended", |n| n.gauge("discovery_instances") == 0.0).await;
}

async fn audit_mismatches_are_counted(watches: Watches) {
    let Some(_) = test_zookeeper::require() else { return };
    let metrics = Metrics::default();
    let _guard = metrics::set_default_local_recorder(&metrics);
    let (_server, proxy, observer) = serve_with_proxy([1]).await;
    let (_zk, discovery) = start(watches, &proxy.connect_string(), |config| {
        config.with_records(Records::Read).with_audit_interval(Duration::from_secs(2)).unwrap()
    });
    ports_become(&discovery, &[1]).await;
    let dropped = proxy.drop_events();
    assert_eq!(metrics.counter("discovery_audit_mismatches_total"), 0);
    observer.set(&node(1), br#"{"Weight":7}"#, None).await.unwrap();
    metrics.become_true("a record", |n| n.counter("discovery_audit_mismatches_total") == 1).await;
    // The new watch comes with requests of its own.
    let seen = unix_time();
    let confirmed = |n: &Metrics| n.gauge("discovery_confirmed_timestamp_seconds") > seen;
    metrics.become_true("watch replaced", confirmed).await;
    add(&observer, [6]).await;
    metrics.become_true("a name", |n| n.counter("discovery_audit_mismatches_total") == 2).await;
    dropped.lift();
}
