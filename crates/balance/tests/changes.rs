//! Changes of the set, and of the values in it.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::collections::BTreeMap;

use balance::{Balancer, BalancerConfig, EntryChange, Failure, Health};
use common::{Value, chosen, fail, status};
use proptest::prelude::*;

#[tokio::test(start_paused = true)]
async fn a_new_value_keeps_health_and_load_and_the_next_pick_has_it() {
    let balancer = Balancer::new(BalancerConfig::default());
    balancer.update([(1, Value::default()), (2, Value::default())]);
    let mut reader = balancer.reader();
    let in_flight = reader.pick_where(|key| *key == 1).unwrap();
    fail(&mut reader, 2, Failure::Timeout);
    for by_apply in [true, false] {
        let value = Value::weighing(if by_apply { 7 } else { 9 });
        if by_apply {
            balancer.apply([1, 2].map(|key| EntryChange::Insert(key, value.clone())));
        } else {
            balancer.update([1, 2].map(|key| (key, value.clone())));
        }
        let entry = reader.choose().unwrap();
        assert_eq!((*entry.key(), entry.value(), entry.weight()), (1, &value, value.weight));
        assert_eq!(entry.in_flight(), 1);
        assert_eq!(*reader.pick_where(|key| *key == 2).unwrap().value(), value);
        assert!(matches!(status(&balancer, 2).health, Health::Ejected { .. }));
    }
    // The pick has what was known when it was made, and reports to what is known now.
    assert_eq!(*in_flight.value(), Value::default());
    in_flight.fail(Failure::Timeout);
    assert!(matches!(status(&balancer, 1).health, Health::Ejected { .. }));
    assert_eq!(status(&balancer, 1).in_flight, 0);
}

#[test]
fn picks_see_all_or_nothing_of_some_changes() {
    let balancer = Balancer::new(BalancerConfig::default());
    balancer.apply([]);
    let mut reader = balancer.reader();
    assert_eq!(reader.choose().unwrap_err(), balance::PickError::NoInstances);
    balancer.apply([
        EntryChange::Insert(1, ()),
        EntryChange::Remove(1),
        EntryChange::Insert(2, ()),
        EntryChange::Remove(7),
    ]);
    assert_eq!(chosen(&mut reader), [2]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, ..ProptestConfig::default() })]

    #[test]
    fn changes_and_whole_sets_come_to_the_same(
        steps in prop::collection::vec((0..20_u32, prop::option::of(0..1000_u32)), 0..40),
    ) {
        let (by_changes, by_sets) = (Balancer::new(BalancerConfig::default()), Balancer::new(BalancerConfig::default()));
        let mut set = BTreeMap::new();
        let mut reader = by_changes.reader();
        let seen = |balancer: &Balancer<u32, Value>| -> BTreeMap<_, _> {
            balancer.status().into_iter().map(|status| (status.key, status)).collect()
        };
        for (key, weight) in steps {
            match weight {
                Some(weight) => {
                    set.insert(key, Value::weighing(weight));
                    by_changes.apply([EntryChange::Insert(key, Value::weighing(weight))]);
                }
                None => {
                    set.remove(&key);
                    by_changes.apply([EntryChange::Remove(key)]);
                }
            }
            by_sets.update(set.clone());
            prop_assert_eq!(seen(&by_changes), seen(&by_sets));
            let open = set.values().filter(|value| value.weight > 0).count();
            if open > 0 {
                let entry = reader.choose().unwrap();
                prop_assert_eq!(Some(entry.value()), set.get(entry.key()));
            } else {
                prop_assert!(reader.choose().is_err());
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn of_a_repeated_key_the_last_value_counts_and_no_other_is_looked_at() {
    let balancer = Balancer::new(BalancerConfig::default());
    balancer.update([(0, Value::of(7)), (1, Value::of(1))]);
    fail(&mut balancer.reader(), 0, Failure::Timeout);
    // In between is the value of another process, of which nothing is known.
    balancer.update([(0, Value::of(8)), (1, Value::of(1)), (0, Value::of(7))]);
    assert!(matches!(status(&balancer, 0).health, Health::Ejected { .. }));
}
