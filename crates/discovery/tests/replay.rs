//! The same seed gives the same run. Alone in its program: tests in other threads disturb what is logged.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod virtual_time;

use std::time::Duration;

use discovery::{Discovery, Records};
use rand::SeedableRng;
use rand::rngs::SmallRng;
use virtual_time::{bad_day, config, ports_become};
use zk_simulated::{assert_same_lines, builder, recorded};

/// All that was logged on a bad day, of all tasks in one stream, and what arrived at the ensemble.
fn run(seed: u64) -> (Vec<String>, Vec<String>) {
    let (requests, lines) = recorded(async {
        let ensemble = builder(seed).reply_lag(Duration::ZERO..=Duration::from_millis(20)).build();
        let config =
            config().with_records(Records::Read).with_audit_interval(Duration::from_secs(5)).unwrap();
        let discovery = Discovery::start(&ensemble.zk(), config);
        let truth = bad_day(&ensemble, &mut SmallRng::seed_from_u64(seed)).await;
        ports_become(&discovery, truth.last().unwrap().iter().copied()).await;
        discovery.shutdown().await;
        ensemble.log()
    });
    (lines, requests)
}

#[test]
fn the_same_seed_gives_the_same_inputs_effects_and_requests() {
    for seed in 0..10 {
        let ((trace, requests), again) = (run(seed), run(seed));
        assert_same_lines(&requests, &again.1);
        assert_same_lines(&trace, &again.0);
        for target in ["discovery::watcher::driver: effect", "root_watch::driver: effect"] {
            let effects = trace.iter().filter(|line| line.contains(target)).count();
            assert!(effects > 100, "{target}: {effects} of {} lines", trace.len());
        }
    }
    assert_ne!(run(1).0, run(2).0);
}
