//! What is told is counted, and not read again.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use common::{AUDIT, ROOT, User, config, lists, ms, names, root};
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use root_watch::Lists;
use tokio::task::JoinHandle;
use tokio::time::sleep;
use zk_core::{EventKind, ZnodePath};
use zk_simulated::{Operator, SimulatedEnsemble, Verb, builder};

/// Ensembles without and with zxids in their events.
fn ensembles(seed: u64) -> [SimulatedEnsemble; 2] {
    [builder(seed).build(), builder(seed).event_zxids(true).build()]
}

fn path(name: &str) -> ZnodePath {
    root().join(name).unwrap()
}

/// A root with the children `a` and `b`.
fn populate(operator: &Operator) {
    for name in ["a", "b"] {
        operator.create(path(name), "").unwrap();
    }
}

/// Somebody who creates or deletes a child about every 10 ms, while `active`.
fn churn(operator: Operator, seed: u64, active: Arc<AtomicBool>) -> JoinHandle<()> {
    tokio::spawn(async move {
        let mut rng = SmallRng::seed_from_u64(seed);
        loop {
            sleep(ms(rng.random_range(1..20))).await;
            let path = path(&format!("churn-{}", rng.random_range(0..20)));
            if active.load(Ordering::Relaxed) && operator.create(&path, "").is_err() {
                operator.delete(&path).unwrap();
            }
        }
    })
}

#[tokio::test(start_paused = true)]
async fn ten_changes_a_reconnect_and_three_audits_cost_no_list() {
    for seed in 0..20 {
        for ensemble in ensembles(seed) {
            let operator = ensemble.operator();
            populate(&operator);
            let zk = ensemble.zk();
            let mut user = User::live(&zk, config(Lists::Always)).await;
            assert_eq!(lists(&ensemble), 1);
            for number in 0..5 {
                operator.create(path(&number.to_string()), "").unwrap();
                user.run_for(ms(10)).await;
                operator.delete(path(&number.to_string())).unwrap();
            }
            user.run_for(ms(10)).await;
            ensemble.cut();
            user.run_until(|user| !user.is_live()).await;
            user.run_until(User::is_whole).await;
            user.run_until_audits(3).await;
            assert_eq!(lists(&ensemble), 1, "seed {seed}");
            // One look at the start, one after the reconnect, and one for each audit.
            assert_eq!(ensemble.requests(Verb::Stat).len(), 2);
            assert_eq!(ensemble.requests(Verb::Data).len(), 3);
            assert_eq!(user.names, names(&operator));
            assert_eq!(user.watch.lists(), 1);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_root_in_constant_change_is_not_listed_either() {
    for seed in 0..3 {
        for ensemble in ensembles(seed) {
            let operator = ensemble.operator();
            populate(&operator);
            let active = Arc::new(AtomicBool::new(true));
            let churn = churn(ensemble.operator(), seed, active.clone());
            let zk = ensemble.zk();
            let config = config(Lists::Always).with_audit_interval(Duration::from_secs(2));
            let mut user = User::live(&zk, config).await;
            for round in 1..4 {
                user.run_until_audits(3 * round).await;
                // No event is on its way when the link is cut, and nothing changes until the next watch is set.
                active.store(false, Ordering::Relaxed);
                user.run_for(ms(50)).await;
                ensemble.cut();
                while ensemble.requests(Verb::WatchRecursive).len() == round {
                    user.run_for(ms(1)).await;
                }
                active.store(true, Ordering::Relaxed);
                user.run_until(User::is_whole).await;
            }
            assert_eq!(lists(&ensemble), 1, "seed {seed}");
            assert!(user.log.len() > 1_000);
            churn.abort();
            user.run_for(ms(50)).await;
            assert_eq!(user.names, names(&operator));
        }
    }
}

/// Events overtake each reply by far more than the time between them: no round trip is quiet.
#[tokio::test(start_paused = true)]
async fn without_quiet_moments_an_audit_lists_unless_events_name_their_transactions() {
    for (ensemble, expected) in ensembles(7).into_iter().zip([4, 1]) {
        ensemble.set_reply_lag(ms(40)..=ms(60));
        let operator = ensemble.operator();
        populate(&operator);
        let churn = churn(ensemble.operator(), 7, Arc::new(AtomicBool::new(true)));
        let zk = ensemble.zk();
        let config = config(Lists::Always).with_audit_interval(Duration::from_secs(5));
        let mut user = User::live(&zk, config).await;
        user.run_until_audits(3).await;
        assert_eq!(lists(&ensemble), expected);
        assert!(!user.news().contains("lost"), "no reason for distrust");
        churn.abort();
        user.run_for(ms(200)).await;
        assert_eq!(user.names, names(&operator));
    }
}

#[tokio::test(start_paused = true)]
async fn a_swallowed_event_is_noticed_by_the_next_audit() {
    for lists in [Lists::Always, Lists::AuditOnly] {
        for ensemble in ensembles(7) {
            let operator = ensemble.operator();
            populate(&operator);
            let zk = ensemble.zk();
            let mut user = User::live(&zk, config(lists)).await;
            user.names = names(&operator);
            user.news();

            ensemble.swallow_event(&path("c"), EventKind::Created);
            operator.create(path("c"), "").unwrap();
            operator.create(path("d"), "").unwrap();
            user.run_until_audits(1).await;
            user.run_until(|user| !user.is_live()).await;
            user.run_until(User::is_live).await;
            let end = if lists == Lists::Always {
                "listed Gap [a b c d], live Recursive"
            } else {
                "live Recursive"
            };
            assert_eq!(user.news(), format!("+d, listed Audit [a b c d], audited, lost, {end}"));

            ensemble.swallow_event(&path("c"), EventKind::Deleted);
            operator.delete(path("c")).unwrap();
            user.run_until_audits(2).await;
            assert_eq!(user.news(), "listed Audit [a b d], audited");
            user.run_until(|user| !user.is_live()).await;
            user.run_until(User::is_live).await;
            user.news();
            user.run_until_audits(3).await;
            assert_eq!(user.news(), "audited");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_changes_while_the_link_is_down_is_listed_or_reported() {
    for ensemble in ensembles(7) {
        let operator = ensemble.operator();
        populate(&operator);
        let zk = ensemble.zk();
        let mut follower = User::live(&zk, config(Lists::Always)).await;
        let mut reporter = User::live(&zk, config(Lists::AuditOnly)).await;
        for (change, whole) in [(true, false), (false, true)] {
            ensemble.refuse_connects(true);
            ensemble.cut();
            follower.run_until(|user| !user.is_live()).await;
            reporter.run_until(|user| !user.is_live()).await;
            if change {
                operator.delete(path("a")).unwrap();
            }
            ensemble.refuse_connects(false);
            follower.run_until(User::is_live).await;
            reporter.run_until(User::is_live).await;
            assert_eq!((follower.is_whole(), reporter.is_whole()), (whole, whole));
            assert_eq!(follower.names, names(&operator));
        }
        assert_eq!(lists(&ensemble), 2, "of the one that follows the set");
    }
}

#[tokio::test(start_paused = true)]
async fn a_new_session_lists() {
    let ensemble = SimulatedEnsemble::new(7);
    let operator = ensemble.operator();
    populate(&operator);
    let zk = ensemble.zk();
    let mut user = User::live(&zk, config(Lists::Always)).await;
    user.news();
    ensemble.expire(ensemble.session_of(1).unwrap());
    user.run_until(|user| !user.is_live()).await;
    user.run_until(User::is_live).await;
    assert_eq!(user.news(), "down, listed Gap [a b] new session, live Recursive");
}

#[tokio::test(start_paused = true)]
async fn the_whole_life_of_a_root_is_told() {
    for ensemble in ensembles(7) {
        let operator = ensemble.operator();
        let zk = ensemble.zk();
        let mut user = User::live(&zk, config(Lists::Always)).await;
        assert_eq!(user.news(), "listed Gap [], live Recursive");
        populate(&operator);
        user.run_until(|user| user.names.len() == 2).await;
        // Time to look for the identity of the root.
        user.run_for(Duration::from_secs(3)).await;
        ensemble.cut();
        user.run_until(|user| !user.is_live()).await;
        user.run_until(User::is_live).await;
        assert_eq!(user.news(), "+a, +b, down, live Recursive whole");
        for name in ["a", "b"] {
            operator.delete(path(name)).unwrap();
        }
        operator.delete(ROOT).unwrap();
        user.run_until_audits(1).await;
        assert_eq!(user.news(), "-a, -b, listed Changed [], audited");

        // Another one, with the same counts.
        ensemble.refuse_connects(true);
        ensemble.cut();
        user.run_until(|user| !user.is_live()).await;
        operator.create(ROOT, "").unwrap();
        ensemble.refuse_connects(false);
        user.run_until(User::is_live).await;
        assert_eq!(user.news(), "down, listed Gap [], live Recursive");
    }
}

/// The first audit comes when all is known, also if the first moments were unquiet.
#[tokio::test(start_paused = true)]
async fn an_unquiet_start_costs_one_list_and_a_few_looks() {
    let ensemble = builder(7).reply_lag(ms(40)..=ms(60)).build();
    let operator = ensemble.operator();
    populate(&operator);
    let active = Arc::new(AtomicBool::new(true));
    let churn = churn(ensemble.operator(), 7, active.clone());
    let zk = ensemble.zk();
    let mut user = User::live(&zk, config(Lists::Always)).await;
    user.run_for(Duration::from_secs(2)).await;
    active.store(false, Ordering::Relaxed);
    user.run_for(AUDIT / 2).await;
    let looks = ensemble.requests(Verb::Stat).len();
    assert!((2..=5).contains(&looks), "{looks}");
    ensemble.cut();
    user.run_until(|user| !user.is_live()).await;
    user.run_until(User::is_whole).await;
    user.run_until_audits(1).await;
    assert_eq!(lists(&ensemble), 1);
    churn.abort();
}
