//! Which endpoints come first: those of the zone and the subset, those that are not held, and never those that want no calls.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::collections::BTreeSet;
use std::time::Duration;

use balance::{Balancer, BalancerConfig, EntryChange, Failure, PickError, Reader, Strategy};
use common::{Value, balancer, chosen, count, fail};

const BOTH: [Strategy; 2] = [Strategy::Random, Strategy::RoundRobin];

/// Endpoints 0 to 9 are in the zone, 10 to 19 are not.
fn zones(strategy: Strategy) -> (Balancer<u32, Value>, Reader<u32, Value>) {
    let balancer = Balancer::new(BalancerConfig::new(strategy).with_zone("zone", "here").with_seed(1));
    balancer.update((0..20).map(|key| (key, in_zone(key))));
    let reader = balancer.reader();
    (balancer, reader)
}

fn in_zone(key: u32) -> Value {
    Value::default().with_tag("zone", if key < 10 { "here" } else { "there" })
}

/// The share of calls that stay in the zone.
fn share_that_stays(reader: &mut Reader<u32, Value>) -> f64 {
    let counts = count(reader, 20_000);
    counts.iter().filter(|(key, _)| **key < 10).map(|(_, count)| *count as f64).sum::<f64>() / 20_000.0
}

/// Within four standard deviations of 20,000 draws.
fn assert_share(found: f64, expected: f64) {
    let deviation = (expected * (1.0 - expected) / 20_000.0).sqrt();
    assert!((found - expected).abs() <= 4.0 * deviation, "{found} is not about {expected}");
}

#[tokio::test(start_paused = true)]
async fn a_zone_with_a_share_s_in_service_keeps_1_4_s_of_the_calls() {
    for strategy in BOTH {
        let (_balancer, mut reader) = zones(strategy);
        assert_eq!(chosen(&mut reader), (0..10).collect::<Vec<_>>());
        for key in 0..9 {
            fail(&mut reader, key, Failure::Timeout);
            let in_service = f64::from(9 - key) / 10.0;
            assert_share(share_that_stays(&mut reader), (1.4 * in_service).min(1.0));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn round_robin_meets_all_endpoints_to_which_calls_spill_over() {
    let (balancer, mut reader) = zones(Strategy::RoundRobin);
    // The others are many more than those of the zone.
    balancer.apply((20..200).map(|key| EntryChange::Insert(key, in_zone(key))));
    (0..6).for_each(|key| fail(&mut reader, key, Failure::Timeout));
    let counts = count(&mut reader, 20_000);
    for range in [6..10, 10..200] {
        let counts: Vec<_> = range.clone().map(|key| counts.get(&key).copied().unwrap_or(0)).collect();
        let (least, most) = (counts.iter().min().unwrap(), counts.iter().max().unwrap());
        assert!(most - least <= 1, "{range:?}: {least} to {most}");
    }
}

#[tokio::test(start_paused = true)]
async fn with_nobody_of_the_zone_in_service_all_calls_go_to_the_others() {
    for failure in [Failure::Timeout, Failure::Refused] {
        let (balancer, mut reader) = zones(Strategy::Random);
        // Behind them there are worse ones, to which nothing may spill.
        balancer.apply([EntryChange::Insert(20, Value::held())]);
        (0..11).for_each(|key| fail(&mut reader, key, failure));
        assert_eq!(chosen(&mut reader), (11..20).collect::<Vec<_>>());
        // Nobody is left but the held one, and then those that look bad.
        (11..20).for_each(|key| fail(&mut reader, key, failure));
        assert_eq!(chosen(&mut reader), [20]);
    }
}

#[tokio::test(start_paused = true)]
async fn with_all_others_out_of_service_the_zone_keeps_its_calls() {
    let (_balancer, mut reader) = zones(Strategy::Random);
    (1..20).for_each(|key| fail(&mut reader, key, Failure::Timeout));
    assert_eq!(chosen(&mut reader), [0]);
}

#[tokio::test(start_paused = true)]
async fn of_the_zones_share_those_that_are_held_are_none_in_service_and_those_that_are_closed_do_not_count() {
    let (balancer, mut reader) = zones(Strategy::Random);
    // Six of ten, of which four are closed: two of six.
    balancer.apply((0..4).map(|key| EntryChange::Insert(key, Value { held: true, ..in_zone(key) })));
    assert_share(share_that_stays(&mut reader), 1.4 * 0.6);
    balancer.apply((4..6).map(|key| EntryChange::Insert(key, Value { draining: true, ..in_zone(key) })));
    balancer.apply((6..8).map(|key| EntryChange::Insert(key, Value { weight: 0, ..in_zone(key) })));
    assert_share(share_that_stays(&mut reader), 1.4 * 2.0 / 6.0);
    balancer.apply((0..4).map(|key| EntryChange::Insert(key, in_zone(key))));
    assert_share(share_that_stays(&mut reader), 1.0);
}

#[test]
fn labels_are_strict() {
    let config = BalancerConfig::default().with_label("version", "2").with_label("tier", "gold");
    let balancer = Balancer::new(config);
    let mut reader = balancer.reader();
    let gold = |version| Value::default().with_tag("version", version).with_tag("tier", "gold");
    balancer.update([(1, gold("1")), (2, Value::default().with_tag("version", "2"))]);
    assert_eq!(reader.choose().unwrap_err(), PickError::NoMatch);
    assert_eq!(reader.pick_where(|_| true).unwrap_err(), PickError::NoMatch);
    balancer.apply([EntryChange::Insert(3, gold("2"))]);
    assert_eq!(chosen(&mut reader), [3]);
    // No failure lets the others in.
    fail(&mut reader, 3, Failure::Refused);
    assert_eq!(chosen(&mut reader), [3]);
    balancer.apply([EntryChange::Insert(3, Value { weight: 0, ..gold("2") })]);
    assert_eq!(reader.choose().unwrap_err(), PickError::AllClosed);
    balancer.apply([EntryChange::Insert(1, gold("2")), EntryChange::Insert(3, gold("3"))]);
    assert_eq!(chosen(&mut reader), [1]);
}

#[test]
fn a_client_uses_its_subset_and_with_nobody_of_it_in_service_the_whole_set() {
    let subset = |client: &str| {
        let config = BalancerConfig::default().with_subset(3, client).unwrap();
        let balancer = balancer(config, 0..30);
        let reader = balancer.reader();
        (balancer, reader)
    };
    let (_mine, mut reader) = subset("me");
    let mine: BTreeSet<u32> = chosen(&mut reader).into_iter().collect();
    assert_eq!(mine.len(), 3);
    let (_same, mut same) = subset("me");
    assert_eq!(chosen(&mut same), mine.iter().copied().collect::<Vec<_>>());
    let (_other, mut other) = subset("you");
    assert_ne!(chosen(&mut other), mine.iter().copied().collect::<Vec<_>>());

    let (first, others) = mine.iter().copied().partition::<Vec<u32>, _>(|key| Some(key) == mine.first());
    others.iter().for_each(|key| fail(&mut reader, *key, Failure::Timeout));
    assert_eq!(chosen(&mut reader), first);
    fail(&mut reader, first[0], Failure::Timeout);
    let rest: Vec<u32> = (0..30).filter(|key| !mine.contains(key)).collect();
    assert_eq!(count(&mut reader, 5000).into_keys().collect::<Vec<_>>(), rest);
}

#[test]
fn endpoints_that_take_no_calls_take_no_place_in_a_subset() {
    let balancer = Balancer::new(BalancerConfig::default().with_subset(3, "me").unwrap());
    balancer.update((0..30).map(|key| (key, Value::default())));
    let mut reader = balancer.reader();
    let before = chosen(&mut reader);
    balancer.apply([
        EntryChange::Insert(before[0], Value::draining()),
        EntryChange::Insert(before[1], Value::weighing(0)),
    ]);
    let during = chosen(&mut reader);
    assert!(during.len() == 3 && during.contains(&before[2]), "{before:?} {during:?}");
    balancer.apply(before[..2].iter().map(|key| EntryChange::Insert(*key, Value::default())));
    assert_eq!(chosen(&mut reader), before);
}

#[test]
fn a_subset_takes_the_endpoints_of_the_zone_first() {
    let config = BalancerConfig::default().with_zone("zone", "here").with_subset(4, "me").unwrap();
    let balancer = Balancer::new(config);
    balancer.update((0..20).map(|key| (key, in_zone(key))));
    let mut reader = balancer.reader();
    let subset = chosen(&mut reader);
    assert!(subset.len() == 4 && subset.iter().all(|key| *key < 10), "{subset:?}");
    // One of the subset moves away: another one of the zone takes its place.
    balancer.apply([EntryChange::Insert(subset[0], in_zone(10))]);
    let next = chosen(&mut reader);
    assert!(next.len() == 4 && next.iter().all(|key| *key < 10 && *key != subset[0]), "{next:?}");
    assert_eq!(next.iter().filter(|key| subset.contains(key)).count(), 3);
}

#[tokio::test(start_paused = true)]
async fn what_is_held_comes_after_all_others_in_service_and_before_those_that_look_bad() {
    for strategy in Strategy::ALL {
        let balancer = Balancer::new(BalancerConfig::new(strategy));
        balancer.update([(0, Value::held()), (1, Value::default()), (2, Value::default())]);
        let mut reader = balancer.reader();
        assert!(!chosen(&mut reader).contains(&0));
        fail(&mut reader, 1, Failure::Timeout);
        assert_eq!(chosen(&mut reader), [2]);
        fail(&mut reader, 2, Failure::Timeout);
        assert_eq!(chosen(&mut reader), [0]);
        fail(&mut reader, 0, Failure::Refused);
        assert!(!chosen(&mut reader).contains(&0));
        // It is listed again.
        reader.pick_where(|key| *key == 0).unwrap().succeed();
        balancer.apply([EntryChange::Insert(0, Value::default())]);
        assert_eq!(chosen(&mut reader), [0]);
    }
}

#[tokio::test(start_paused = true)]
async fn endpoints_that_drain_or_weigh_nothing_are_never_picked() {
    for strategy in Strategy::ALL {
        let balancer = Balancer::new(BalancerConfig::new(strategy));
        balancer.update([(0, Value::draining()), (1, Value::weighing(0))]);
        let mut reader = balancer.reader();
        assert_eq!(reader.choose().unwrap_err(), PickError::AllClosed);
        assert_eq!(reader.pick().unwrap_err(), PickError::AllClosed);
        balancer.apply([EntryChange::Insert(2, Value::default())]);
        fail(&mut reader, 2, Failure::Refused);
        assert_eq!(chosen(&mut reader), [2], "{strategy}");
        assert_eq!(reader.pick_where(|key| *key != 2).unwrap_err(), PickError::AllExcluded);

        // An ejected one that drains is not tried.
        balancer.apply([EntryChange::Insert(1, Value::default()), EntryChange::Insert(2, Value::draining())]);
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!((0..100).all(|_| *reader.pick().unwrap().key() == 1), "{strategy}");
        balancer.apply([EntryChange::Insert(2, Value::default())]);
        assert!((0..100).any(|_| *reader.pick().unwrap().key() == 2), "{strategy}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_newcomer_comes_to_its_full_share_slowly() {
    for strategy in BOTH {
        let config = BalancerConfig::new(strategy).with_slow_start(Duration::from_secs(10)).unwrap();
        let balancer = balancer(config, 0..9);
        let mut reader = balancer.reader();
        // Cold start: nobody is new where all are.
        let counts = count(&mut reader, 9000);
        assert!(counts.values().all(|count| count.abs_diff(1000) < 130), "{counts:?}");
        balancer.apply([EntryChange::Insert(9, ())]);
        for (share, ms) in [(0.1, 0), (0.1, 1000), (0.5, 4000), (0.9, 4000), (1.0, 1000)] {
            tokio::time::advance(Duration::from_millis(ms)).await;
            let count = *count(&mut reader, 20_000).get(&9).unwrap() as f64;
            let expected = 20_000.0 * share / (9.0 + share);
            assert!(
                (count - expected).abs() < 4.0 * expected.sqrt(),
                "{strategy} {share}: {count}, {expected}"
            );
        }
        if strategy == Strategy::RoundRobin {
            let counts = count(&mut reader, 10);
            assert!(counts.len() == 10, "no pick is left to chance any more: {counts:?}");
        }
        // One that was away for a short time is no newcomer.
        balancer.apply([EntryChange::Remove(3)]);
        balancer.apply([EntryChange::Insert(3, ())]);
        let count = count(&mut reader, 10_000)[&3];
        assert!(count.abs_diff(1000) < 130, "{count}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_process_that_was_started_anew_is_a_newcomer() {
    let config = BalancerConfig::default().with_slow_start(Duration::from_secs(10)).unwrap().with_seed(1);
    let balancer = Balancer::new(config);
    balancer.update((0..10).map(|key| (key, Value::of(1))));
    let mut reader = balancer.reader();
    balancer.apply([EntryChange::Insert(3, Value::of(2))]);
    let counts = count(&mut reader, 10_000);
    assert!(counts[&3] < 200 && counts[&4] > 900, "{counts:?}");
}
