//! The same seed gives the same run.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::time::Duration;

use rand::RngExt;
use simulation::{Chaos, SimulatedEnsemble, builder};
use tokio::time::{sleep, timeout};
use zk_core::{Acl, Zk, ZnodePath};

/// Creates, writes, lists and deletes at random for a minute, whatever fails.
async fn wander(zk: Zk, root: ZnodePath) {
    let mut rng = zk.sources().rng();
    let work = async {
        loop {
            let Ok(connection) = zk.connected().await else { return };
            let path = root.join(&rng.random_range(0..5).to_string()).unwrap();
            let data = rng.random_range(0..100).to_string();
            let _ = match rng.random_range(0..6) {
                0 => connection.create_ephemeral(&path, data.as_bytes(), Acl::Open).await.map(drop),
                1 => connection.set_data(&path, data.as_bytes(), None).await.map(drop),
                2 => connection.delete(&path, None).await,
                3 => connection.write_and_delete(&path, 0, b"bye").await,
                4 => connection.children(&root).await.map(drop),
                _ => match connection.watch_recursive(&root).await {
                    Ok(mut watch) => {
                        let _ = timeout(Duration::from_millis(50), watch.next()).await;
                        Ok(())
                    }
                    Err(error) => Err(error),
                },
            };
            sleep(Duration::from_micros(rng.random_range(0..20_000))).await;
        }
    };
    let _ = timeout(Duration::from_secs(60), work).await;
}

fn run(seed: u64) -> Vec<String> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let ensemble: SimulatedEnsemble = builder(seed).event_zxids(true).build();
        let operator = ensemble.operator();
        operator.create("/root", "").unwrap();
        ensemble.random_faults(Chaos::bad_day());
        let root = ZnodePath::parse("/root").unwrap();
        let others: Vec<_> = (0..2).map(|_| tokio::spawn(wander(ensemble.zk(), root.clone()))).collect();
        for n in 0..500 {
            let _ = operator.create_ephemeral("/root/0", n.to_string());
            sleep(Duration::from_millis(50)).await;
            let _ = operator.delete("/root/0");
        }
        for other in others {
            other.await.unwrap();
        }
        ensemble.log()
    })
}

#[test]
fn the_same_seed_gives_the_same_log_and_another_seed_another_one() {
    let (first, second, other) = (run(7), run(7), run(8));
    let difference = first.iter().zip(&second).position(|(one, other)| one != other);
    assert_eq!(difference.map(|at| (&first[at], &second[at])), None);
    assert_eq!(first.len(), second.len());
    assert_ne!(first, other);
    for happened in
        ["expired", "LoseReply", "Ignore", "CutBefore", "CutAfter", "Delay", "is told", "operator"]
    {
        assert!(first.iter().any(|line| line.contains(happened)), "{happened}");
    }
}
