use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::plan::Who;

const SEEDS: u64 = 2_000;

#[test]
fn every_plan_is_long_enough_and_none_is_much_longer() {
    let mut all = 0;
    for seed in 0..SEEDS {
        let plan = generate(seed);
        assert!(plan.steps.len() >= FEWEST_STEPS, "seed {seed}");
        let chaos: u64 = plan.steps.iter().map(|step| step.after_ms).sum();
        assert!((LEAST_CHAOS_MS..150_000).contains(&chaos), "seed {seed}: {chaos} ms");
        all += chaos;
    }
    let mean = all / SEEDS;
    assert!((40_000..70_000).contains(&mean), "{mean} ms");
}

#[test]
fn every_kind_of_fault_is_planned_often() {
    let mut kinds = BTreeMap::<_, u64>::new();
    for seed in 0..SEEDS {
        for step in generate(seed).steps {
            *kinds.entry(step.act.kind()).or_default() += 1;
        }
    }
    let planned: BTreeSet<_> = kinds.keys().copied().collect();
    assert_eq!(planned, Act::KINDS.into_iter().collect());
    let rare: Vec<_> = kinds.iter().filter(|(_, n)| **n < SEEDS / 4).collect();
    assert!(rare.is_empty(), "{rare:?}");
}

#[test]
fn a_plan_concerns_those_who_are_there() {
    for seed in 0..SEEDS {
        let Plan { spec, steps, .. } = generate(seed);
        let (servers, clients) = (spec.servers.len(), spec.clients.len());
        assert!((2..=5).contains(&servers) && (1..=4).contains(&clients), "seed {seed}");
        assert!(spec.session_timeout_ms >= 2 * spec.tick_ms && spec.session_timeout_ms <= 20 * spec.tick_ms);
        for step in steps {
            let (limit, n) = match step.act {
                Act::Isolate(Who::Server(n), _)
                | Act::Expire(Who::Server(n))
                | Act::Kill(n)
                | Act::Start(n) => (servers, n),
                Act::Isolate(Who::Client(n), _) | Act::Expire(Who::Client(n)) | Act::Release(n) => {
                    (clients, n)
                }
                Act::ServerDown(n, _) | Act::Behind(n, _, _) => (usize::from(spec.ensemble), n),
                _ => continue,
            };
            assert!(usize::from(n) < limit, "seed {seed}: {:?}", step.act);
        }
    }
}

#[test]
fn a_seed_makes_one_plan_and_another_makes_another() {
    for seed in 0..20 {
        assert_eq!(generate(seed), generate(seed));
        assert_ne!(generate(seed).steps, generate(seed + 1).steps);
    }
}

#[test]
fn calm_spells_let_bounds_be_judged() {
    let with_calm = (0..SEEDS)
        .filter(|seed| {
            let plan = generate(*seed);
            let calm = plan.spec.session_timeout_ms + CALM_BEYOND_TIMEOUT_MS;
            let mut now = 0;
            let mut quiet = 0;
            plan.steps.iter().any(|step| {
                now += step.after_ms;
                let calm = now >= quiet + calm && quiet > 0;
                quiet = quiet.max(now + step.act.lasts().unwrap_or(0));
                calm
            })
        })
        .count() as u64;
    assert!(with_calm > SEEDS / 2, "{with_calm}");
}
