//! The endpoint that is picked, in service and when all look bad.

use std::collections::HashMap;
use std::time::Duration;

use balance::{Balancer, Config, Failure, PickError, Strategy};
use proptest::prelude::*;

fn balancer(strategy: Strategy, keys: impl IntoIterator<Item = u32>) -> Balancer<u32> {
    let balancer = Balancer::new(Config::new(strategy).with_seed(7));
    balancer.update(keys);
    balancer
}

fn fail(balancer: &Balancer<u32>, key: u32, failure: Failure) {
    balancer.pick_where(|k| *k == key).expect("the key is in the set").fail(failure);
}

/// Counts the keys of so many picks without reports.
fn count(balancer: &Balancer<u32>, picks: usize) -> HashMap<u32, usize> {
    let mut counts = HashMap::new();
    for _ in 0..picks {
        *counts.entry(*balancer.pick().expect("there are endpoints").key()).or_default() += 1;
    }
    counts
}

const BOTH: [Strategy; 2] = [Strategy::Random, Strategy::RoundRobin];

#[test]
fn unknown_empty_and_excluded_sets_are_different_errors() {
    for strategy in BOTH {
        let balancer = Balancer::new(Config::new(strategy));
        assert_eq!(balancer.pick().unwrap_err(), PickError::NotSynced);
        balancer.update([]);
        assert_eq!(balancer.pick().unwrap_err(), PickError::NoInstances);
        balancer.update([1, 2]);
        assert_eq!(*balancer.pick_excluding(&[1]).unwrap().key(), 2);
        assert_eq!(balancer.pick_excluding(&[2, 1]).unwrap_err(), PickError::AllExcluded);
    }
}

#[test]
fn a_seed_makes_random_picks_repeatable() {
    let picks = |seed| -> Vec<u32> {
        let balancer = Balancer::new(Config::default().with_seed(seed));
        balancer.update(0..100);
        (0..20).map(|_| *balancer.pick().unwrap().key()).collect()
    };
    assert_eq!(picks(1), picks(1));
    assert_ne!(picks(1), picks(2));
}

#[test]
fn random_picks_are_spread_evenly() {
    let counts = count(&balancer(Strategy::Random, 0..10), 10_000);
    assert!((0..10).all(|key| (850..1150).contains(&counts[&key])), "{counts:?}");
}

#[tokio::test(start_paused = true)]
async fn an_ejected_endpoint_is_never_picked_while_another_is_in_service() {
    for strategy in BOTH {
        let balancer = balancer(strategy, 0..100);
        (1..100).for_each(|key| fail(&balancer, key, Failure::Timeout));
        assert_eq!(count(&balancer, 1000), HashMap::from([(0, 1000)]));
    }
}

#[tokio::test(start_paused = true)]
async fn all_other_endpoints_share_the_calls_of_ejected_ones() {
    // The endpoints in service are adjacent, so that a search from an ejected one finds the first of them.
    let random = balancer(Strategy::Random, 0..101);
    (5..101).for_each(|key| fail(&random, key, Failure::Timeout));
    let counts = count(&random, 10_000);
    assert!((0..5).all(|key| (1800..2200).contains(&counts[&key])), "{counts:?}");

    let round_robin = balancer(Strategy::RoundRobin, 0..3);
    fail(&round_robin, 1, Failure::Timeout);
    assert_eq!(count(&round_robin, 100), HashMap::from([(0, 50), (2, 50)]));

    let round_robin = balancer(Strategy::RoundRobin, 0..8);
    (0..6).for_each(|key| fail(&round_robin, key, Failure::Timeout));
    let counts = count(&round_robin, 1000);
    assert!(counts[&6].abs_diff(counts[&7]) <= 2, "{counts:?}");
}

#[tokio::test(start_paused = true)]
async fn when_all_look_bad_those_that_refused_are_left_out() {
    for strategy in BOTH {
        let balancer = balancer(strategy, 0..4);
        let failures = [Failure::Refused, Failure::Timeout, Failure::Reset, Failure::Refused];
        (0..4).zip(failures).for_each(|(key, failure)| fail(&balancer, key, failure));
        let counts = count(&balancer, 1000);
        assert_eq!(counts.len(), 2, "{strategy}: {counts:?}");
        assert!(counts[&1].abs_diff(counts[&2]) < 100, "{strategy}: {counts:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn when_all_refused_the_one_to_return_soonest_is_picked() {
    for strategy in BOTH {
        let balancer = balancer(strategy, 0..3);
        for key in [2, 0, 1] {
            fail(&balancer, key, Failure::Refused);
            // The jitter of two ejections differs by half of 200 ms at most; the first lasts at least 150 ms.
            tokio::time::advance(Duration::from_millis(if key == 2 { 101 } else { 1 })).await;
        }
        assert_eq!(count(&balancer, 100), HashMap::from([(2, 100)]), "{strategy}");
        assert_ne!(*balancer.pick_excluding(&[2]).unwrap().key(), 2);
    }
}

#[tokio::test(start_paused = true)]
async fn a_success_when_all_look_bad_counts_at_once() {
    let balancer = balancer(Strategy::Random, 0..3);
    (0..3).for_each(|key| fail(&balancer, key, Failure::Timeout));
    balancer.pick_where(|key| *key == 1).unwrap().succeed();
    assert_eq!(count(&balancer, 100), HashMap::from([(1, 100)]));
}

proptest! {
    #[test]
    fn any_n_round_robin_picks_in_a_row_meet_each_of_n_endpoints_once(n in 1..60_u32, earlier in 0..200_usize) {
        let balancer = balancer(Strategy::RoundRobin, 0..n);
        count(&balancer, earlier);
        let counts = count(&balancer, n as usize);
        prop_assert_eq!(counts, (0..n).map(|key| (key, 1)).collect::<HashMap<_, _>>());
    }

    #[test]
    fn a_pick_is_always_from_the_latest_set(
        round_robin: bool,
        sets in prop::collection::vec(prop::collection::vec(0..50_u32, 0..50), 1..20),
        reports in prop::collection::vec(0..4_u8, 20),
    ) {
        let strategy = BOTH[usize::from(round_robin)];
        let balancer = balancer(strategy, []);
        for set in sets {
            balancer.update(set.iter().copied());
            for report in &reports {
                let Ok(pick) = balancer.pick() else {
                    prop_assert!(set.is_empty());
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
