//! A seed replays a run, and a plan is a value.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use simulation::{Plan, generate, run};

#[test]
fn a_seed_replays_its_run() {
    for seed in 100..108 {
        let plan = generate(seed);
        let (first, second) = (run(&plan), run(&plan));
        let differs = first.story().into_iter().zip(second.story()).find(|(one, other)| one != other);
        assert_eq!(differs, None, "seed {seed}");
        assert_eq!(first.story().len(), second.story().len(), "seed {seed}");
        assert_eq!(json(&first.history), json(&second.history), "seed {seed}");
        assert_eq!(first.faults, second.faults, "seed {seed}");
    }
}

#[test]
fn another_seed_makes_another_run() {
    let plan = generate(100);
    // Not only another plan: delays and choices follow from the seed, too.
    let other = Plan { seed: 101, ..plan.clone() };
    assert_ne!(json(&run(&plan).history), json(&run(&other).history));
}

#[test]
fn a_plan_survives_json() {
    for seed in 0..200 {
        let plan = generate(seed);
        let back: Plan = serde_json::from_str(&serde_json::to_string_pretty(&plan).unwrap()).unwrap();
        assert_eq!(back, plan);
    }
}

fn json(history: &oracle::History) -> String {
    serde_json::to_string(history).unwrap()
}
