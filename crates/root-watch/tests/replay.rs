//! A seed replays a run, with all its faults. Alone in its program: tests in other threads would disturb the log.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::io;
use std::sync::Arc;

use common::bad_day::bad_day;
use parking_lot::Mutex;

/// The lines of a log.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What the machine was told and asked for on that day.
fn trace(seed: u64) -> String {
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter("root_watch=trace")
        .with_ansi(false)
        .without_time()
        .with_writer(move || writer.clone())
        .finish();
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    tracing::subscriber::with_default(subscriber, || runtime.block_on(bad_day(seed)));
    let lines = std::mem::take(&mut *lines.0.lock());
    String::from_utf8(lines).unwrap()
}

#[test]
fn a_seed_gives_the_same_inputs_and_effects_again() {
    for seed in 0..4 {
        let log = trace(seed);
        assert!(log.matches(" input ").count() > 200 && log.matches(" effect ").count() > 200);
        assert!(log == trace(seed), "seed {seed} differs");
        assert_ne!(log, trace(seed + 4));
    }
}
