//! Views of an ensemble in virtual time, with faults at random, by seed.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod virtual_time;

use std::collections::BTreeSet;
use std::time::Duration;

use discovery::{Discovery, DiscoveryConfig, Records};
use rand::SeedableRng;
use rand::rngs::SmallRng;
use tokio::time::{Instant, sleep};
use virtual_time::{bad_day, collect, config, node, ports, ports_become, view_where};
use zk_core::Zk;
use zk_simulated::{SimulatedEnsemble, Version, builder};

fn assert_subsequence(seen: &[BTreeSet<u16>], truth: &[BTreeSet<u16>], what: &str) {
    let mut at = 0;
    for (step, ports) in seen.iter().enumerate() {
        let found = truth[at..].iter().position(|there| there == ports);
        at += found.unwrap_or_else(|| panic!("{what}: view {step}, {ports:?}, was not true after {at}"));
    }
}

#[tokio::test(start_paused = true)]
async fn every_view_of_a_bad_day_was_true_once_and_in_order_and_the_last_one_is_true() {
    for seed in 0..20 {
        for version in [Version::V3_8, Version::V3_4] {
            for records in [Records::NamesOnly, Records::Read] {
                let what = format!("seed {seed}, {version:?}, {records:?}");
                let ensemble = builder(seed).version(version).build();
                // Without settling and holding each view is what one list could have returned.
                let config = config().with_settle(Duration::ZERO).unwrap().with_hold(Duration::ZERO).unwrap();
                let discovery = Discovery::start(&ensemble.zk(), config.with_records(records));
                let collecting = collect(&discovery, ports);
                let truth = bad_day(&ensemble, &mut SmallRng::seed_from_u64(seed)).await;
                ports_become(&discovery, truth.last().unwrap().iter().copied()).await;
                discovery.shutdown().await;
                let seen = collecting.await.unwrap();
                assert!(seen.len() > 20, "{what}: {} views", seen.len());
                // Instances that wait for their records show later than others.
                if records == Records::NamesOnly {
                    assert_subsequence(&seen, &truth, &what);
                }
            }
        }
    }
}

/// An ensemble with instances of one owner, whose records have weight 7, and a view of them.
async fn follow_three(
    change: impl FnOnce(DiscoveryConfig) -> DiscoveryConfig,
) -> (SimulatedEnsemble, zk_simulated::Operator, Zk, Discovery) {
    let ensemble = SimulatedEnsemble::new(7);
    let owner = ensemble.operator();
    for port in 1..=3 {
        owner.create_ephemeral(node(port), r#"{"Weight":7}"#).unwrap();
    }
    let zk = ensemble.zk();
    let discovery = Discovery::start(&zk, change(config()));
    ports_become(&discovery, 1..=3).await;
    (ensemble, owner, zk, discovery)
}

#[tokio::test(start_paused = true)]
async fn a_told_leave_of_all_shows_at_once_and_is_not_held() {
    let (_ensemble, owner, _zk, discovery) = follow_three(|config| config).await;
    let held = collect(&discovery, |view| Some(view.held));
    let started = Instant::now();
    for port in 1..=3 {
        owner.write_and_delete(node(port), "").unwrap();
    }
    ports_become(&discovery, []).await;
    assert!(started.elapsed() < DiscoveryConfig::DEFAULT_SETTLE, "{:?}", started.elapsed());
    discovery.shutdown().await;
    assert!(held.await.unwrap().iter().all(|held| *held == 0));
}

#[tokio::test(start_paused = true)]
async fn the_end_of_a_session_and_deletions_by_hand_are_held() {
    for by_hand in [false, true] {
        let (_ensemble, owner, _zk, discovery) = follow_three(|config| config).await;
        let started = Instant::now();
        if by_hand {
            (1..=3).for_each(|port| owner.delete(node(port)).unwrap());
        } else {
            owner.expire();
        }
        let held = view_where(&discovery, |view| view.held == 3).await;
        assert_eq!(ports(&held), Some((1..=3).collect()));
        ports_become(&discovery, []).await;
        assert!(started.elapsed() >= Duration::from_secs(12), "{:?}", started.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn a_lost_event_is_found_at_the_next_audit_whichever_it_is() {
    use zk_core::EventKind::{Created, DataChanged, Deleted};
    let interval = Duration::from_secs(10);
    for kind in [Created, Deleted, DataChanged] {
        let (ensemble, owner, _zk, discovery) =
            follow_three(|config| config.with_records(Records::Read).with_audit_interval(interval).unwrap())
                .await;
        let port = if kind == Created { 4 } else { 1 };
        let swallowed = ensemble.swallow_event(&node(port).parse().unwrap(), kind);
        let started = Instant::now();
        match kind {
            Created => drop(owner.create_ephemeral(node(4), "").unwrap()),
            Deleted => owner.delete(node(1)).unwrap(),
            _ => drop(owner.set_data(node(1), r#"{"Weight":8}"#).unwrap()),
        }
        owner.create_ephemeral(node(5), "").unwrap();
        view_where(&discovery, |view| ports(view).unwrap().contains(&5)).await;
        assert!(swallowed.fired());
        let expected: BTreeSet<_> = match kind {
            Created => 1..=5,
            Deleted => 2..=5,
            _ => 1..=5,
        }
        .filter(|port| *port != 4 || kind == Created)
        .collect();
        let weight = if kind == DataChanged { 8 } else { 7 };
        view_where(&discovery, |view| {
            let two = view
                .snapshot
                .as_ref()
                .unwrap()
                .instances()
                .find(|i| i.endpoint().port() < 3)
                .unwrap()
                .weight();
            view.is_live() && ports(view).as_ref() == Some(&expected) && two == weight
        })
        .await;
        // The interval varies by a quarter, and records are read over half of it.
        assert!(started.elapsed() < interval * 2, "{kind:?}: {:?}", started.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn an_instance_never_shows_defaults_because_the_set_was_empty_for_a_moment() {
    let ensemble = SimulatedEnsemble::new(7);
    let discovery = Discovery::start(&ensemble.zk(), config().with_records(Records::Read));
    let weights = collect(&discovery, |view| {
        let all = view.snapshot.as_ref()?;
        Some(all.instances().map(|instance| instance.weight()).collect::<Vec<_>>())
    });
    // Round trips that take longer than a removal settles.
    ensemble.set_round_trip(Duration::from_millis(40)..=Duration::from_millis(60));
    for pause in [0, 10, 50, 500] {
        let server = ensemble.operator();
        server.create_ephemeral(node(1), r#"{"Weight":7}"#).unwrap();
        ports_become(&discovery, [1]).await;
        server.expire();
        sleep(Duration::from_millis(pause)).await;
    }
    let server = ensemble.operator();
    server.create_ephemeral(node(1), r#"{"Weight":7}"#).unwrap();
    ports_become(&discovery, [1]).await;
    discovery.shutdown().await;
    let seen = weights.await.unwrap();
    assert!(seen.len() > 4, "{seen:?}");
    assert!(seen.iter().flatten().all(|weight| *weight == 7), "{seen:?}");
}
