//! Threads that pick while another one changes the set.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::thread;

use balance::{Balancer, BalancerConfig, EndpointInfo, EntryChange, Failure, Health, Pick, Reader, Strategy};

const READERS: usize = 4;
const PICKS: u32 = 1_000;
const KEYS: u32 = 64;

/// Says which key it belongs to.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Value {
    of: u32,
}

impl EndpointInfo for Value {
    fn weight(&self) -> u32 {
        1 + self.of % 7
    }
}

fn value(key: u32) -> (u32, Value) {
    (key, Value { of: key })
}

/// Only even keys are ever listed.
fn even(keys: impl Iterator<Item = u32>) -> impl Iterator<Item = (u32, Value)> {
    keys.filter(|key| key.is_multiple_of(2)).map(value)
}

fn was_listed(pick: &Pick<u32, Value>) -> bool {
    let key = *pick.key();
    key < KEYS && key.is_multiple_of(2) && pick.value().of == key
}

fn pick_and_report(mut reader: Reader<u32, Value>, number: u32) {
    for n in 0..PICKS {
        let chosen = reader.choose().expect("no set is empty");
        assert_eq!(chosen.value().of, *chosen.key());
        let pick = reader.pick_for(&n).expect("no set is empty");
        assert!(was_listed(&pick), "{pick:?}");
        match (n + number) % 7 {
            0 => pick.fail(Failure::Refused),
            1 => pick.fail(Failure::Timeout),
            2 => pick.fail(Failure::Overloaded),
            3 => drop(pick),
            _ => pick.succeed(),
        }
        match reader.pick_where(|key| *key != 0) {
            Ok(pick) => assert!(was_listed(&pick) && *pick.key() != 0, "{pick:?}"),
            Err(error) => assert_eq!(error, balance::PickError::AllExcluded),
        }
    }
}

/// Swaps sets of all lengths and makes single changes under the readers, with endpoint 0 in each of the sets.
fn change_under_readers(strategy: Strategy) -> Balancer<u32, Value> {
    let balancer = Balancer::new(BalancerConfig::new(strategy).with_seed(1));
    balancer.update(even(0..KEYS));
    let running = AtomicUsize::new(READERS);
    thread::scope(|scope| {
        for number in 0..READERS as u32 {
            let (reader, running) = (balancer.reader(), &running);
            scope.spawn(move || {
                // Also when it panics, or the writer would not end.
                let _ends = Ends(running);
                pick_and_report(reader, number);
            });
        }
        for len in (1..=KEYS).cycle() {
            if running.load(Ordering::Acquire) == 0 {
                break;
            }
            balancer.update(even((0..len).rev()));
            balancer.apply([EntryChange::Remove(len), EntryChange::Insert(0, Value { of: 0 })]);
            balancer.apply(even(len..KEYS).map(|(key, value)| EntryChange::Insert(key, value)));
        }
    });
    balancer
}

struct Ends<'a>(&'a AtomicUsize);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Release);
    }
}

#[test]
fn no_pick_fails_and_no_call_stays_in_flight_while_the_set_changes() {
    for strategy in Strategy::ALL {
        let balancer = change_under_readers(strategy);
        balancer.update(even(0..KEYS));
        let status = balancer.status();
        assert_eq!(status.len(), KEYS as usize / 2);
        assert!(status.iter().all(|status| status.in_flight == 0), "{strategy}: {status:?}");
        let is_tried = |health| matches!(health, Health::OnProbation { trial: true });
        assert!(!status.iter().any(|status| is_tried(status.health)), "{strategy}: {status:?}");
    }
}

#[test]
fn a_reader_made_before_a_change_sees_it_at_its_next_pick() {
    for strategy in Strategy::ALL {
        let balancer = Balancer::new(BalancerConfig::new(strategy).with_seed(1));
        balancer.update([value(0)]);
        let published = AtomicU32::new(0);
        thread::scope(|scope| {
            for _ in 0..2 {
                let (mut reader, published) = (balancer.reader(), &published);
                scope.spawn(move || {
                    let mut known = 0;
                    while known < PICKS {
                        // The sets of one endpoint each follow each other in the order of their keys.
                        known = published.load(Ordering::Acquire);
                        let chosen = *reader.choose().expect("no set is empty").key();
                        assert!(chosen >= known, "{strategy}: chose {chosen} after {known}");
                        let picked = *reader.pick_for("key").expect("no set is empty").key();
                        assert!(picked >= chosen, "{strategy}: picked {picked} after {chosen}");
                    }
                });
            }
            for key in 1..=PICKS {
                match key % 2 {
                    0 => balancer.update([value(key)]),
                    _ => balancer
                        .apply([EntryChange::Remove(key - 1), EntryChange::Insert(key, Value { of: key })]),
                }
                published.store(key, Ordering::Release);
            }
        });
    }
}
