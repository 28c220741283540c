//! Threads that pick while another one swaps the set.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use balance::{Balancer, Config, Failure, PickError, Strategy};

const PICKERS: usize = 4;
const PICKS: u32 = 10_000;
const KEYS: u32 = 64;

/// Swaps sets of all lengths from 1 to [`KEYS`] under the pickers, with endpoint 0 in each of them.
fn swap_under_pickers(strategy: Strategy) -> Balancer<u32> {
    let balancer = Balancer::new(Config::new(strategy));
    balancer.update(0..KEYS);
    let running = AtomicUsize::new(PICKERS);
    thread::scope(|scope| {
        for picker in 0..PICKERS as u32 {
            let (balancer, running) = (&balancer, &running);
            scope.spawn(move || {
                for n in 0..PICKS {
                    let pick = balancer.pick().expect("no set is empty");
                    assert!(*pick.key() < KEYS);
                    match (n + picker) % 7 {
                        0 => pick.fail(Failure::Refused),
                        1 => pick.fail(Failure::Timeout),
                        2 => drop(pick),
                        _ => pick.succeed(),
                    }
                    match balancer.pick_excluding(&[0]) {
                        Ok(pick) => assert_ne!(*pick.key(), 0),
                        Err(error) => assert_eq!(error, PickError::AllExcluded),
                    }
                }
                running.fetch_sub(1, Ordering::Release);
            });
        }
        let mut len = 0;
        while running.load(Ordering::Acquire) > 0 {
            len = len % KEYS + 1;
            balancer.update((0..len).rev());
        }
    });
    balancer
}

#[test]
fn no_pick_fails_and_none_stays_in_flight_while_sets_are_swapped() {
    for strategy in [Strategy::Random, Strategy::RoundRobin] {
        let balancer = swap_under_pickers(strategy);
        balancer.update(0..KEYS);
        let status = balancer.status();
        assert_eq!(status.len(), KEYS as usize);
        assert!(status.iter().all(|status| status.in_flight == 0), "{status:?}");
    }
}

#[test]
fn round_robin_is_exact_across_threads() {
    let balancer = Balancer::new(Config::new(Strategy::RoundRobin));
    balancer.update(0..10_usize);
    let counts: Vec<AtomicUsize> = (0..10).map(|_| AtomicUsize::new(0)).collect();
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..10_000 {
                    let pick = balancer.pick().expect("the set is not empty");
                    counts[*pick.key()].fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    assert!(counts.iter().all(|count| count.load(Ordering::Relaxed) == 4_000), "{counts:?}");
}
