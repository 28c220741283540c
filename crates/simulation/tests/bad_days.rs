//! Fleets on bad days: by default as many as a plain `cargo test` can wait for.
//!
//! | variable | effect |
//! | --- | --- |
//! | `SEED=N` | this seed alone, with its plan and its history |
//! | `SEEDS=N` | so many seeds |
//! | `FROM=N` | they begin with this one |

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::env;
use std::str::FromStr;

use simulation::{Seeds, generate, judge_plan, report, run, run_seeds};

/// So many seeds take a few seconds without optimisation.
const SEEDS: u64 = 60;

fn variable<T: FromStr>(name: &str) -> Option<T> {
    let value = env::var(name).ok()?;
    Some(value.parse().unwrap_or_else(|_| panic!("{name}={value}: expected a number")))
}

#[test]
fn bad_days_break_no_promise() {
    match variable("SEED") {
        Some(seed) => replay(seed),
        None => run_many(variable("FROM").unwrap_or(1), variable("SEEDS").unwrap_or(SEEDS)),
    }
}

fn replay(seed: u64) {
    let plan = generate(seed);
    println!("{plan}\n{}\n", run(&plan).story().join("\n"));
    let is_good = judge_plan(&plan).failure.is_none();
    assert!(is_good, "\n{}", report(&plan, &format!("seed {seed}")));
}

fn run_many(first: u64, count: u64) {
    let tally =
        run_seeds(Seeds { first, count: Some(count), time: None, threads: None, until_failure: true });
    println!("{tally}");
    if let Some(failure) = tally.failures.first() {
        let seed = failure.seed;
        panic!("\n{}\n{}", failure.text, report(&generate(seed), &format!("seed {seed}")));
    }
    assert!(tally.is_green(), "{:?}", tally.lacks());
}
