//! Each strategy picks by its law: Pearson's chi-square test, with fixed seeds.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::time::Duration;

use balance::{Balancer, EntryChange, LeastLoaded, PeakEwma, Pick, Picker, Random, Reader, Rendezvous, Rng};
use balance::{RoundRobin, Sticky, Strategy, Weighted};
use support::{Weight, assert_law, assert_other_law, config, count};
use tokio::time::{Instant, advance};

const SIZES: [usize; 5] = [1, 2, 3, 100, 10_000];

/// Strategies whose picks are independent of each other, and go by neither weight nor load while nothing is in flight.
const UNIFORM: [Strategy; 4] =
    [Strategy::Random, Strategy::LeastLoaded, Strategy::PeakEwma, Strategy::Rendezvous];

/// A name, and the weight of each endpoint.
type Pattern = (&'static str, fn(usize) -> u32);

fn draws(size: usize) -> usize {
    (10 * size).max(20_000)
}

fn uniform(size: usize) -> Vec<f64> {
    vec![1.0; size]
}

/// A balancer of the endpoints 0 to `size`, with weights.
fn weighted(size: usize, weight: impl Fn(usize) -> u32) -> Balancer<usize, Weight> {
    let balancer = Balancer::new(config(Strategy::Random));
    balancer.update((0..size).map(|key| (key, Weight(weight(key)))));
    balancer
}

fn equal(size: usize) -> Balancer<usize, Weight> {
    weighted(size, |_| 100)
}

fn chosen<P: Picker<usize, Weight>>(reader: &mut Reader<usize, Weight, P>) -> usize {
    *reader.choose().unwrap().key()
}

/// Picks `rounds` times every endpoint, and keeps the calls of those that want so many.
fn load(
    balancer: &Balancer<usize, Weight>,
    size: usize,
    calls: impl Fn(usize) -> usize,
) -> Vec<Pick<usize, Weight>> {
    let mut reader = balancer.reader_with(RoundRobin::default());
    let most = (0..size).map(&calls).max().unwrap();
    let rounds = (0..most).flat_map(|round| (0..size).map(move |_| round));
    let picks = rounds.map(|round| (round, reader.pick().unwrap()));
    picks.filter(|(round, pick)| *round < calls(*pick.key())).map(|(_, pick)| pick).collect()
}

/// How often each endpoint is the cheaper one of a random pair; of equals each is in half of the cases.
fn two_choices_law(costs: &[f64]) -> Vec<f64> {
    if costs.len() == 1 {
        return vec![1.0];
    }
    let mut sorted = costs.to_vec();
    sorted.sort_by(f64::total_cmp);
    let law = costs.iter().map(|cost| {
        let below = sorted.partition_point(|other| other < cost);
        let not_above = sorted.partition_point(|other| other <= cost);
        (costs.len() - not_above) as f64 + (not_above - below - 1) as f64 / 2.0
    });
    law.collect()
}

#[test]
fn the_check_rejects_what_is_skewed() {
    for size in SIZES.into_iter().skip(1) {
        let mut rng = Rng::new(1);
        let draws = 2 * draws(size);
        let right = count(size, draws, || rng.below(size));
        assert_law(size, &right, &uniform(size));
        // A tenth of the draws is made again if it falls into the upper half.
        let skewed = count(size, draws, || {
            let drawn = rng.below(size);
            if drawn >= size.div_ceil(2) && rng.unit() < 0.1 { rng.below(size) } else { drawn }
        });
        assert_other_law(size, &skewed, &uniform(size));
        // Nobody takes the last one.
        let without = count(size, draws, || rng.below(size - 1));
        assert_other_law(size, &without, &uniform(size));
    }
    assert_other_law("impossible", &[1_000_000, 1], &[1.0, 0.0]);
    assert_other_law("few", &[1_000, 30], &[1_000.0, 4.0]);
}

#[test]
fn strategies_without_a_preference_are_uniform_while_nothing_is_in_flight() {
    for size in SIZES {
        let balancer = equal(size);
        for strategy in UNIFORM {
            let mut reader = balancer.reader_with(strategy.picker());
            let counts = count(size, draws(size), || chosen(&mut reader));
            assert_law((strategy, size), &counts, &uniform(size));
        }
    }
}

#[test]
fn round_robin_chooses_each_once_a_round() {
    for size in SIZES {
        let mut reader = equal(size).reader_with(RoundRobin::default());
        for _ in 0..3 {
            assert_eq!(count(size, size, || chosen(&mut reader)), vec![1; size]);
        }
    }
}

#[test]
fn weighted_goes_by_weights() {
    let patterns: [Pattern; 6] = [
        ("equal", |_| 100),
        ("rising", |key| key as u32 + 1),
        ("one to seven", |key| 1 + key as u32 % 7),
        ("powers of two and their neighbours", |key| [1, 2, 3, 4, 127, 128, 129, 255, 256][key % 9]),
        ("some closed", |key| if key % 3 == 1 { 0 } else { 10 + key as u32 % 2 }),
        ("the largest", |key| u32::MAX - key as u32 % 2 * (u32::MAX / 2)),
    ];
    for size in SIZES {
        for (name, weight) in patterns {
            let mut reader = weighted(size, weight).reader_with(Weighted);
            let counts = count(size, draws(size), || chosen(&mut reader));
            let law: Vec<_> = (0..size).map(|key| f64::from(weight(key))).collect();
            assert_law((name, size), &counts, &law);
            if size > 1 && name != "equal" {
                assert_other_law((name, size), &counts, &uniform(size));
            }
        }
    }
}

#[test]
fn a_weight_of_one_beside_a_million_gets_its_millionth() {
    for (heavy, light) in [(0, 1), (1, 0)] {
        let mut reader = weighted(2, |key| if key == heavy { 1_000_000 } else { 1 }).reader_with(Weighted);
        let counts = count(2, 300_000, || chosen(&mut reader));
        // The mean is 0.3; above 6 it is once in 30 million.
        assert!(counts[light] <= 6, "{counts:?}");
    }
    // A hundred of them get a ten-thousandth.
    let weight = |key| if key == 50 { 1_000_000 } else { 1 };
    let mut reader = weighted(101, weight).reader_with(Weighted);
    let counts = count(101, 300_000, || chosen(&mut reader));
    let law: Vec<_> = (0..101).map(|key| f64::from(weight(key))).collect();
    assert_law("a hundred", &counts, &law);
    assert!(counts.iter().sum::<u64>() > counts[50]);
}

#[test]
fn least_loaded_takes_the_less_loaded_of_two() {
    for size in SIZES {
        let balancer = equal(size);
        let calls = load(&balancer, size, |key| key % 4);
        let mut reader = balancer.reader_with(LeastLoaded);
        let counts = count(size, draws(size), || chosen(&mut reader));
        let costs: Vec<_> = (0..size).map(|key| (key % 4) as f64).collect();
        assert_law(size, &counts, &two_choices_law(&costs));
        if size > 1 {
            assert_other_law(size, &counts, &uniform(size));
        }
        drop(calls);
        let counts = count(size, draws(size), || chosen(&mut reader));
        assert_law(("idle again", size), &counts, &uniform(size));
    }
}

#[test]
fn two_choices_keep_the_load_even() {
    let most = |strategy: Strategy| {
        let balancer = equal(100);
        let mut reader = balancer.reader_with(strategy.picker());
        let calls: Vec<_> = (0..1_000).map(|_| reader.pick().unwrap()).collect();
        calls.iter().map(|call| call.entry().in_flight()).max().unwrap()
    };
    // The mean is 10. With one choice the most is about 10 + 2.6 standard deviations of 3.2.
    assert!(most(Strategy::LeastLoaded) <= 13, "{}", most(Strategy::LeastLoaded));
    assert!(most(Strategy::Random) >= 16, "{}", most(Strategy::Random));
}

#[tokio::test(start_paused = true)]
async fn peak_ewma_takes_the_one_of_two_that_is_quicker_for_its_load() {
    for size in SIZES {
        let balancer = equal(size);
        let mut reader = balancer.reader_with(PeakEwma::default());
        // Those with the numbers 0, 1, 2, 3 answer after 10, 20, 40, 80 ms.
        let mut calls: Vec<_> =
            load(&balancer, size, |_| 1).into_iter().map(|call| call.began_at(Instant::now())).collect();
        for (number, wait) in [10, 10, 20, 40].into_iter().enumerate() {
            advance(Duration::from_millis(wait)).await;
            calls.extract_if(.., |call| call.key() % 4 == number).for_each(Pick::succeed);
        }
        let costs =
            |busy: f64| -> Vec<_> { (0..size).map(|key| [busy, 20.0, 40.0, 80.0][key % 4]).collect() };
        let counts = count(size, draws(size), || chosen(&mut reader));
        assert_law(("idle", size), &counts, &two_choices_law(&costs(10.0)));
        // The quickest ones have two calls each.
        let _busy = load(&balancer, size, |key| if key % 4 == 0 { 2 } else { 0 });
        let counts = count(size, draws(size), || chosen(&mut reader));
        assert_law(("busy", size), &counts, &two_choices_law(&costs(30.0)));
    }
}

#[tokio::test(start_paused = true)]
async fn peak_ewma_is_uniform_over_endpoints_that_are_equally_quick() {
    for size in SIZES {
        let balancer = equal(size);
        let calls: Vec<_> =
            load(&balancer, size, |_| 1).into_iter().map(|call| call.began_at(Instant::now())).collect();
        advance(Duration::from_millis(10)).await;
        calls.into_iter().for_each(Pick::succeed);
        let mut reader = balancer.reader_with(PeakEwma::default());
        let counts = count(size, draws(size), || chosen(&mut reader));
        assert_law(size, &counts, &uniform(size));
    }
}

#[tokio::test(start_paused = true)]
async fn peak_ewma_calls_an_endpoint_without_an_answer_once_and_then_waits_for_it() {
    let balancer = equal(2);
    let mut reader = balancer.reader_with(PeakEwma::default());
    let (first, second) = (reader.pick().unwrap(), reader.pick().unwrap());
    assert_ne!(first.key(), second.key());
    let (quick, silent) = (*first.key(), *second.key());
    advance(Duration::from_millis(500)).await;
    first.succeed();
    let calls: Vec<_> = (0..100).map(|_| reader.pick().unwrap()).collect();
    assert!(calls.iter().all(|call| *call.key() == quick));
    drop(calls);
    advance(Duration::from_millis(1)).await;
    second.succeed();
    // 500 ms against 501 ms.
    assert_eq!([chosen(&mut reader), quick], [quick, 1 - silent]);
}

#[test]
fn rendezvous_is_uniform_over_keys() {
    for size in SIZES {
        let mut reader = equal(size).reader_with(Rendezvous::default());
        // A pick takes its time in a large set: fewer keys then, in cells of 100 endpoints.
        let cells = size.min(100);
        let keys = if size > 1_000 { 2_000 } else { 20_000 };
        let mut key = 0_u64;
        let counts = count(cells, keys, || {
            key += 1;
            *reader.pick_for(&key).unwrap().key() % cells
        });
        assert_law(size, &counts, &uniform(cells));
    }
}

#[test]
fn sticky_is_uniform_over_readers_and_constant_in_each() {
    for size in SIZES {
        let balancer = equal(size);
        let counts = count(size, draws(size), || {
            let mut reader = balancer.reader_with(Sticky::default());
            let home = chosen(&mut reader);
            assert_eq!([chosen(&mut reader), chosen(&mut reader)], [home; 2]);
            home
        });
        assert_law(size, &counts, &uniform(size));
    }
}

#[test]
fn sticky_stays_until_its_endpoint_leaves_and_then_goes_anywhere() {
    let balancer = equal(20);
    let (mut rng, mut reader) = (Rng::new(3), balancer.reader_with(Sticky::default()));
    let mut home = chosen(&mut reader);
    let counts = count(20, 2_000, || {
        // Others leave and come back, which moves it about.
        let others: Vec<_> = (0..10).map(|_| (home + 1 + rng.below(19)) % 20).collect();
        for other in &others {
            balancer.apply([EntryChange::Remove(*other)]);
            assert_eq!(chosen(&mut reader), home);
        }
        balancer.apply(others.into_iter().map(|other| EntryChange::Insert(other, Weight(100))));
        assert_eq!(chosen(&mut reader), home);
        balancer.apply([EntryChange::Remove(home)]);
        let (old, new) = (home, chosen(&mut reader));
        balancer.apply([EntryChange::Insert(old, Weight(100))]);
        home = chosen(&mut reader);
        assert_eq!(home, new);
        (new + 20 - old) % 20
    });
    let any_other: Vec<_> = (0..20).map(|distance| f64::from(distance > 0)).collect();
    assert_law("distance of the move", &counts, &any_other);
}

#[test]
fn endpoints_that_stay_get_their_share_while_others_come_and_go() {
    const STAY: usize = 50;
    const ALL: usize = 150;
    let weight = |strategy, key: usize| if strategy == Strategy::Weighted { 1 + key as u32 % 7 } else { 100 };
    for strategy in Strategy::ALL.into_iter().filter(|strategy| *strategy != Strategy::Sticky) {
        let balancer = weighted(STAY, |key| weight(strategy, key));
        let mut readers: Vec<_> = (0..4).map(|_| balancer.reader_with(strategy.picker())).collect();
        let mut rng = Rng::new(5);
        let mut is_in: Vec<_> = (0..ALL).map(|key| key < STAY).collect();
        let (mut counts, mut expected) = (vec![0; STAY + 1], vec![0.0; STAY + 1]);
        for _ in 0..5_000 {
            let key = STAY + rng.below(ALL - STAY);
            is_in[key] = !is_in[key];
            balancer.apply([match is_in[key] {
                true => EntryChange::Insert(key, Weight(weight(strategy, key))),
                false => EntryChange::Remove(key),
            }]);
            let weights = (0..ALL).map(|key| if is_in[key] { f64::from(weight(strategy, key)) } else { 0.0 });
            let weights: Vec<_> = weights.collect();
            let total: f64 = weights.iter().sum();
            for (key, weight) in weights.iter().enumerate() {
                expected[key.min(STAY)] += weight / total * readers.len() as f64;
            }
            for reader in &mut readers {
                let pick = reader.pick_for(&rng.next_u64()).unwrap();
                assert!(is_in[*pick.key()]);
                counts[(*pick.key()).min(STAY)] += 1;
            }
        }
        assert_law(strategy, &counts, &expected);
    }
}

#[test]
fn many_readers_begin_anywhere() {
    for strategy in Strategy::ALL {
        for size in [1, 2, 3, 100] {
            let weight = |key: usize| if strategy == Strategy::Weighted { 1 + key as u32 % 7 } else { 100 };
            let balancer = weighted(size, weight);
            let law: Vec<_> = (0..size).map(|key| f64::from(weight(key))).collect();
            let counts = count(size, 20_000, || chosen(&mut balancer.reader_with(strategy.picker())));
            assert_law((strategy, size), &counts, &law);
        }
    }
}

#[test]
fn clones_of_a_round_robin_reader_do_not_walk_in_step() {
    let mut reader = equal(100).reader_with(RoundRobin::default());
    chosen(&mut reader);
    let counts = count(100, 20_000, || chosen(&mut reader.clone()));
    assert_law("clones", &counts, &uniform(100));
}

#[test]
fn readers_of_two_balancers_with_the_same_seed_choose_the_same() {
    let choices = || {
        let mut reader = equal(100).reader_with(Random);
        count(100, 100, || chosen(&mut reader))
    };
    assert_eq!(choices(), choices());
}
