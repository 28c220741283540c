//! The metrics that a recorder gets.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use balance::{
    Balancer, BalancerConfig, Budget, CallConfig, Caller, Ejection, EntryChange, Failure, Health, Strategy,
    Target,
};
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

/// Runs the test in paused time; returns what was counted.
fn counted(test: impl Future<Output = ()>) -> BTreeMap<String, f64> {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    metrics::with_local_recorder(&recorder, || runtime.unwrap().block_on(test));
    let mut counted = metrics(&snapshotter);
    counted.retain(|_, value| *value != 0.0);
    counted
}

fn expected(all: &[(&str, f64)]) -> BTreeMap<String, f64> {
    all.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect()
}

fn balancer(keys: impl IntoIterator<Item = &'static str>) -> Balancer<&'static str, ()> {
    let balancer = Balancer::new(BalancerConfig::new(Strategy::RoundRobin).with_seed(1));
    balancer.update(keys.into_iter().map(|key| (key, ())));
    balancer
}

async fn act(target: Target<&'static str, ()>) -> io::Result<()> {
    match *target.key() {
        "refuses" => Err(io::ErrorKind::ConnectionRefused.into()),
        "resets" => Err(io::ErrorKind::ConnectionReset.into()),
        "hangs" => std::future::pending().await,
        _ => Ok(()),
    }
}

fn idempotent() -> CallConfig {
    CallConfig::default().with_idempotent(true)
}

#[test]
fn attempts_retries_and_ejections_are_counted_by_outcome_and_cause() {
    let counted = counted(async {
        let balancer = balancer(["refuses", "resets", "hangs"]);
        let caller = Caller::new(balancer.reader(), idempotent());
        // The last one that is left answers.
        let mut attempts = 0;
        let answered = caller.call(|target| {
            attempts += 1;
            if attempts == 3 {
                balancer.apply([EntryChange::Insert("answers", ())]);
            }
            act(target)
        });
        assert_eq!(*answered.await.unwrap().key(), "answers");
    });
    let expected = expected(&[
        ("balance_attempts_total{outcome=answered}", 1.0),
        ("balance_attempts_total{outcome=refused}", 1.0),
        ("balance_attempts_total{outcome=reset}", 1.0),
        ("balance_attempts_total{outcome=timeout}", 1.0),
        ("balance_ejections_total{cause=refused}", 1.0),
        ("balance_ejections_total{cause=reset}", 1.0),
        ("balance_ejections_total{cause=timeout}", 1.0),
        ("balance_retries_total{}", 3.0),
    ]);
    assert_eq!(counted, expected);
}

#[test]
fn an_attempt_that_the_caller_ends_is_counted_as_well() {
    let counted = counted(async {
        let balancer = balancer(["hangs"]);
        let caller = Caller::new(balancer.reader(), idempotent());
        assert!(tokio::time::timeout(Duration::from_millis(100), caller.call(act)).await.is_err());
        assert!(tokio::time::timeout(Duration::from_millis(600), caller.call(act)).await.is_err());
    });
    let expected = expected(&[
        ("balance_attempts_total{outcome=cut_short}", 1.0),
        ("balance_attempts_total{outcome=timeout}", 1.0),
        ("balance_ejections_total{cause=timeout}", 1.0),
    ]);
    assert_eq!(counted, expected);
}

#[test]
fn hedges_and_trials_are_counted_apart() {
    let counted = counted(async {
        let balancer = balancer(["hangs", "answers", "answers too"]);
        for key in ["answers", "answers too"] {
            balancer.reader().pick_where(|k| *k == key).unwrap().fail(Failure::Overloaded);
        }
        let config = idempotent().with_hedge_after(Duration::from_millis(20)).unwrap();
        let caller = Caller::new(balancer.reader(), config);
        while caller.call_idempotent(act).await.unwrap().attempts == 1 {}
        let hangs = balancer.reader().pick_where(|key| *key == "hangs").unwrap();
        hangs.fail(Failure::Refused);
        tokio::time::sleep(Duration::from_millis(300)).await;
        // A trial beside the call, which has a second.
        caller.call_idempotent(act).await.unwrap();
        tokio::time::sleep(Duration::from_millis(1100)).await;
        // Trials that bring somebody back, that fail, and that nobody settles.
        let trial = async || {
            tokio::time::sleep(Duration::from_millis(20_000)).await;
            let mut reader = balancer.reader();
            (0..20).map(|_| reader.pick().unwrap()).find(balance::Pick::is_trial).unwrap()
        };
        trial().await.fail(Failure::Reset);
        drop(trial().await);
        trial().await.succeed();
    });
    assert_eq!(counted["balance_hedges_total{}"], 1.0);
    assert!(!counted.contains_key("balance_retries_total{}"), "{counted:?}");
    for outcome in ["timeout", "reset", "unsettled", "answered"] {
        assert_eq!(counted[&format!("balance_trials_total{{outcome={outcome}}}")], 1.0, "{counted:?}");
    }
    // The slow one of the race lost it.
    assert_eq!(counted["balance_attempts_total{outcome=unavailable}"], 1.0);
    assert!(!counted.contains_key("balance_attempts_total{outcome=timeout}"), "{counted:?}");
}

#[test]
fn calls_without_an_answer_are_counted_by_reason() {
    let counted = counted(async {
        let reason = async |keys: &[&'static str], config| {
            let balancer = balancer(keys.iter().copied());
            Caller::new(balancer.reader(), config).call(act).await.unwrap_err();
        };
        let nothing = Budget::new(0.0, 0, Duration::from_secs(1)).unwrap();
        reason(&[], idempotent()).await;
        reason(&["refuses"], idempotent()).await;
        reason(&["resets"], idempotent().with_budget(nothing)).await;
        reason(&["resets"], idempotent().with_max_attempts(3, 3).unwrap()).await;
        reason(&["resets"], CallConfig::default()).await;
        reason(&["hangs"], idempotent()).await;
    });
    for name in ["nobody_registered", "all_refused", "budget_spent", "attempts_spent", "final", "out_of_time"]
    {
        assert_eq!(counted[&format!("balance_calls_failed_total{{reason={name}}}")], 1.0, "{counted:?}");
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
        let balancer = balancer(["a", "b", "c"]);
        let update = |keys: &[&'static str]| balancer.update(keys.iter().map(|key| (*key, ())));
        let pick = |key: &'static str| balancer.reader().pick_where(|k| *k == key).unwrap();
        let fail = |key: &'static str| pick(key).fail(Failure::Refused);
        fail("a");
        fail("b");
        assert_eq!(ejected(), 2.0);
        // Picked although it is ejected, and it answers.
        pick("a").succeed();
        assert_eq!(ejected(), 1.0);
        // An ejected endpoint leaves, and is still ejected when it returns.
        update(&["a", "c"]);
        assert_eq!(ejected(), 0.0);
        update(&["a", "b", "c"]);
        assert_eq!(ejected(), 1.0);
        // A late report about an endpoint that left counts when the endpoint returns.
        let late = pick("c");
        update(&["a", "b"]);
        late.fail(Failure::Timeout);
        assert_eq!(ejected(), 1.0);
        update(&["a", "b", "c"]);
        assert_eq!(ejected(), 2.0);
        drop(balancer);
        assert_eq!(ejected(), 0.0);
    });
}

#[test]
fn the_gauge_is_right_after_threads_have_raced() {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    let balancer = Balancer::new(BalancerConfig::new(Strategy::Random));
    let sets = [vec![0, 1, 2, 3], vec![1, 2], vec![3, 4]];
    std::thread::scope(|threads| {
        for thread in 0..4 {
            let (balancer, recorder, sets) = (&balancer, &recorder, &sets);
            threads.spawn(move || {
                metrics::with_local_recorder(recorder, || {
                    let mut reader = balancer.reader();
                    for turn in 0..5_000 {
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
        // Long enough that nobody is tried in the meantime: what a trial counts is meant.
        let hour = Duration::from_secs(3600);
        let ejection = Ejection::default().with_times(hour, hour).unwrap();
        let balancer = Balancer::new(BalancerConfig::new(strategy).with_ejection(ejection));
        balancer.update(["a", "b", "c"].map(|key| (key, ())));
        let mut reader = balancer.reader();
        reader.pick_where(|key| *key == "a").unwrap().fail(Failure::Refused);
        metrics::with_local_recorder(&Panicking, || {
            for _ in 0..100 {
                reader.choose().unwrap();
                reader.pick().unwrap().succeed();
                drop(reader.pick().unwrap());
                drop(reader.pick_where(|key| *key != "b").unwrap());
            }
        });
    }
}
