//! The endpoint that is picked, in service and when all look bad.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use balance::{Balancer, BalancerConfig, Failure, PickError, Strategy};
use common::{balancer, chosen, count, fail};
use proptest::prelude::*;

const BOTH: [Strategy; 2] = [Strategy::Random, Strategy::RoundRobin];

#[test]
fn unknown_empty_and_excluded_sets_are_different_errors() {
    for strategy in Strategy::ALL {
        let balancer = Balancer::new(BalancerConfig::new(strategy));
        let mut reader = balancer.reader();
        assert_eq!(reader.choose().unwrap_err(), PickError::NotSynced);
        balancer.update([(1, ()); 0]);
        assert_eq!(reader.choose().unwrap_err(), PickError::NoInstances);
        assert_eq!(reader.pick().unwrap_err(), PickError::NoInstances);
        balancer.update([(1, ()), (2, ())]);
        assert_eq!(*reader.pick_where(|key| *key != 1).unwrap().key(), 2);
        assert_eq!(reader.pick_where(|_| false).unwrap_err(), PickError::AllExcluded);
    }
}

#[test]
fn a_seed_makes_picks_repeatable() {
    let picks = |seed| -> Vec<u32> {
        let balancer = Balancer::new(BalancerConfig::default().with_seed(seed));
        balancer.update((0..100).map(|key| (key, ())));
        let (mut first, mut second) = (balancer.reader(), balancer.reader());
        (0..20).flat_map(|_| [*first.choose().unwrap().key(), *second.pick().unwrap().key()]).collect()
    };
    assert_eq!(picks(1), picks(1));
    assert_ne!(picks(1), picks(2));
}

#[tokio::test(start_paused = true)]
async fn an_ejected_endpoint_is_never_picked_while_another_is_in_service() {
    for strategy in Strategy::ALL {
        let balancer = balancer(BalancerConfig::new(strategy), 0..100);
        let mut reader = balancer.reader();
        (1..100).for_each(|key| fail(&mut reader, key, Failure::Timeout));
        assert_eq!(count(&mut reader, 1000), BTreeMap::from([(0, 1000)]));
        assert!((0..1000).all(|_| *reader.pick().unwrap().key() == 0));
    }
}

#[tokio::test(start_paused = true)]
async fn all_other_endpoints_share_the_calls_of_ejected_ones() {
    // The endpoints in service are adjacent, so that a search from an ejected one would find the first of them.
    let random = balancer(BalancerConfig::new(Strategy::Random), 0..101);
    let mut reader = random.reader();
    (5..101).for_each(|key| fail(&mut reader, key, Failure::Timeout));
    let counts = count(&mut reader, 10_000);
    assert!((0..5).all(|key| (1800..2200).contains(&counts[&key])), "{counts:?}");

    let round_robin = balancer(BalancerConfig::new(Strategy::RoundRobin), 0..3);
    let mut reader = round_robin.reader();
    fail(&mut reader, 1, Failure::Timeout);
    assert_eq!(count(&mut reader, 100), BTreeMap::from([(0, 50), (2, 50)]));
}

#[tokio::test(start_paused = true)]
async fn when_all_look_bad_those_that_refused_are_left_out() {
    for strategy in BOTH {
        let balancer = balancer(BalancerConfig::new(strategy), 0..4);
        let mut reader = balancer.reader();
        let failures = [Failure::Refused, Failure::Timeout, Failure::Reset, Failure::Refused];
        (0..4).zip(failures).for_each(|(key, failure)| fail(&mut reader, key, failure));
        let counts = count(&mut reader, 1000);
        assert_eq!(counts.keys().collect::<Vec<_>>(), [&1, &2], "{strategy}");
        assert!(counts[&1].abs_diff(counts[&2]) < 100, "{strategy}: {counts:?}");
        // They come last, and come.
        let refused = reader.pick_where(|key| *key == 0 || *key == 3).unwrap();
        // It accepts connections again, or so it seems.
        refused.fail(Failure::Timeout);
        assert_eq!(chosen(&mut reader).len(), 3, "{strategy}");
        fail(&mut reader, 1, Failure::Refused);
        assert_eq!(chosen(&mut reader).len(), 2, "{strategy}");
    }
}

#[tokio::test(start_paused = true)]
async fn when_all_refused_the_one_to_return_soonest_is_picked() {
    for strategy in Strategy::ALL {
        let balancer = balancer(BalancerConfig::new(strategy), 0..3);
        let mut reader = balancer.reader();
        for key in [2, 0, 1] {
            fail(&mut reader, key, Failure::Refused);
            // The jitter of two ejections differs by half of 200 ms at most; the first lasts at least 150 ms.
            tokio::time::advance(Duration::from_millis(if key == 2 { 101 } else { 1 })).await;
        }
        assert_eq!(count(&mut reader, 100), BTreeMap::from([(2, 100)]), "{strategy}");
        assert_eq!(*reader.pick().unwrap().key(), 2, "{strategy}");
        assert_ne!(*reader.pick_where(|key| *key != 2).unwrap().key(), 2);
    }
}

#[tokio::test(start_paused = true)]
async fn when_all_refused_and_all_ejections_are_over_each_of_them_is_picked() {
    // Not always the same one: the others may be back.
    for strategy in Strategy::ALL {
        let balancer = balancer(BalancerConfig::new(strategy), 0..3);
        let mut reader = balancer.reader();
        (0..3).for_each(|key| fail(&mut reader, key, Failure::Refused));
        tokio::time::advance(Duration::from_secs(1)).await;
        let counts = count(&mut reader, 3000);
        assert!(
            (0..3).all(|key| (900..1100).contains(counts.get(&key).unwrap_or(&0))),
            "{strategy}: {counts:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_success_when_all_look_bad_counts_at_once() {
    for failure in [Failure::Timeout, Failure::Refused] {
        let balancer = balancer(BalancerConfig::default(), 0..3);
        let mut reader = balancer.reader();
        (0..3).for_each(|key| fail(&mut reader, key, failure));
        reader.pick_where(|key| *key == 1).unwrap().succeed();
        assert_eq!(chosen(&mut reader), [1]);
    }
}

#[tokio::test(start_paused = true)]
async fn below_the_panic_threshold_all_are_used_but_those_that_refuse() {
    for strategy in BOTH {
        let config = BalancerConfig::new(strategy).with_panic_threshold(0.5).unwrap();
        let balancer = balancer(config, 0..10);
        let mut reader = balancer.reader();
        (0..3).for_each(|key| fail(&mut reader, key, Failure::Refused));
        (3..5).for_each(|key| fail(&mut reader, key, Failure::Timeout));
        assert_eq!(chosen(&mut reader), (5..10).collect::<Vec<_>>(), "half are in service");
        fail(&mut reader, 5, Failure::Timeout);
        assert_eq!(chosen(&mut reader), (3..10).collect::<Vec<_>>(), "{strategy}");
        // The failure of one that is in service counts as in quieter times,
        fail(&mut reader, 9, Failure::Refused);
        assert_eq!(chosen(&mut reader), (3..9).collect::<Vec<_>>(), "{strategy}");
        // and a success ends it.
        for key in [3, 4] {
            reader.pick_where(|k| *k == key).unwrap().succeed();
        }
        assert_eq!(chosen(&mut reader), [3, 4, 6, 7, 8], "{strategy}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_at_its_limit_of_calls_in_flight_is_not_picked_and_not_tried() {
    for strategy in Strategy::ALL {
        let config = BalancerConfig::new(strategy).with_max_in_flight(2).unwrap();
        let balancer = balancer(config, 0..2);
        let mut reader = balancer.reader();
        let mut picks: Vec<_> = (0..4).map(|_| reader.pick().unwrap()).collect();
        assert!(balancer.status().iter().all(|status| status.in_flight == 2), "{strategy}");
        assert_eq!(reader.pick().unwrap_err(), PickError::Saturated);
        assert_eq!(reader.choose().unwrap_err(), PickError::Saturated);
        let ended = *picks.pop().unwrap().key();
        let pick = reader.pick().unwrap();
        assert_eq!(*pick.key(), ended, "{strategy}");
        // Its calls hang: one more is no trial.
        pick.fail(Failure::Timeout);
        picks.push(reader.pick_where(|key| *key == ended).unwrap());
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!((0..50).all(|_| reader.pick().is_err()), "{strategy}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, ..ProptestConfig::default() })]

    #[test]
    fn any_n_round_robin_picks_in_a_row_meet_each_of_n_endpoints_once(n in 1..60_u32, earlier in 0..200_usize) {
        let balancer = balancer(BalancerConfig::new(Strategy::RoundRobin), 0..n);
        let mut reader = balancer.reader();
        (0..earlier).for_each(|_| drop(reader.pick()));
        let counts = count(&mut reader, n as usize);
        prop_assert_eq!(counts, (0..n).map(|key| (key, 1)).collect::<BTreeMap<_, _>>());
    }

    #[test]
    fn a_pick_is_always_from_the_latest_set(
        strategy in prop::sample::select(&Strategy::ALL[..]),
        sets in prop::collection::vec(prop::collection::btree_set(0..50_u32, 0..50), 1..20),
        reports in prop::collection::vec(0..4_u8, 20),
    ) {
        let balancer = balancer(BalancerConfig::new(strategy), []);
        let mut reader = balancer.reader();
        for set in sets {
            balancer.update(set.iter().map(|key| (*key, ())));
            for report in &reports {
                let Ok(pick) = reader.pick() else {
                    prop_assert_eq!(&set, &BTreeSet::new());
                    continue;
                };
                prop_assert!(set.contains(pick.key()));
                match report {
                    0 => pick.succeed(),
                    1 => pick.fail(Failure::Refused),
                    2 => pick.fail(Failure::Timeout),
                    _ => drop(pick),
                }
            }
        }
    }
}
