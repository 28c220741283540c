//! A day on which everything happens, by seed.

use std::time::Duration;

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use root_watch::Lists;
use zk_core::EventKind;
use zk_simulated::{Chaos, Operator, SimulatedEnsemble, Version, builder};

use super::{ROOT, User, config, ms, names, root};

fn ensemble(seed: u64) -> SimulatedEnsemble {
    match seed % 4 {
        0 => builder(seed).version(Version::V3_4).build(),
        1 => builder(seed).event_zxids(true).build(),
        2 => builder(seed).event_capacity(8).build(),
        _ => builder(seed).reply_lag(ms(0)..=ms(30)).build(),
    }
}

/// Some minutes in which everything happens, and a calm one: then the set is right.
pub(crate) async fn bad_day(seed: u64) {
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
