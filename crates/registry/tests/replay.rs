//! A seed replays a run. One test, as what it captures must not be mixed with that of others.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod in_virtual_time;

use std::time::Duration;

use in_virtual_time::*;
use instance::Instance;
use rand::RngExt;
use tokio::time::sleep;
use zk_simulated::{Chaos, assert_same_lines, builder, recorded};

/// A bad minute of many registrations: updates, deregistrations, rivals, lost requests and sessions. Returns all that
/// was logged, of all tasks in one stream (what the keepers and the root watch were told and have asked for, for one), and
/// what the ensemble has seen.
fn run(seed: u64) -> (Vec<String>, Vec<String>) {
    let (requests, lines) = recorded(async {
        let service = Service::on(builder(seed));
        let mut rng = service.ensemble.sources(99).rng();
        let mut registrations: Vec<_> = (0..MANY).map(|i| service.register(i)).collect();
        let mut weights = vec![100; registrations.len()];
        all_registered(&registrations).await;
        service.ensemble.random_faults(Chaos::bad_day());
        let operator = service.ensemble.operator();
        for round in 0..60 {
            let i = rng.random_range(0..registrations.len());
            let (one, path) = (&registrations[i], registrations[i].path().clone());
            match rng.random_range(0..6) {
                0 => drop(operator.delete(&path)),
                1 => drop(operator.set_data(&path, "theirs")),
                2 => {
                    weights.remove(i);
                    drop(registrations.remove(i));
                }
                3 => {
                    weights.push(100);
                    registrations.push(service.register(1_000 + round));
                }
                _ => {
                    let endpoint = path.name().parse().unwrap();
                    weights[i] = 1_000 + round as u32;
                    one.update(Instance::new(endpoint).with_weight(weights[i])).unwrap();
                }
            }
            sleep(Duration::from_millis(rng.random_range(0..500))).await;
        }
        service.ensemble.random_faults(Chaos::default());
        for (registration, weight) in registrations.iter().zip(&weights) {
            service.all_true(std::slice::from_ref(registration), *weight).await;
        }
        service.registrar.shutdown(SOON).await.unwrap();
        assert_eq!(operator.children(ROOT), [""; 0], "seed {seed}");
        service.ensemble.log()
    });
    (lines, requests)
}

#[test]
fn the_same_seed_gives_the_same_effects_and_the_same_requests() {
    for seed in 0..2 {
        let (first, second) = (run(seed), run(seed));
        assert_same_lines(&first.1, &second.1);
        assert_same_lines(&first.0, &second.0);
        for effect in ["Create(", "Write {", "Leave {", "Delete {", "Report {", "Data(", "Lost"] {
            assert!(first.0.iter().any(|line| line.contains(effect)), "seed {seed} has no {effect}");
        }
    }
}
