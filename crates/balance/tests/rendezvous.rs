//! Rendezvous hashing moves no more keys than it has to, and keeps its bound of the load.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::time::Duration;

use balance::{
    Balancer, BalancerConfig, EndpointInfo, EntryChange, Failure, Pick, Reader, Rendezvous, Rng, Strategy,
};
use support::{SIGNIFICANCE, Weight, assert_law, config, upper_tail};
use tokio::time::advance;

const KEYS: u64 = 5_000;

fn balancer(set: impl IntoIterator<Item = usize>) -> Balancer<usize, Weight> {
    let balancer = Balancer::new(config(Strategy::Rendezvous));
    balancer.update(set.into_iter().map(|key| (key, Weight(100))));
    balancer
}

/// The endpoint that an idle balancer picks for a key.
fn owner<V: EndpointInfo>(reader: &mut Reader<usize, V>, key: u64) -> usize {
    *reader.pick_for(&key).unwrap().key()
}

fn owners(balancer: &Balancer<usize, Weight>) -> Vec<usize> {
    let mut reader = balancer.reader();
    (0..KEYS).map(|key| owner(&mut reader, key)).collect()
}

/// The endpoints in the order in which they own a key, each when those before have left.
fn order(size: usize, key: u64) -> Vec<usize> {
    let balancer = balancer(0..size);
    let mut reader = balancer.reader();
    let next = |_| {
        let owner = owner(&mut reader, key);
        balancer.apply([EntryChange::Remove(owner)]);
        owner
    };
    (0..size).map(next).collect()
}

#[test]
fn an_endpoint_that_leaves_gives_its_keys_to_all_others_and_no_other_key_moves() {
    const SIZE: usize = 20;
    let balancer = balancer(0..SIZE);
    let before = owners(&balancer);
    let mut heirs = vec![0; SIZE];
    for gone in 0..SIZE {
        balancer.apply([EntryChange::Remove(gone)]);
        for (before, after) in before.iter().zip(owners(&balancer)) {
            if *before == gone {
                heirs[(after + SIZE - gone) % SIZE] += 1;
            } else {
                assert_eq!(after, *before);
            }
        }
        balancer.apply([EntryChange::Insert(gone, Weight(100))]);
    }
    assert_eq!(owners(&balancer), before);
    let evenly: Vec<_> = (0..SIZE).map(|distance| f64::from(distance > 0)).collect();
    assert_law("heirs", &heirs, &evenly);
}

#[test]
fn an_endpoint_that_comes_takes_its_share_of_the_keys_and_no_other_key_moves() {
    for size in [1, 2, 3, 20] {
        let balancer = balancer(0..size);
        let before = owners(&balancer);
        balancer.apply([EntryChange::Insert(size, Weight(100))]);
        let mut counts = [0; 2];
        for (before, after) in before.into_iter().zip(owners(&balancer)) {
            assert!(after == before || after == size);
            counts[usize::from(after == size)] += 1;
        }
        assert_law(size, &counts, &[size as f64, 1.0]);
    }
}

#[test]
fn two_balancers_agree_on_every_key_in_whatever_order_they_came_to_know_the_set() {
    let one = balancer(0..50);
    let other = Balancer::new(config(Strategy::Rendezvous).with_seed(99));
    // Weights play no part, but change the order inside.
    for key in (0..70).rev() {
        other.apply([EntryChange::Insert(key, Weight(key as u32 + 1))]);
    }
    for key in 50..70 {
        other.apply([EntryChange::Remove(key)]);
    }
    assert_eq!(owners(&one), owners(&other));
}

#[tokio::test(start_paused = true)]
async fn a_key_whose_owner_is_ejected_goes_to_the_next_in_line_and_back() {
    for key in 0..20 {
        let (balancer, order) = (balancer(0..5), order(5, key));
        let mut reader = balancer.reader();
        for expected in &order[..4] {
            let pick = reader.pick_for(&key).unwrap();
            assert_eq!(pick.key(), expected);
            pick.fail(Failure::Timeout);
        }
        assert_eq!(owner(&mut reader, key), order[4]);
        advance(Duration::from_millis(300)).await;
        // The ejections are over, and one after the other is tried.
        for _ in 0..4 {
            let trial = (0..30).map(|_| reader.pick().unwrap()).find(Pick::is_trial).unwrap();
            trial.succeed();
        }
        assert_eq!(owner(&mut reader, key), order[0]);
    }
}

#[test]
fn an_owner_at_its_limit_of_calls_is_passed_over_for_the_next_in_line() {
    for key in 0..20 {
        let balancer = Balancer::new(config(Strategy::Rendezvous).with_max_in_flight(1).unwrap());
        balancer.update((0..5).map(|key| (key, Weight(100))));
        let mut reader = balancer.reader();
        let calls: Vec<_> = (0..5).map(|_| reader.pick_for(&key).unwrap()).collect();
        assert_eq!(calls.iter().map(|call| *call.key()).collect::<Vec<_>>(), order(5, key));
        assert!(reader.pick_for(&key).is_err());
    }
}

/// The bound, with `total` calls in flight of which one is the new one.
fn bound(total: usize, size: usize) -> usize {
    (1.25 * total as f64 / size as f64).ceil().max(2.0) as usize
}

#[test]
fn a_hot_key_spills_down_its_line_as_soon_as_the_bound_is_reached() {
    for (size, key) in [(1, 1), (2, 2), (3, 3), (5, 4), (5, 5), (20, 6)] {
        let (balancer, order) = (balancer(0..size), order(size, key));
        let (mut reader, mut calls, mut loads) = (balancer.reader(), Vec::new(), vec![0; size]);
        for total in 1..=10 * size {
            let bound = bound(total, size);
            let expected = *order.iter().find(|endpoint| loads[**endpoint] < bound).unwrap();
            let call = reader.pick_for(&key).unwrap();
            assert_eq!(*call.key(), expected, "{loads:?}");
            loads[expected] += 1;
            calls.push(call);
        }
    }
}

#[test]
fn no_endpoint_ever_gets_a_call_beyond_the_bound() {
    for size in [2, 3, 10, 100] {
        let balancer = balancer(0..size);
        let (mut rng, mut readers) = (Rng::new(1), [balancer.reader(), balancer.reader()]);
        let mut calls: Vec<Pick<usize, Weight>> = Vec::new();
        let owners: Vec<_> = (0..100).map(|key| owner(&mut readers[0], key)).collect();
        let mut at_owner = 0;
        for step in 0..2_000 {
            // As many begin as end, around a number that goes up and down.
            let wanted = size * (1 + step / 100 % 10);
            if calls.len() > wanted || (calls.len() == wanted && rng.unit() < 0.5) {
                drop(calls.swap_remove(rng.below(calls.len())));
                continue;
            }
            // Few keys, most of them rare.
            let most = 1 + rng.below(100);
            let key = rng.below(most);
            let call = readers[step % 2].pick_for(&(key as u64)).unwrap();
            let load = call.entry().in_flight() as usize;
            assert!(load <= bound(calls.len() + 1, size), "{load} of {}", calls.len() + 1);
            at_owner += usize::from(*call.key() == owners[key]);
            calls.push(call);
        }
        assert!(at_owner > 200, "{at_owner}");
    }
}

#[test]
fn without_a_bound_a_key_stays_where_it_is() {
    let balancer = balancer(0..10);
    let mut reader = balancer.reader_with(Rendezvous { load_bound: f64::INFINITY });
    let calls: Vec<_> = (0..100).map(|_| reader.pick_for("key").unwrap()).collect();
    assert!(calls.iter().all(|call| call.key() == calls[0].key()));
}

#[test]
fn a_bound_that_cannot_be_kept_leaves_the_call_with_the_owner() {
    for load_bound in [0.0, -1.0, f64::NAN] {
        let balancer = balancer(0..3);
        let mut reader = balancer.reader_with(Rendezvous { load_bound });
        let calls: Vec<_> = (0..30).map(|_| reader.pick_for("key").unwrap()).collect();
        let loads = (0..3).map(|key| calls.iter().filter(|call| *call.key() == key).count());
        let mut loads: Vec<_> = loads.collect();
        loads.sort_unstable();
        assert_eq!(loads, [2, 2, 26]);
    }
}

/// A server of the zone `here` or `there`.
struct Zoned(&'static str);

impl EndpointInfo for Zoned {
    fn tag(&self, name: &str) -> Option<&str> {
        (name == "zone").then_some(self.0)
    }
}

#[test]
fn a_zone_that_spills_over_gives_away_keys_and_not_now_one_call_now_another() {
    let zoned = |strategy| {
        let balancer = Balancer::new(BalancerConfig::new(strategy).with_seed(1).with_zone("zone", "here"));
        balancer.update((0..20).map(|key| (key, Zoned(if key < 10 { "here" } else { "there" }))));
        let mut reader = balancer.reader();
        // Half of the zone is out: 1.4 times 0.5 of the calls stay.
        for key in 0..5 {
            reader.pick_where(|candidate| *candidate == key).unwrap().fail(Failure::Timeout);
        }
        balancer
    };
    let balancer = zoned(Strategy::Rendezvous);
    let mut reader = balancer.reader();
    let first: Vec<_> = (0..KEYS).map(|key| owner(&mut reader, key)).collect();
    let mut other = zoned(Strategy::Rendezvous).reader();
    assert_eq!(first, (0..KEYS).map(|key| owner(&mut other, key)).collect::<Vec<_>>());
    let remote = first.iter().filter(|key| **key >= 10).count() as f64;
    let (mean, variance) = (0.3 * KEYS as f64, 0.21 * KEYS as f64);
    assert!(upper_tail((remote - mean).powi(2) / variance, 1.0) > SIGNIFICANCE, "{remote}");

    let balancer = zoned(Strategy::Sticky);
    let home = |_| {
        let mut reader = balancer.reader();
        let home = *reader.choose().unwrap().key();
        assert!((0..10).all(|_| *reader.choose().unwrap().key() == home));
        home
    };
    let homes: Vec<_> = (0..1_000).map(home).collect();
    let remote = homes.iter().filter(|key| **key >= 10).count() as u64;
    assert_law("readers", &[remote, 1_000 - remote], &[0.3, 0.7]);
}
