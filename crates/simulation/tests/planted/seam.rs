//! What is planted between a link and its ensemble.

use oracle::{Invariant, judge};
use simulation::{Planted, generate, plant, run_with};

use super::{SEEDS, assert_all_pass_without_it};

/// Plants a mistake into every process until one of these promises is broken.
fn is_found(planted: Planted, expected: &[Invariant]) {
    for seed in 1..=SEEDS {
        let run = run_with(&generate(seed), &|ensemble| plant(planted, ensemble));
        let broken = judge(&run.history).violations;
        if broken.is_empty() {
            continue;
        }
        let first = &broken[0];
        println!("{planted}: found by seed {seed}: {first}");
        assert!(broken.iter().any(|one| expected.contains(&one.invariant)), "{planted}: {broken:?}");
        return assert_all_pass_without_it(seed);
    }
    panic!("{planted}: not found in {SEEDS} seeds");
}

#[test]
fn node_exists_taken_for_success_is_found() {
    is_found(Planted::NodeExistsIsSuccess, &[Invariant::I6]);
}

#[test]
fn a_watch_that_is_not_set_again_is_found() {
    is_found(Planted::WatchNotSetAgain, &[Invariant::Exact, Invariant::I2, Invariant::I9]);
}

#[test]
fn a_znode_that_is_recreated_on_every_reconnect_is_found() {
    is_found(Planted::RecreatedOnReconnect, &[Invariant::I7]);
}

#[test]
fn a_take_over_by_delete_and_then_create_is_found() {
    is_found(Planted::TakeOverInTwoSteps, &[Invariant::I7]);
}
