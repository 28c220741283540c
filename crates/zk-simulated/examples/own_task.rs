//! How to search a task of your own for faults: here, a worker of which one at a time may be active, which it knows by a lease, an
//! ephemeral znode that only one of them can create.
//!
//! The first try has a bug that is in many such recipes. `cargo run -p zk-simulated --example own_task` finds it, with the seed that
//! shows it, and then runs the second try for as many seeds.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use zk_core::{Acl, Connection, ErrorKind, Zk, ZnodePath};
use zk_simulated::{Chaos, SimulatedEnsemble, for_each_seed};

const SEEDS: u64 = 300;

/// How long after the last fault somebody has to hold the lease.
const SOON: Duration = Duration::from_secs(30);

/// How often a worker looks whether the lease is free.
const PAUSE: Duration = Duration::from_secs(1);

/// One try at a lease: returns whether it is ours.
pub(crate) type Try = for<'a> fn(&'a Connection, &'a ZnodePath) -> Taking<'a>;
pub(crate) type Taking<'a> = std::pin::Pin<Box<dyn Future<Output = bool> + Send + 'a>>;

/// The task under test. It is as it would be in production: a link, a loop, no clock of its own.
async fn worker(zk: Zk, lease: ZnodePath, take: Try, active: watch::Sender<bool>) {
    while let Ok(connection) = zk.connected().await {
        if take(&connection, &lease).await {
            active.send_replace(true);
            connection.ended().await;
            active.send_replace(false);
        } else {
            sleep(PAUSE).await;
        }
    }
}

/// The bug: after a reply that was lost, or a reconnect, the znode that "exists" may be our own. Then all wait for us.
pub(crate) fn naive<'a>(connection: &'a Connection, lease: &'a ZnodePath) -> Taking<'a> {
    Box::pin(async move { connection.create_ephemeral(lease, b"", Acl::Open).await.is_ok() })
}

/// Who finds the znode there looks whose it is.
pub(crate) fn careful<'a>(connection: &'a Connection, lease: &'a ZnodePath) -> Taking<'a> {
    Box::pin(async move {
        match connection.create_ephemeral(lease, b"", Acl::Open).await {
            Ok(_) => true,
            Err(error) if *error.kind() == ErrorKind::NodeExists => {
                let found = connection.stat(lease).await.ok().flatten();
                found.is_some_and(|stat| stat.ephemeral_owner == Some(connection.session().id))
            }
            Err(_) => false,
        }
    })
}

/// One bad day of three workers: never two at a time, and in the end one.
pub(crate) async fn bad_day(seed: u64, take: Try) {
    let ensemble = SimulatedEnsemble::new(seed);
    ensemble.operator().create("/jobs", "").expect("the tree is empty");
    let lease = ZnodePath::parse("/jobs/lease").expect("a path");

    let mut workers = JoinSet::new();
    let mut active = Vec::new();
    for _ in 0..3 {
        let (is_active, seen) = watch::channel(false);
        active.push(seen);
        workers.spawn(worker(ensemble.zk(), lease.clone(), take, is_active));
    }
    let count = || active.iter().filter(|active| *active.borrow()).count();

    ensemble.random_faults(Chaos::bad_day());
    for _ in 0..600 {
        sleep(Duration::from_millis(100)).await;
        assert!(count() <= 1, "{} workers are active", count());
    }
    ensemble.random_faults(Chaos::default());
    let healed = Instant::now();
    while count() != 1 {
        assert!(healed.elapsed() < SOON, "nobody is active {SOON:?} after the last fault");
        sleep(Duration::from_millis(100)).await;
    }
}

fn main() {
    let naive =
        catch_unwind(AssertUnwindSafe(|| for_each_seed(0..SEEDS, async |seed| bad_day(seed, naive).await)));
    println!("naive: {}", if naive.is_err() { "fails, see above" } else { "passes" });
    for_each_seed(0..SEEDS, async |seed| bad_day(seed, careful).await);
    println!("careful: passes");
}
