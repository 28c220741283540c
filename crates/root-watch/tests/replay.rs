//! A seed replays a run, with all its faults. Alone in its program: tests in other threads would disturb the log.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use common::bad_day::bad_day;
use zk_simulated::{assert_same_lines, recorded};

#[test]
fn a_seed_gives_the_same_inputs_and_effects_again() {
    for seed in 0..4 {
        let log = |seed| recorded(bad_day(seed)).1;
        let (one, again) = (log(seed), log(seed));
        assert_same_lines(&one, &again);
        for what in ["root_watch::driver: input ", "root_watch::driver: effect "] {
            assert!(one.iter().filter(|line| line.contains(what)).count() > 200, "{what}");
        }
        assert_ne!(one, log(seed + 4));
    }
}
