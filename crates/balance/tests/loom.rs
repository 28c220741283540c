//! Every interleaving of two threads on what is shared of one endpoint. The files are those of the library, over
//! loom's atomics.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::time::Duration;

use loom::sync::Arc;
use loom::thread::{self, JoinHandle};

mod sync {
    pub(crate) use loom::sync::atomic::{AtomicU32, AtomicU64, Ordering};
}

#[allow(dead_code, reason = "what no two threads race for is tested in the library")]
#[path = "../src/endpoint/in_flight.rs"]
mod in_flight;

#[allow(dead_code, reason = "as above")]
#[path = "../src/endpoint/latency.rs"]
mod latency;

#[allow(dead_code, reason = "as above")]
#[path = "../src/endpoint/outcomes.rs"]
mod outcomes;

use in_flight::InFlight;
use latency::Latency;
use outcomes::{History, Outcomes};

const DECAY: Duration = Duration::from_secs(10);

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// Runs something with a share of `of` in a thread.
fn spawn<S: 'static, T: 'static>(of: &Arc<S>, run: impl FnOnce(&S) -> T + 'static) -> JoinHandle<T> {
    let of = Arc::clone(of);
    thread::spawn(move || run(&of))
}

const CLEAR: History = History { consecutive: 0, share: 0.0 };

#[test]
fn concurrent_failures_eject_once() {
    loom::model(|| {
        let outcomes = Arc::new(Outcomes::default());
        let generation = outcomes.generation();
        let fail = move |outcomes: &Outcomes| {
            let history = outcomes.record_failure(generation);
            history.is_some_and(|history| history.consecutive >= 1) && outcomes.close(generation)
        };
        let there = spawn(&outcomes, fail);
        let here = fail(&outcomes);
        let there = there.join().unwrap();
        assert!(here != there, "one of the two ejects");
        assert_eq!(outcomes.generation(), 1);
        assert_eq!(outcomes.history(), CLEAR);
    });
}

#[test]
fn of_several_failures_that_are_each_one_too_many_one_ejects() {
    // With three threads the interleavings are many: those with up to two preemptions, where most faults show.
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(2);
    model.check(|| {
        let outcomes = Arc::new(Outcomes::default());
        outcomes.record_failure(0).unwrap();
        let close = |outcomes: &Outcomes| outcomes.close(0);
        let threads = [spawn(&outcomes, close), spawn(&outcomes, close)];
        let here = close(&outcomes);
        let ejected = threads.map(|thread| thread.join().unwrap()).into_iter().chain([here]);
        assert_eq!(ejected.filter(|ejected| *ejected).count(), 1);
        assert_eq!(outcomes.generation(), 1);
    });
}

#[test]
fn no_concurrent_failure_is_lost() {
    loom::model(|| {
        let outcomes = Arc::new(Outcomes::default());
        let fail = |outcomes: &Outcomes| outcomes.record_failure(0).unwrap().consecutive;
        let threads = [spawn(&outcomes, fail), spawn(&outcomes, fail)];
        let mut seen = threads.map(|thread| thread.join().unwrap());
        seen.sort_unstable();
        assert_eq!(seen, [1, 2], "one of them sees both");
    });
}

#[test]
fn a_success_does_not_undo_an_ejection_that_it_races_with() {
    loom::model(|| {
        let outcomes = Arc::new(Outcomes::default());
        outcomes.record_failure(0).unwrap();
        let success = spawn(&outcomes, |outcomes| outcomes.record_success(0));
        assert!(outcomes.close(0));
        success.join().unwrap();
        assert_eq!(outcomes.generation(), 1);
        assert_eq!(outcomes.history(), CLEAR);
    });
}

#[test]
fn an_endpoint_that_returns_does_not_inherit_the_failure_of_a_late_call() {
    loom::model(|| {
        let outcomes = Arc::new(Outcomes::default());
        let failure = spawn(&outcomes, |outcomes| outcomes.record_failure(0));
        outcomes.next_generation();
        failure.join().unwrap();
        assert_eq!(outcomes.generation(), 1);
        assert_eq!(outcomes.history(), CLEAR);
    });
}

#[test]
fn no_more_calls_are_in_flight_than_the_limit() {
    loom::model(|| {
        const LIMIT: u32 = 2;
        let calls = Arc::new(InFlight::default());
        calls.begin();
        let call = |calls: &InFlight| {
            let begun = calls.try_begin(LIMIT);
            assert!(calls.count() <= LIMIT);
            begun
        };
        let threads = [spawn(&calls, call), spawn(&calls, call)];
        let begun = threads.map(|thread| thread.join().unwrap());
        assert_eq!(begun.into_iter().filter(|begun| *begun).count(), 1, "there was room for one");
        assert_eq!(calls.count(), LIMIT);
    });
}

#[test]
fn a_call_that_ends_makes_room_for_one_other() {
    loom::model(|| {
        let calls = Arc::new(InFlight::default());
        let call = |calls: &InFlight| {
            let begun = calls.try_begin(1);
            if begun {
                calls.end();
            }
            begun
        };
        let threads = [spawn(&calls, call), spawn(&calls, call)];
        let begun = threads.map(|thread| thread.join().unwrap());
        assert!(begun.contains(&true));
        assert_eq!(calls.count(), 0);
        assert!(calls.try_begin(1));
    });
}

#[test]
fn of_two_latencies_at_one_time_the_peak_stays() {
    loom::model(|| {
        let latency = Arc::new(Latency::default());
        let threads =
            [300, 100].map(|took| spawn(&latency, move |latency| latency.record(ms(took), 5, DECAY)));
        let between = latency.value(5, DECAY);
        assert!([0.0, 1e8, 3e8].contains(&between), "{between}");
        for thread in threads {
            thread.join().unwrap();
        }
        assert_eq!(latency.value(5, DECAY), 3e8);
    });
}

#[test]
fn a_peak_outlives_a_low_sample_that_it_races_with() {
    loom::model(|| {
        let latency = Arc::new(Latency::default());
        latency.record(ms(10), 0, DECAY);
        let peak = spawn(&latency, |latency| latency.record(ms(1_000), 1_000, DECAY));
        latency.record(ms(1), 1_000, DECAY);
        peak.join().unwrap();
        assert_eq!(latency.value(1_000, DECAY), 1e9);
    });
}
