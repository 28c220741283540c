//! The same seed gives the same run.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::time::Duration;

use rand::RngExt;
use tokio::time::{sleep, timeout};
use zk_core::{Acl, Zk, ZnodePath};
use zk_simulated::{Chaos, SimulatedEnsemble, Verb, builder};

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

fn in_virtual_time<T>(work: impl Future<Output = T>) -> T {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(work)
}

fn run(seed: u64) -> Vec<String> {
    in_virtual_time(async {
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

/// Fails at the first line that differs.
fn assert_same(first: &[String], second: &[String]) {
    let difference = first.iter().zip(second).position(|(one, other)| one != other);
    assert_eq!(difference.map(|at| (&first[at], &second[at])), None);
    assert_eq!(first.len(), second.len());
}

#[test]
fn the_same_seed_gives_the_same_log_and_another_seed_another_one() {
    let (first, second, other) = (run(7), run(7), run(8));
    assert_same(&first, &second);
    assert_ne!(first, other);
    for happened in
        ["expired", "LoseReply", "Ignore", "CutBefore", "CutAfter", "Delay", "is told", "operator"]
    {
        assert!(first.iter().any(|line| line.contains(happened)), "{happened}");
    }
}

const TASKS: usize = 40;

fn numbered(task: usize) -> ZnodePath {
    ZnodePath::parse(&format!("/root/{task}")).unwrap()
}

/// Many tasks share one link: each waits for a connection, sends a request, and waits for the end of the connection.
async fn wait_together(ensemble: &SimulatedEnsemble) {
    let zk = ensemble.zk();
    for task in 0..TASKS {
        let zk = zk.clone();
        tokio::spawn(async move {
            while let Ok(connection) = zk.connected().await {
                let _ = connection.set_data(&numbered(task), b"", None).await;
                connection.ended().await;
            }
        });
    }
    for _ in 0..10 {
        let writes = ensemble.requests(Verb::SetData).len();
        while ensemble.requests(Verb::SetData).len() < writes + TASKS {
            sleep(Duration::from_millis(1)).await;
        }
        // All replies have arrived, so that all tasks wait again.
        sleep(Duration::from_secs(1)).await;
        ensemble.cut();
    }
}

#[test]
fn tasks_that_wait_for_one_connection_or_its_end_go_on_in_the_order_in_which_they_began() {
    let ensemble = in_virtual_time(async {
        let ensemble = SimulatedEnsemble::new(7);
        ensemble.operator().create("/root", "").unwrap();
        wait_together(&ensemble).await;
        ensemble
    });
    let in_turn: Vec<_> = (0..TASKS).map(numbered).collect();
    for writes in ensemble.requests(Verb::SetData).chunks(TASKS) {
        assert_eq!(writes.iter().map(|write| write.path.clone()).collect::<Vec<_>>(), in_turn);
    }
}

/// The same, with requests under way when the connection ends, states that are followed, and watches that end with it.
fn crowd(seed: u64) -> Vec<String> {
    in_virtual_time(async {
        let ensemble = SimulatedEnsemble::new(seed);
        let (zk, root) = (ensemble.zk(), ZnodePath::parse("/root").unwrap());
        ensemble.operator().create("/root", "").unwrap();
        for task in 0..TASKS {
            let (zk, root) = (zk.clone(), root.clone());
            tokio::spawn(async move {
                let (mut states, mut rng) = (zk.states(), zk.sources().rng());
                while let Ok(connection) = zk.connected().await {
                    match task % 4 {
                        0 => while connection.data(&root).await.is_ok() {},
                        1 => while connection.watch_children(&numbered(task)).await.is_ok() {},
                        2 => {
                            if let Ok(mut watch) = connection.watch_recursive(&root).await {
                                while watch.next().await.is_some() {}
                            }
                            let _ = connection.create_ephemeral(&numbered(task), b"", Acl::Open).await;
                            sleep(Duration::from_millis(rng.random_range(0..5))).await;
                        }
                        _ => {
                            states.changed().await;
                            let _ = connection.stat(&numbered(task)).await;
                        }
                    }
                }
            });
        }
        let mut rng = ensemble.sources(99).rng();
        for _ in 0..20 {
            sleep(Duration::from_millis(rng.random_range(0..200))).await;
            ensemble.cut();
        }
        ensemble.log()
    })
}

#[test]
fn a_seed_replays_many_tasks_on_one_link() {
    for seed in 0..3 {
        let first = crowd(seed);
        assert!(first.len() > 1_000, "{} lines", first.len());
        for _ in 0..2 {
            assert_same(&first, &crowd(seed));
        }
    }
}
