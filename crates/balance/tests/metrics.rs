//! The metrics that a recorder gets.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use balance::{Balancer, CallConfig, Config, Failure, Health, Strategy, call};
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
fn attempts_retries_and_ejections_are_counted_by_outcome_and_cause() {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    metrics::with_local_recorder(&recorder, || {
        runtime.unwrap().block_on(async {
            let balancer = Balancer::new(Config::new(Strategy::RoundRobin));
            balancer.update(["refuses", "resets", "hangs", "answers"]);
            let limits = CallConfig::new(Duration::from_secs(1), Duration::from_secs(5)).unwrap();
            let answered = call(&balancer, &limits, |key| {
                let key = *key;
                async move {
                    match key {
                        "refuses" => Err(io::Error::from(io::ErrorKind::ConnectionRefused)),
                        "resets" => Err(io::Error::from(io::ErrorKind::ConnectionReset)),
                        "hangs" => std::future::pending().await,
                        _ => Ok(()),
                    }
                }
            });
            assert_eq!(answered.await.unwrap().key, "answers");
            let expected = [
                ("balance_attempts_total{outcome=answered}", 1.0),
                ("balance_attempts_total{outcome=refused}", 1.0),
                ("balance_attempts_total{outcome=reset}", 1.0),
                ("balance_attempts_total{outcome=timeout}", 1.0),
                ("balance_ejected{}", 3.0),
                ("balance_ejections_total{cause=refused}", 1.0),
                ("balance_ejections_total{cause=reset}", 1.0),
                ("balance_ejections_total{cause=timeout}", 1.0),
                ("balance_retries_total{}", 3.0),
            ];
            let expected = expected.map(|(name, value)| (name.to_owned(), value));
            assert_eq!(metrics(&snapshotter), expected.into());
        });
    });
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
        let balancer = Balancer::new(Config::new(Strategy::RoundRobin));
        let fail = |key: &'static str| balancer.pick_where(|k| *k == key).unwrap().fail(Failure::Refused);
        balancer.update(["a", "b", "c"]);
        fail("a");
        fail("b");
        assert_eq!(ejected(), 2.0);
        // Picked although it is ejected, and it answers.
        balancer.pick_where(|key| *key == "a").unwrap().succeed();
        assert_eq!(ejected(), 1.0);
        // An ejected endpoint leaves, and is still ejected when it returns.
        balancer.update(["a", "c"]);
        assert_eq!(ejected(), 0.0);
        balancer.update(["a", "b", "c"]);
        assert_eq!(ejected(), 1.0);
        // A late report about an endpoint that left counts when the endpoint returns.
        let late = balancer.pick_where(|key| *key == "c").unwrap();
        balancer.update(["a", "b"]);
        late.fail(Failure::Timeout);
        assert_eq!(ejected(), 1.0);
        balancer.update(["a", "b", "c"]);
        assert_eq!(ejected(), 2.0);
        drop(balancer);
        assert_eq!(ejected(), 0.0);
    });
}

#[test]
fn the_gauge_is_right_after_threads_have_raced() {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    let balancer = Balancer::new(Config::new(Strategy::Random));
    let sets = [vec![0, 1, 2, 3], vec![1, 2], vec![3, 4]];
    std::thread::scope(|threads| {
        for thread in 0..4 {
            let (balancer, recorder, sets) = (&balancer, &recorder, &sets);
            threads.spawn(move || {
                metrics::with_local_recorder(recorder, || {
                    for turn in 0..20_000 {
                        if turn % 7 == thread {
                            balancer.update(sets[turn / 7 % sets.len()].clone());
                        }
                        match balancer.pick() {
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
    for strategy in [Strategy::Random, Strategy::RoundRobin] {
        let balancer = Balancer::new(Config::new(strategy));
        balancer.update(["a", "b", "c"]);
        balancer.pick_where(|key| *key == "a").unwrap().fail(Failure::Refused);
        metrics::with_local_recorder(&Panicking, || {
            for _ in 0..100 {
                balancer.pick().unwrap().succeed();
                drop(balancer.pick().unwrap());
                drop(balancer.pick_excluding(&["b"]).unwrap());
            }
        });
    }
}
