//! The simulation finds bugs. Each test plants one, and says how many seeds it takes until the oracle sees it; the same seeds pass
//! without it.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod copy;
mod patch;
mod patches;
mod seam;
mod servers;

use oracle::{Judgement, judge};
use simulation::{Plan, generate, run};

/// Within how many seeds each is found.
const SEEDS: u64 = 10_000;

/// What the oracle says of the seed as it is.
fn judge_unplanted(plan: &Plan) -> Judgement {
    judge(&run(plan).history)
}

/// Nothing is found in the seeds up to this one where nothing is planted.
fn assert_all_pass_without_it(up_to: u64) {
    let threads = std::thread::available_parallelism().map_or(1, |n| n.get() as u64);
    std::thread::scope(|scope| {
        for first in 0..threads {
            scope.spawn(move || {
                for seed in (0..=up_to).skip(first as usize).step_by(threads as usize) {
                    let judgement = judge_unplanted(&generate(seed));
                    assert!(judgement.violations.is_empty(), "seed {seed}: {:?}", judgement.violations);
                }
            });
        }
    });
}
