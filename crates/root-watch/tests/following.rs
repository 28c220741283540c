//! Connections, reads, told deletions, overruns, and watches that fire once.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::time::Duration;

use common::bad_day::bad_day;
use common::{ROOT, User, config, lists, ms, names, root};
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use root_watch::{Lists, Update, Watched};
use zk_core::ZnodePath;
use zk_simulated::{Acl, Fault, Match, Operator, SimulatedEnsemble, Verb, Version, builder};

fn path(name: &str) -> ZnodePath {
    root().join(name).unwrap()
}

/// Ensembles on which a root is followed in each way, and that way.
fn ensembles(seed: u64) -> [(SimulatedEnsemble, Watched); 3] {
    [
        (builder(seed).build(), Watched::Recursive),
        (builder(seed).version(Version::V3_4).build(), Watched::OneShot),
        (builder(seed).refuse_recursive_watches(true).build(), Watched::OneShot),
    ]
}

fn change(operator: &Operator, rng: &mut SmallRng) {
    let path = path(&rng.random_range(0..8).to_string());
    match rng.random_range(0..4) {
        0 => drop(operator.create(path, "")),
        1 => drop(operator.delete(path)),
        2 => drop(operator.set_data(path, "1")),
        _ => {
            let _ = operator.delete(&path);
            let _ = operator.create(path, "");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn every_way_of_watching_leads_to_the_same_set() {
    for seed in 0..30 {
        for (ensemble, watched) in ensembles(seed) {
            let mut rng = SmallRng::seed_from_u64(seed);
            let operator = ensemble.operator();
            operator.create(ROOT, "").unwrap();
            let zk = ensemble.zk();
            let mut user = User::live(&zk, config(Lists::Always)).await;
            assert_eq!(user.watched(), Some(watched));
            for step in 0..100 {
                change(&operator, &mut rng);
                match rng.random_range(0..20) {
                    0 => ensemble.cut(),
                    1 => ensemble.session_of(1).into_iter().for_each(|session| ensemble.expire(session)),
                    2..8 => user.run_for(ms(rng.random_range(0..10))).await,
                    _ => {}
                }
                if step % 10 == 9 {
                    user.run_for(Duration::from_secs(2)).await;
                    assert_eq!(user.watched(), Some(watched), "seed {seed}, step {step}");
                    assert_eq!(user.names, names(&operator), "seed {seed}, step {step}");
                }
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_root_may_come_and_go_in_every_way_of_watching() {
    for (ensemble, _) in ensembles(7) {
        let operator = ensemble.operator();
        let zk = ensemble.zk();
        let mut user = User::live(&zk, config(Lists::Always)).await;
        for _ in 0..3 {
            operator.create(path("a"), "").unwrap();
            user.run_until(|user| user.names.len() == 1).await;
            operator.delete(path("a")).unwrap();
            operator.delete(ROOT).unwrap();
            user.run_until(|user| user.names.is_empty()).await;
            user.run_for(ms(100)).await;
        }
        user.run_until_audits(1).await;
        assert!(user.is_live() && !user.news().contains("Audit ["));
    }
}

#[tokio::test(start_paused = true)]
async fn only_a_deletion_that_its_transaction_announces_is_told() {
    for zxids in [false, true] {
        let ensemble = builder(7).event_zxids(zxids).build();
        let (operator, other) = (ensemble.operator(), ensemble.operator());
        for name in ["a", "b", "c"] {
            operator.create(path(name), "").unwrap();
        }
        other.create_ephemeral(path("d"), "").unwrap();
        let zk = ensemble.zk();
        let mut user = User::live(&zk, config(Lists::Always)).await;
        user.news();
        operator.write_and_delete(path("a"), "gone").unwrap();
        operator.delete(path("b")).unwrap();
        operator.set_data(path("c"), "1").unwrap();
        user.run_for(ms(20)).await;
        operator.delete(path("c")).unwrap();
        other.end();
        user.run_until(|user| user.names.is_empty()).await;
        assert_eq!(user.news(), "~a, -a told, -b, ~c, -c, -d");
    }
}

#[tokio::test(start_paused = true)]
async fn an_overrun_of_the_queue_is_a_gap() {
    let ensemble = builder(7).event_capacity(8).build();
    let operator = ensemble.operator();
    operator.create(ROOT, "").unwrap();
    let zk = ensemble.zk();
    let mut user = User::live(&zk, config(Lists::Always)).await;
    user.news();
    for number in 0..20 {
        operator.create(path(&format!("{number:02}")), "").unwrap();
    }
    // Nobody takes the events as they come.
    tokio::time::sleep(Duration::from_secs(1)).await;
    user.run_until(|user| user.names.len() == 20).await;
    user.run_until(User::is_live).await;
    let news = user.news();
    assert!(news.starts_with("+00, +01, +02, +03, +04, +05, +06, +07, lost, listed Gap [00 01"), "{news}");
    assert!(news.ends_with("live Recursive"), "{news}");
}

#[tokio::test(start_paused = true)]
async fn events_behind_a_list_are_given_out_after_it() {
    let ensemble = builder(7).reply_lag(ms(50)..=ms(50)).build();
    let operator = ensemble.operator();
    operator.create(path("a"), "").unwrap();
    let zk = ensemble.zk();
    let mut user = User::new(&zk, config(Lists::Always));
    ensemble.fault(Match::verb(Verb::Children), Fault::DelayReply(ms(200)));
    let listing = async {
        while lists(&ensemble) == 0 {
            tokio::time::sleep(ms(1)).await;
        }
        operator.create(path("b"), "").unwrap();
    };
    tokio::join!(biased; listing, user.run_until(User::is_live));
    assert_eq!(user.news(), "listed Gap [a], +b, live Recursive");
}

/// The requests of a start are sent at once: the watch first, so that no change is missed, then the sync (D7).
#[tokio::test(start_paused = true)]
async fn the_watch_comes_first_and_the_sync_before_the_look() {
    for (ensemble, watched) in ensembles(7) {
        ensemble.operator().create(path("a"), "").unwrap();
        let zk = ensemble.zk();
        User::live(&zk, config(Lists::Always)).await;
        let requests = ensemble.requests(Match::any().path(&root()));
        let verbs: Vec<_> = requests.iter().map(|request| request.verb).collect();
        let expected = match watched {
            Watched::Recursive => vec![Verb::WatchRecursive, Verb::Sync, Verb::Stat, Verb::Children],
            _ => vec![Verb::Sync, Verb::WatchChildren],
        };
        assert!(verbs.ends_with(&expected), "{verbs:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn events_of_a_connection_that_ends_are_told() {
    let ensemble = SimulatedEnsemble::new(7);
    let operator = ensemble.operator();
    operator.create(path("a"), "").unwrap();
    let zk = ensemble.zk();
    let hold = ensemble.fault(Verb::Children, Fault::HoldReply);
    let mut user = User::new(&zk, config(Lists::Always));
    while !hold.fired() {
        user.run_for(ms(1)).await;
    }
    operator.create(path("b"), "").unwrap();
    user.run_for(ms(20)).await;
    assert_eq!(user.news(), "", "it waits for the list");
    ensemble.cut();
    user.run_until(|user| !user.log.is_empty()).await;
    user.run_for(ms(1)).await;
    assert!(user.news().starts_with("+b, down"));
}

/// The watch has fired before the reply, also if its user looks at neither for a while.
#[tokio::test(start_paused = true)]
async fn a_watch_that_fired_before_a_reply_is_told_before_it() {
    let ensemble = builder(7).version(Version::V3_4).build();
    let operator = ensemble.operator();
    operator.create(path("a"), "").unwrap();
    let zk = ensemble.zk();
    let mut user = User::live(&zk, config(Lists::Always)).await;
    user.news();
    let audit = ensemble.fault(Verb::Data, Fault::Delay(ms(100)));
    while !audit.fired() {
        user.run_for(ms(1)).await;
    }
    operator.create(path("b"), "").unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    user.run_until(|user| user.log.len() == 2).await;
    assert_eq!(user.news(), "audited, listed Changed [a b]", "no mismatch");
}

#[tokio::test(start_paused = true)]
async fn records_are_read_with_one_request_or_watched_with_one_each() {
    for (ensemble, watched) in ensembles(7) {
        let operator = ensemble.operator();
        for name in ["a", "b"] {
            operator.create(path(name), name).unwrap();
        }
        let zk = ensemble.zk();
        let mut user = User::live(&zk, config(Lists::Always)).await;
        user.news();
        assert_eq!(user.watch.max_batch(), if watched == Watched::Recursive { 256 } else { 32 });
        user.watch.read(5, ["a", "x", "b", "no/name"].map(str::to_owned).into());
        user.run_until(|user| !user.log.is_empty()).await;
        assert_eq!(user.news(), "records 5 [a=a x: no such znode b=b no/name: no such znode]");
        operator.set_data(path("a"), "new").unwrap();
        user.run_until(|user| !user.log.is_empty()).await;
        assert_eq!(user.news(), "~a");
        let requests = ensemble.requests(Match::verbs([Verb::ReadMany, Verb::WatchData])).len();
        assert_eq!(requests, if watched == Watched::Recursive { 1 } else { 3 });

        // One of a connection that ends gets no reply, or an empty one.
        user.watch.read(6, vec!["a".to_owned()]);
        ensemble.fault(Match::verbs([Verb::ReadMany, Verb::WatchData]), Fault::CutBefore);
        user.run_until(|user| !user.is_live()).await;
        user.run_until(User::is_live).await;
        assert!(!user.news().contains("a=new"));

        // One that times out is to be repeated.
        ensemble.fault(Match::verbs([Verb::ReadMany, Verb::WatchData]), Fault::Ignore);
        user.watch.read(7, vec!["a".to_owned()]);
        user.run_until(|user| user.log.last().is_some_and(|last| last.starts_with("records"))).await;
        assert!(user.news().ends_with("records 7 [a: no reply]"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_root_is_followed_from_the_moment_it_is_wished() {
    let ensemble = SimulatedEnsemble::new(7);
    ensemble.operator().create(path("a"), "").unwrap();
    let zk = ensemble.zk();
    let mut user = User::new(&zk, config(Lists::Always));
    user.watch.set_followed(false);
    user.run_until(User::is_live).await;
    assert_eq!(user.news(), "live No");
    assert_eq!(ensemble.requests(Verb::WatchRecursive).len(), 0);
    user.watch.set_followed(true);
    user.run_until(|user| user.log.len() == 2).await;
    assert_eq!(user.news(), "listed Gap [a], live Recursive");
    user.watch.set_followed(false);
    ensemble.cut();
    user.run_until(|user| user.log.len() == 2).await;
    assert_eq!(user.news(), "down, live No");
}

#[tokio::test(start_paused = true)]
async fn a_registrar_on_an_old_server_has_prepared_connections_only() {
    let ensemble = builder(7).version(Version::V3_4).build();
    let zk = ensemble.zk();
    let user = User::live(&zk, config(Lists::AuditOnly).without_one_shot()).await;
    assert_eq!(user.watched(), Some(Watched::Unsupported));
}

#[tokio::test(start_paused = true)]
async fn trouble_with_the_root_is_told_and_overcome() {
    for (ensemble, _) in ensembles(7) {
        let operator = ensemble.operator();
        operator.create(path("a"), "").unwrap();
        let zk = ensemble.zk();
        let mut user = User::live(&zk, config(Lists::Always)).await;
        user.news();
        operator.set_acl(ROOT, [Acl::new(!1 & 31, "world", "anyone")]).unwrap();
        user.run_until(|user| !user.is_live()).await;
        // Nothing has changed: the audit has found it, and it stays that way.
        user.run_for(Duration::from_secs(60)).await;
        assert!(user.log.len() > 60 && user.news().split(", ").all(|news| news.starts_with("trouble: ")));
        operator.set_acl(ROOT, [Acl::open()]).unwrap();
        user.run_until(User::is_live).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_closed_link_is_the_last_update() {
    let ensemble = SimulatedEnsemble::new(7);
    let zk = ensemble.zk();
    let mut user = User::live(&zk, config(Lists::Always)).await;
    user.news();
    zk.close(Duration::from_secs(1)).await.unwrap();
    user.run_until(|user| user.log.len() == 2).await;
    assert_eq!(user.news(), "down, closed");
    assert!(user.watch.try_next().is_none());
    assert!(matches!(user.watch.next().await, Update::Closed));
}

#[tokio::test(start_paused = true)]
async fn what_has_arrived_is_taken_without_waiting() {
    let ensemble = SimulatedEnsemble::new(7);
    let operator = ensemble.operator();
    operator.create(ROOT, "").unwrap();
    let zk = ensemble.zk();
    let mut user = User::live(&zk, config(Lists::Always)).await;
    assert!(user.watch.try_next().is_none());
    for number in 0..2_000 {
        operator.create(path(&number.to_string()), "").unwrap();
    }
    tokio::time::sleep(ms(50)).await;
    // More than a task may take at a time.
    let taken = std::iter::from_fn(|| user.watch.try_next()).count();
    assert_eq!(taken, 2_000);
}

/// Dropping `next` at any moment loses nothing.
#[tokio::test(start_paused = true)]
async fn next_may_be_dropped_at_any_moment() {
    for seed in 0..20 {
        for (ensemble, _) in ensembles(seed) {
            let mut rng = SmallRng::seed_from_u64(seed);
            let operator = ensemble.operator();
            operator.create(ROOT, "").unwrap();
            let zk = ensemble.zk();
            let mut user = User::new(&zk, config(Lists::Always));
            for _ in 0..200 {
                change(&operator, &mut rng);
                user.run_for(ms(rng.random_range(0..3))).await;
            }
            user.run_for(Duration::from_secs(1)).await;
            assert_eq!(user.names, names(&operator), "seed {seed}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_set_is_right_after_every_bad_day() {
    for seed in 0..20 {
        bad_day(seed).await;
    }
}
