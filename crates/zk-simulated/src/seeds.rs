//! Runs a test once for each of many seeds.

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use tokio::runtime::Builder;

use crate::latest_log;

/// The variable that names the one seed to run.
const SEED: &str = "SEED";

/// How many lines of the log show what led to a failure.
const SHOWN: usize = 60;

/// Runs `test` once for each seed, each time on a runtime of its own with one thread and in virtual time: hours take
/// moments, and the same seed does the same again.
///
/// ```
/// use zk_simulated::{Chaos, SimulatedEnsemble, for_each_seed};
///
/// for_each_seed(0..100, async |seed| {
///     let ensemble = SimulatedEnsemble::new(seed);
///     ensemble.random_faults(Chaos::bad_day());
///     let zk = ensemble.zk();
///     let connection = zk.connected().await.expect("nobody closes the link");
///     assert!(connection.session().timeout > std::time::Duration::ZERO);
/// });
/// ```
///
/// With the variable `SEED` it runs that one only, whatever the range.
///
/// # Panics
/// If `test` does, after it has said on standard error with which seed, and what has happened last at the ensemble that the test
/// built last; if `SEED` is no number; and inside a tokio runtime.
pub fn for_each_seed(seeds: Range<u64>, test: impl AsyncFn(u64)) {
    let seeds = match std::env::var(SEED) {
        Ok(text) => match text.trim().parse() {
            Ok(seed) => seed..=seed,
            Err(_) => panic!("{SEED}={text:?}: expected a number from 0 to 2^64 - 1"),
        },
        Err(_) if seeds.is_empty() => return,
        Err(_) => seeds.start..=seeds.end - 1,
    };
    for seed in seeds {
        latest_log::keep(true);
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| run(seed, &test))) {
            explain(seed);
            resume_unwind(panic);
        }
    }
    latest_log::keep(false);
}

fn run(seed: u64, test: &impl AsyncFn(u64)) {
    let runtime = Builder::new_current_thread().enable_time().start_paused(true).build();
    let runtime = runtime.expect("a runtime without I/O takes nothing from the system");
    runtime.block_on(test(seed));
}

fn explain(seed: u64) {
    eprintln!("\nIt failed with seed {seed}: {SEED}={seed} repeats it.");
    let Some(log) = latest_log::take() else { return };
    let skipped = log.len().saturating_sub(SHOWN);
    eprintln!("The last of what has happened at the ensemble ({skipped} lines before are not shown):");
    for line in &log[skipped..] {
        eprintln!("  {line}");
    }
}
