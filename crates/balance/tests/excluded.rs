//! Picks by a strategy where most of the set may not be used.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use balance::{Balancer, Strategy};
use support::{Weight, assert_law, config, count};

#[test]
fn weights_count_also_where_those_that_weigh_most_are_excluded() {
    // Nine of ten draws, and 99 of 100 by weight, are of one that is excluded.
    let weight = |key: usize| if key < 90 { 1_000 } else { 10 * (key as u32 - 89) };
    let balancer = Balancer::new(config(Strategy::Weighted));
    balancer.update((0..100).map(|key| (key, Weight(weight(key)))));
    let mut reader = balancer.reader();
    let counts = count(10, 20_000, || *reader.pick_where(|key| *key >= 90).unwrap().key() - 90);
    assert_law("of the others", &counts, &(1..=10).map(f64::from).collect::<Vec<_>>());
}

#[test]
fn a_sticky_reader_stays_also_where_most_are_excluded() {
    let balancer = Balancer::new(config(Strategy::Sticky));
    balancer.update((0..1000).map(|key| (key, Weight(100))));
    let mut homes = [0; 10];
    for _ in 0..1000 {
        let mut reader = balancer.reader();
        let mut pick = || *reader.pick_where(|key| *key < 10).unwrap().key();
        let home = pick();
        assert!((0..20).all(|_| pick() == home));
        homes[home] += 1;
    }
    assert_law("homes", &homes, &[1.0; 10]);
}
