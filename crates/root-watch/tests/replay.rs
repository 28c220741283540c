//! A seed replays a run, with all its faults.

mod common;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use common::{ROOT, User, config, ms, names, root};
use parking_lot::Mutex;
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use root_watch::Lists;
use simulation::{Chaos, Operator, SimulatedEnsemble, Version, builder};
use zk_core::EventKind;

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

fn ensemble(seed: u64) -> SimulatedEnsemble {
    match seed % 4 {
        0 => builder(seed).version(Version::V3_4).build(),
        1 => builder(seed).event_zxids(true).build(),
        2 => builder(seed).event_capacity(8).build(),
        _ => builder(seed).reply_lag(ms(0)..=ms(30)).build(),
    }
}

/// Two minutes in which everything happens, and a calm one.
async fn bad_day(seed: u64) {
    let ensemble = ensemble(seed);
    let mut rng = SmallRng::seed_from_u64(seed);
    let operator = ensemble.operator();
    operator.create(ROOT, "").unwrap();
    let zk = ensemble.zk();
    ensemble.random_faults(Chaos { expire: 0.002, ..Chaos::bad_day() });
    let mut user = User::new(&zk, config(Lists::Always).with_audit_interval(Duration::from_secs(5)));
    for step in 0..400 {
        let name = rng.random_range(0..10).to_string();
        let path = root().join(&name).unwrap();
        match rng.random_range(0..20) {
            0..6 => drop(operator.create(&path, "")),
            6..10 => drop(operator.delete(&path)),
            10..12 => drop(operator.write_and_delete(&path, "gone")),
            12..14 => drop(operator.set_data(&path, "1")),
            14..16 => user.watch.read(step, vec![name]),
            16 => drop(ensemble.swallow_event(&path, EventKind::Created)),
            17 => ensemble.cut(),
            18 => empty(&operator, rng.random_bool(0.5)),
            _ => user.run_for(ms(rng.random_range(0..3_000))).await,
        }
        user.run_for(ms(rng.random_range(0..30))).await;
    }
    ensemble.random_faults(Chaos::default());
    operator.create(ROOT, "").ok();
    user.run_for(Duration::from_secs(60)).await;
    assert!(user.is_live(), "seed {seed}");
    assert_eq!(user.names, names(&operator), "seed {seed}");
}

/// Deletes all children, and perhaps the root, too.
fn empty(operator: &Operator, root_too: bool) {
    for name in names(operator) {
        operator.delete(root().join(&name).unwrap()).unwrap();
    }
    if root_too {
        let _ = operator.delete(ROOT);
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
    for seed in 0..8 {
        let log = trace(seed);
        assert!(log.matches(" input ").count() > 200 && log.matches(" effect ").count() > 200);
        assert!(log == trace(seed), "seed {seed} differs");
        assert_ne!(log, trace(seed + 8));
    }
}

#[tokio::test(start_paused = true)]
async fn the_set_is_right_after_every_bad_day() {
    for seed in 0..60 {
        bad_day(seed).await;
    }
}
