use std::time::Duration;

use proptest::prelude::*;

use crate::endpoint::Latency;
use crate::endpoint::latency::Average;

const DECAY: Duration = Duration::from_secs(10);

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// The formulas of the documentation, in `f64` and without packing.
#[derive(Default)]
struct Model {
    nanos: f64,
    at_ms: u64,
    known: bool,
}

impl Model {
    fn record(&mut self, took: Duration, now_ms: u64, decay: Duration) {
        let sample = (took.as_nanos() as f64).max(1.0);
        let kept = (-(self.age(now_ms)) / decay.as_secs_f64() / 1e3).exp();
        self.nanos = if sample > self.nanos { sample } else { self.nanos * kept + sample * (1.0 - kept) };
        self.at_ms = if self.known { self.at_ms.max(now_ms) } else { now_ms };
        self.known = true;
    }

    fn value(&self, now_ms: u64, decay: Duration) -> f64 {
        self.nanos * (-(self.age(now_ms)) / decay.as_secs_f64() / 1e3).exp()
    }

    fn age(&self, now_ms: u64) -> f64 {
        now_ms.saturating_sub(self.at_ms) as f64
    }
}

fn close(value: f32, model: f64) -> bool {
    // A read of a value that has all but decayed is as good as 0.
    (f64::from(value) - model).abs() <= model * 1e-4 + 1e-3
}

/// A sample, and how far the clock goes before it: mostly little, sometimes back.
fn samples() -> impl Strategy<Value = Vec<(u64, i64)>> {
    let nanos = prop_oneof![1_u64..1_000, 1_000_u64..10_000_000, 1_000_000_u64..60_000_000_000];
    let step = prop_oneof![3 => 0_i64..3, 3 => 0_i64..5_000, 1 => -60_000_i64..0, 1 => 0_i64..10_000_000];
    prop::collection::vec((nanos, step), 0..100)
}

proptest! {
    #[test]
    fn latency_is_that_of_the_plain_formulas(
        samples in samples(),
        // Also across the end of the 32 bits.
        start in prop_oneof![Just(60_000_u64), Just(u64::from(u32::MAX) - 5_000)],
        decay_ms in 1_u64..60_000,
        later in 0_u64..100_000,
    ) {
        let decay = ms(decay_ms);
        let (latency, mut model) = (Latency::default(), Model::default());
        let mut now = start;
        for (nanos, step) in samples {
            // Never more than a minute behind the latest time.
            now = now.saturating_add_signed(step).max(model.at_ms.saturating_sub(60_000));
            let took = Duration::from_nanos(nanos);
            latency.record(took, now, decay);
            model.record(took, now, decay);
            for at in [now, now + later] {
                let (value, expected) = (latency.value(at, decay), model.value(at, decay));
                prop_assert!(close(value, expected), "{value} at {at}, expected {expected}");
            }
        }
        prop_assert_eq!(latency.is_known(), model.known);
    }

    #[test]
    fn packing_loses_nothing(nanos in 1.0_f32..1e30, at_ms: u32) {
        let average = Average { nanos, at_ms };
        prop_assert_eq!(Average::unpack(average.pack()), average);
    }

    #[test]
    fn no_durations_and_times_make_it_anything_but_a_number(
        samples in prop::collection::vec((any::<Duration>(), any::<u64>(), any::<Duration>()), 1..20),
        at: u64,
        decay: Duration,
    ) {
        let latency = Latency::default();
        for (took, now, decay) in samples {
            latency.record(took, now, decay);
            prop_assert!(latency.is_known());
        }
        for decay in [decay, Duration::ZERO, Duration::MAX] {
            let value = latency.value(at, decay);
            prop_assert!(value.is_finite() && value >= 0.0, "{value}");
        }
    }
}

#[test]
fn a_peak_counts_at_once_and_fades() {
    let latency = Latency::default();
    latency.record(ms(10), 0, DECAY);
    latency.record(ms(1_000), 1, DECAY);
    assert_eq!(latency.value(1, DECAY), 1e9);
    // After one decay a low sample counts for 63 %.
    latency.record(ms(10), 10_001, DECAY);
    assert!(close(latency.value(10_001, DECAY), 1e7 + 99e7 * (-1_f64).exp()));
}

#[test]
fn an_endpoint_that_was_slow_once_becomes_attractive_without_calls() {
    let (slow, fast) = (Latency::default(), Latency::default());
    slow.record(ms(1_000), 0, DECAY);
    for now in 0..60_000 {
        fast.record(ms(10), now, DECAY);
    }
    assert!(slow.value(40_000, DECAY) > fast.value(40_000, DECAY));
    // After decay * ln(1000 ms / 10 ms) = 46 s they are even.
    assert!(slow.value(60_000, DECAY) < fast.value(60_000, DECAY));
    assert!(slow.is_known(), "it is not taken for a newcomer");
}

#[test]
fn dense_samples_converge_as_sparse_ones_do() {
    let (dense, sparse) = (Latency::default(), Latency::default());
    for latency in [&dense, &sparse] {
        latency.record(ms(1_000), 0, DECAY);
    }
    for now in 1..=30_000 {
        for _ in 0..10 {
            dense.record(ms(10), now, DECAY);
        }
        if now % 1_000 == 0 {
            sparse.record(ms(10), now, DECAY);
        }
    }
    let (dense, sparse) = (dense.value(30_000, DECAY), sparse.value(30_000, DECAY));
    assert!((dense - sparse).abs() < sparse * 0.01, "{dense} and {sparse}");
}

#[test]
fn a_low_sample_in_the_same_millisecond_is_not_written() {
    let average = Average { nanos: 1e6, at_ms: 7 };
    assert_eq!(average.with(1e3, 7, DECAY), None);
    assert_eq!(average.with(1e6, 7, DECAY), None);
    assert_eq!(average.with(2e6, 7, DECAY), Some(Average { nanos: 2e6, at_ms: 7 }));
}

#[test]
fn a_time_that_is_behind_does_not_take_the_last_one_back() {
    let average = Average { nanos: 1e6, at_ms: 100_000 };
    assert_eq!(average.with(1e3, 50_000, DECAY), None);
    assert_eq!(average.with(2e6, 50_000, DECAY), Some(Average { nanos: 2e6, at_ms: 100_000 }));
    assert_eq!(average.at(50_000, DECAY), 1e6);
}

#[test]
fn a_call_that_took_no_time_is_known() {
    let latency = Latency::default();
    latency.record(Duration::ZERO, 0, DECAY);
    assert!(latency.is_known());
    assert_eq!(latency.value(0, DECAY), 1.0);
}

#[test]
fn without_a_decay_only_the_last_millisecond_counts() {
    let latency = Latency::default();
    latency.record(ms(10), 0, Duration::ZERO);
    latency.record(ms(1), 0, Duration::ZERO);
    assert_eq!(latency.value(0, Duration::ZERO), 1e7);
    assert_eq!(latency.value(1, Duration::ZERO), 0.0);
    latency.record(ms(1), 1, Duration::ZERO);
    assert_eq!(latency.value(1, Duration::ZERO), 1e6);
}
