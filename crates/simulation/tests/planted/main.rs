//! The simulation finds bugs. Each test plants one, and says how many seeds it takes until the oracle sees it; the same seeds pass
//! without it.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod copy;
mod patch;
mod patches;
mod seam;
mod servers;

use simulation::{generate, judge_plan};

/// Within how many seeds each is found.
const SEEDS: u64 = 10_000;

/// Nothing is found in the seeds up to this one where nothing is planted.
fn assert_all_pass_without_it(up_to: u64) {
    let threads = std::thread::available_parallelism().map_or(1, |n| n.get() as u64);
    std::thread::scope(|scope| {
        for first in 1..=threads {
            scope.spawn(move || {
                for seed in (first..=up_to).step_by(threads as usize) {
                    let failure = judge_plan(&generate(seed)).failure;
                    assert!(failure.is_none(), "seed {seed} fails without it: {failure:?}");
                }
            });
        }
    });
}
