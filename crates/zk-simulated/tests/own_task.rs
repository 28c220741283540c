//! The example finds what it says that it finds.

#![allow(dead_code, missing_docs, reason = "the example is a program")]

#[path = "../examples/own_task.rs"]
mod example;

use std::panic::{AssertUnwindSafe, catch_unwind};

use zk_simulated::for_each_seed;

#[test]
fn seeds_find_the_naive_lease_and_pass_the_careful_one() {
    let naive = || for_each_seed(0..100, async |seed| example::bad_day(seed, example::naive).await);
    assert!(catch_unwind(AssertUnwindSafe(naive)).is_err(), "a hundred seeds find the bug");
    for_each_seed(0..100, async |seed| example::bad_day(seed, example::careful).await);
}
