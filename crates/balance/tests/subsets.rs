//! Subsets: each client prefers a few of many endpoints, and the endpoints have about as many clients each.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::collections::BTreeSet;

use balance::{Balancer, EntryChange, Failure, Rng, Strategy};
use support::{SIGNIFICANCE, config, upper_tail};

const CLIENTS: usize = 200;
const SIZE: usize = 10;

fn client(name: &str, set: impl IntoIterator<Item = usize>) -> Balancer<usize, ()> {
    let balancer = Balancer::new(config(Strategy::RoundRobin).with_subset(SIZE, name).unwrap());
    balancer.update(set.into_iter().map(|key| (key, ())));
    balancer
}

fn clients(set: usize) -> Vec<Balancer<usize, ()>> {
    (0..CLIENTS).map(|number| client(&format!("client {number}"), 0..set)).collect()
}

/// What a client picks.
fn subset(balancer: &Balancer<usize, ()>) -> BTreeSet<usize> {
    let mut reader = balancer.reader();
    (0..3 * SIZE).map(|_| *reader.choose().unwrap().key()).collect()
}

/// Asserts that the number of clients of each endpoint of the set is that of independent random subsets.
///
/// Such a number has the variance `p (1 - p)` for each client; as a subset has a fixed size, they are correlated, by
/// `- 1 / (set - 1)`, and the sum of squares has to be scaled so much.
#[track_caller]
fn assert_balanced(clients: &[Balancer<usize, ()>], set: &BTreeSet<usize>) {
    let mut counts = vec![0; set.last().unwrap() + 1];
    for client in clients {
        let subset = subset(client);
        assert_eq!(subset.len(), SIZE);
        subset.into_iter().for_each(|key| counts[key] += 1);
    }
    let (clients, len) = (clients.len() as f64, set.len() as f64);
    let p = SIZE as f64 / len;
    let square = |key: &usize| (f64::from(counts[*key]) - clients * p).powi(2);
    let statistic = set.iter().map(square).sum::<f64>() / (clients * p * (1.0 - p)) * (len - 1.0) / len;
    let p = upper_tail(statistic, len - 1.0);
    assert!(p > SIGNIFICANCE, "p = {p:e}: {counts:?}");
    assert_eq!(counts.iter().sum::<i32>() as usize, CLIENTS * SIZE, "nobody else is picked");
}

#[test]
fn endpoints_have_as_many_clients_as_chance_has_it() {
    for set in [20, 100, 300] {
        assert_balanced(&clients(set), &(0..set).collect());
    }
}

#[test]
#[should_panic(expected = "p = ")]
fn the_check_rejects_subsets_that_are_alike() {
    let clients: Vec<_> =
        (0..CLIENTS).map(|number| client(&format!("client {}", number % 40), 0..100)).collect();
    assert_balanced(&clients, &(0..100).collect());
}

#[test]
fn they_stay_balanced_and_a_change_moves_at_most_one_member_of_each() {
    let clients = clients(100);
    let mut set: BTreeSet<_> = (0..100).collect();
    let mut subsets: Vec<_> = clients.iter().map(subset).collect();
    let mut rng = Rng::new(1);
    for step in 0..100 {
        let change = if step % 2 == 0 {
            let gone = *set.iter().nth(rng.below(set.len())).unwrap();
            set.remove(&gone);
            EntryChange::Remove(gone)
        } else {
            set.insert(100 + step);
            EntryChange::Insert(100 + step, ())
        };
        for (client, before) in clients.iter().zip(&mut subsets) {
            client.apply([change.clone()]);
            let after = subset(client);
            assert!(before.difference(&after).count() <= 1 && after.difference(before).count() <= 1);
            if let EntryChange::Insert(key, ()) = change {
                assert!(after.difference(before).all(|came| *came == key));
            }
            *before = after;
        }
    }
    assert_balanced(&clients, &set);
}

#[test]
fn two_balancers_with_the_name_of_one_client_agree() {
    let one = client("client", 0..100);
    let other = client("client", (50..150).rev());
    for key in 0..50 {
        other.apply([EntryChange::Insert(key, ()), EntryChange::Remove(149 - key)]);
    }
    assert_eq!(subset(&one), subset(&other));
    assert_ne!(subset(&one), subset(&client("another client", 0..100)));
}

#[test]
fn a_set_no_larger_than_the_subset_is_used_whole() {
    for set in [1, SIZE] {
        assert_eq!(subset(&client("client", 0..set)), (0..set).collect());
    }
}

#[test]
fn where_nobody_of_the_subset_is_in_service_the_whole_set_is_used() {
    let balancer = client("client", 0..100);
    let members = subset(&balancer);
    let mut reader = balancer.reader();
    for member in &members {
        reader.pick_where(|key| key == member).unwrap().fail(Failure::Refused);
    }
    let picked: BTreeSet<_> = (0..90).map(|_| *reader.choose().unwrap().key()).collect();
    assert_eq!(picked, (0..100).filter(|key| !members.contains(key)).collect());
}
