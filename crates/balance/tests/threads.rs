//! Threads that report at the same time; and the metrics of what comes of it.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::collections::BTreeMap;
use std::sync::Barrier;
use std::thread;

use balance::{Balancer, BalancerConfig, Failure, Health, Strategy};
use common::{balancer, status};
use metrics::{Counter, Gauge, Histogram, Key, KeyName, Metadata, SharedString, Unit};
use metrics_util::debugging::{DebugValue, DebuggingRecorder, Snapshotter};

/// Each metric with its labels, as `name{key=value}`, since the last snapshot: a snapshot resets all metrics to 0.
fn metrics(snapshotter: &Snapshotter) -> BTreeMap<String, f64> {
    let name = |key: &Key| {
        let labels: Vec<_> = key.labels().map(|label| format!("{}={}", label.key(), label.value())).collect();
        format!("{}{{{}}}", key.name(), labels.join(","))
    };
    let value = |value| match value {
        DebugValue::Counter(count) => f64::from(u32::try_from(count).unwrap()),
        DebugValue::Gauge(value) => value.into_inner(),
        DebugValue::Histogram(_) => f64::NAN,
    };
    let all = snapshotter.snapshot().into_vec();
    all.into_iter().map(|(key, _, _, debug)| (name(key.key()), value(debug))).collect()
}

#[test]
fn calls_that_fail_at_the_same_time_are_one_ejection() {
    const THREADS: usize = 8;
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    for _ in 0..20 {
        let balancer = balancer(BalancerConfig::default(), [0, 1]);
        let barrier = Barrier::new(THREADS);
        thread::scope(|threads| {
            for _ in 0..THREADS {
                threads.spawn(|| {
                    let pick = balancer.reader().pick_where(|key| *key == 0).unwrap();
                    barrier.wait();
                    metrics::with_local_recorder(&recorder, || pick.fail(Failure::Timeout));
                });
            }
        });
        let now = status(&balancer, 0);
        assert_eq!((now.ejections, now.in_flight), (1, 0));
        let found = metrics(&snapshotter);
        assert_eq!(found.get("balance_ejections_total{cause=timeout}"), Some(&1.0));
        assert_eq!(found.get("balance_ejected{}"), Some(&1.0));
    }
}

#[test]
fn the_gauge_follows_ejections_returns_departures_and_the_end() {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    metrics::with_local_recorder(&recorder, || {
        let mut sum = 0.0;
        let mut ejected = || {
            sum += metrics(&snapshotter).get("balance_ejected{}").copied().unwrap_or_default();
            sum
        };
        let balancer = Balancer::new(BalancerConfig::new(Strategy::RoundRobin));
        let set = |keys: &[&'static str]| balancer.update(keys.iter().map(|key| (*key, ())));
        set(&["a", "b", "c"]);
        let mut reader = balancer.reader();
        let mut pick = |key: &'static str| reader.pick_where(|k| *k == key).unwrap();
        pick("a").fail(Failure::Refused);
        pick("b").fail(Failure::Refused);
        assert_eq!(ejected(), 2.0);
        // Picked although it is ejected, and it answers.
        pick("a").succeed();
        assert_eq!(ejected(), 1.0);
        // An ejected endpoint leaves, and is still ejected when it returns.
        set(&["a", "c"]);
        assert_eq!(ejected(), 0.0);
        set(&["a", "b", "c"]);
        assert_eq!(ejected(), 1.0);
        // A late report about an endpoint that left counts when the endpoint returns.
        let late = pick("c");
        set(&["a", "b"]);
        late.fail(Failure::Timeout);
        assert_eq!(ejected(), 1.0);
        set(&["a", "b", "c"]);
        assert_eq!(ejected(), 2.0);
        // A pick outlives the balancer, and its report is one to nobody.
        let last = pick("a");
        drop((balancer, reader));
        assert_eq!(ejected(), 0.0);
        last.fail(Failure::Timeout);
        assert_eq!(ejected(), 0.0);
    });
}

#[test]
fn the_gauge_is_right_after_threads_have_raced() {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    let balancer = Balancer::new(BalancerConfig::new(Strategy::Random));
    let sets = [vec![0, 1, 2, 3], vec![1, 2], vec![3, 4]];
    thread::scope(|threads| {
        for thread in 0..4 {
            let (balancer, recorder, sets) = (&balancer, &recorder, &sets);
            threads.spawn(move || {
                let mut reader = balancer.reader();
                metrics::with_local_recorder(recorder, || {
                    for turn in 0..3000 {
                        if turn % 7 == thread {
                            balancer.update(sets[turn / 7 % sets.len()].iter().map(|key| (*key, ())));
                        }
                        match reader.pick() {
                            Ok(pick) if (turn + thread) % 3 == 0 => pick.fail(Failure::Timeout),
                            Ok(pick) => pick.succeed(),
                            Err(_) => {}
                        }
                    }
                });
            });
        }
    });
    let out = balancer.status().into_iter().filter(|status| status.health != Health::InService).count();
    let sum = metrics(&snapshotter).get("balance_ejected{}").copied().unwrap_or_default();
    assert_eq!(sum, f64::from(u32::try_from(out).unwrap()));
}

/// A recorder that panics when it is called.
struct Panicking;

impl metrics::Recorder for Panicking {
    fn describe_counter(&self, key: KeyName, _: Option<Unit>, _: SharedString) {
        panic!("{key:?} was described");
    }
    fn describe_gauge(&self, key: KeyName, _: Option<Unit>, _: SharedString) {
        panic!("{key:?} was described");
    }
    fn describe_histogram(&self, key: KeyName, _: Option<Unit>, _: SharedString) {
        panic!("{key:?} was described");
    }
    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        panic!("{key:?} was counted");
    }
    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        panic!("{key:?} was counted");
    }
    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        panic!("{key:?} was counted");
    }
}

#[test]
fn a_pick_and_an_ordinary_success_count_nothing() {
    for strategy in Strategy::ALL {
        let balancer = balancer(BalancerConfig::new(strategy), 0..3);
        let mut reader = balancer.reader();
        reader.pick_where(|key| *key == 0).unwrap().fail(Failure::Refused);
        metrics::with_local_recorder(&Panicking, || {
            for _ in 0..100 {
                reader.choose().unwrap();
                reader.pick().unwrap().succeed();
                drop(reader.pick().unwrap());
                drop(reader.pick_where(|key| *key != 1).unwrap());
            }
        });
    }
}
