//! The same seed gives the same run. Alone in its program: tests in other threads disturb what is logged.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod virtual_time;

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use discovery::{Discovery, Records};
use rand::SeedableRng;
use rand::rngs::SmallRng;
use simulation::builder;
use tracing_subscriber::filter::LevelFilter;
use virtual_time::{bad_day, config, ports_become};

/// Collects log lines.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// All that was logged on a bad day, of all tasks in one stream, and what arrived at the ensemble.
fn run(seed: u64) -> (Vec<String>, Vec<String>) {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(LevelFilter::TRACE)
        .without_time()
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    let _subscribed = tracing::subscriber::set_default(subscriber);
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    let requests = runtime.block_on(async {
        let ensemble = builder(seed).reply_lag(Duration::ZERO..=Duration::from_millis(20)).build();
        let config =
            config().with_records(Records::Read).with_audit_interval(Duration::from_secs(5)).unwrap();
        let discovery = Discovery::start(ensemble.zk(), config);
        let truth = bad_day(&ensemble, &mut SmallRng::seed_from_u64(seed)).await;
        ports_become(&discovery, truth.last().unwrap().iter().copied()).await;
        discovery.shutdown().await;
        ensemble.log()
    });
    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    (text.lines().map(str::to_owned).collect(), requests)
}

#[test]
fn the_same_seed_gives_the_same_inputs_effects_and_requests() {
    let assert_equal = |once: &[String], again: &[String]| {
        for (number, (one, other)) in once.iter().zip(again).enumerate() {
            assert_eq!(one, other, "line {number}");
        }
        assert_eq!(once.len(), again.len());
    };
    for seed in 0..10 {
        let ((trace, requests), again) = (run(seed), run(seed));
        assert_equal(&requests, &again.1);
        assert_equal(&trace, &again.0);
        for target in ["discovery::watcher::driver: effect", "root_watch::driver: effect"] {
            let effects = trace.iter().filter(|line| line.contains(target)).count();
            assert!(effects > 100, "{target}: {effects} of {} lines", trace.len());
        }
    }
    assert_ne!(run(1).0, run(2).0);
}
