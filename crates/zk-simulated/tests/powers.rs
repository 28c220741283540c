//! What happens to the whole ensemble, and to whole processes.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use parking_lot::Mutex;
use tokio::time::{Instant, sleep, timeout};
use zk_core::{Acl, ConnectError, ErrorKind, Phase, ZnodePath};
use zk_simulated::{Author, Commit, Restart, SimulatedEnsemble, TreeChange, Verb, builder};

const MINUTE: Duration = Duration::from_secs(60);

fn path(text: &str) -> ZnodePath {
    ZnodePath::parse(text).unwrap()
}

fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

/// All commits from now on.
fn observed(ensemble: &SimulatedEnsemble) -> Arc<Mutex<Vec<Commit>>> {
    let commits = Arc::new(Mutex::new(Vec::new()));
    let kept = commits.clone();
    ensemble.observe(move |commit| kept.lock().push(commit.clone()));
    commits
}

#[tokio::test(start_paused = true)]
async fn an_observer_sees_every_change_its_author_and_its_zxid() {
    let ensemble = SimulatedEnsemble::new(1);
    let commits = observed(&ensemble);
    let operator = ensemble.operator();
    operator.create("/root", "x").unwrap();
    let zk = ensemble.zk();
    let connection = zk.connected().await.unwrap();
    let a = path("/root/a");
    let created = connection.create_ephemeral(&a, b"1", Acl::Open).await.unwrap();
    let written = connection.set_data(&a, b"2", None).await.unwrap();
    let failed = connection.set_data(&a, b"3", Some(7)).await.unwrap_err();
    assert_eq!(failed.kind(), &ErrorKind::BadVersion);
    connection.write_and_delete(&a, written.version, b"bye").await.unwrap();
    connection.create_ephemeral(&a, b"4", Acl::Open).await.unwrap();
    let session = connection.session().id;
    ensemble.expire(session);

    let commits = std::mem::take(&mut *commits.lock());
    let what: Vec<_> = commits.iter().map(|commit| (commit.author, commit.changes.len())).collect();
    let (client, operators) = (Author::Client(1), Author::Operator(operator.session()));
    let ended = Author::SessionEnd { session, expired: true };
    let expected = [
        (operators, 1),
        (operators, 1),
        (client, 1),
        (client, 1),
        (client, 1),
        (client, 2),
        (client, 1),
        (ended, 2),
    ];
    assert_eq!(what, expected);
    assert_eq!(commits[2].changes, [TreeChange::SessionBegan { session, client: Some(1) }]);
    assert_eq!(commits[3].zxid, created.czxid.0);
    assert_eq!(
        commits[4].changes,
        [TreeChange::Written { path: a.clone(), data: b"2".to_vec(), stat: written }]
    );
    assert_eq!(commits[5].zxid, commits[4].zxid + 2, "what failed has a zxid, too");
    let deleted = TreeChange::Deleted { path: a };
    assert_eq!(commits[5].changes[1], deleted);
    assert_eq!(commits[7].changes, [TreeChange::SessionEnded { session, expired: true }, deleted]);
    assert!(commits.windows(2).all(|pair| pair[0].at <= pair[1].at));
}

#[tokio::test(start_paused = true)]
async fn a_killed_client_is_silent_and_its_session_expires() {
    let ensemble = SimulatedEnsemble::new(2);
    let operator = ensemble.operator();
    let zk = ensemble.zk();
    let connection = zk.connected().await.unwrap();
    connection.create_ephemeral(&path("/a"), b"", Acl::Open).await.unwrap();
    let b = path("/b");
    let sent = connection.create_ephemeral(&b, b"", Acl::Open);
    let kill = async {
        ensemble.kill(1);
        ensemble.session_of(1)
    };
    let (sent, session) = tokio::join!(biased; timeout(secs(3), sent), kill);
    assert!(sent.is_err(), "nothing reaches it: {sent:?}");
    assert_eq!(session, None);
    let lines = ensemble.log().len();
    assert!(!connection.has_ended());
    drop(zk);
    sleep(secs(2)).await;
    assert!(operator.stat("/a").is_some());
    sleep(secs(15)).await;
    assert!(operator.stat("/a").is_none() && operator.stat("/b").is_none());
    let since = ensemble.log().split_off(lines);
    assert!(since.len() == 1 && since[0].contains("expired"), "{since:#?}");
}

#[tokio::test(start_paused = true)]
async fn an_ensemble_that_comes_back_as_it_was_keeps_sessions_for_their_whole_timeout() {
    let ensemble = SimulatedEnsemble::new(3);
    let (zk, operator) = (ensemble.zk(), ensemble.operator());
    let connection = zk.connected().await.unwrap();
    connection.create_ephemeral(&path("/a"), b"1", Acl::Open).await.unwrap();
    operator.create_ephemeral("/b", "").unwrap();
    ensemble.stop();
    assert!(connection.has_ended());
    assert_eq!(operator.create("/c", ""), Err(ErrorKind::NotConnected));
    assert_eq!(operator.data("/a"), None);
    // Far longer than any session timeout: nobody is there to end one.
    let later = ensemble.operator();
    assert_eq!((later.session().0, later.create("/c", "")), (0, Err(ErrorKind::NotConnected)));
    sleep(MINUTE).await;
    let state = zk.state();
    assert_eq!(state.phase, Phase::Lost);
    assert!(matches!(state.trouble, Some(ConnectError::Unreachable(_))), "{:?}", state.trouble);
    ensemble.refuse_connects_of(1, true);
    ensemble.start(Restart::Latest);
    sleep(secs(9)).await;
    assert_eq!(operator.data("/a"), Some(b"1".to_vec()));
    assert_eq!(later.data("/a"), Some(b"1".to_vec()));
    ensemble.refuse_connects_of(1, false);
    assert_eq!(zk.connected().await.unwrap().session(), connection.session());
    ensemble.refuse_connects_of(1, true);
    ensemble.cut();
    sleep(secs(13)).await;
    assert_eq!(operator.children("/"), ["b", "zookeeper"]);
}

#[tokio::test(start_paused = true)]
async fn an_ensemble_comes_back_with_older_data() {
    let ensemble = SimulatedEnsemble::new(4);
    let commits = observed(&ensemble);
    let (first, operator) = (ensemble.zk(), ensemble.operator());
    let connection = first.connected().await.unwrap();
    let old = connection.create_ephemeral(&path("/old"), b"1", Acl::Open).await.unwrap();
    sleep(secs(5)).await;
    connection.set_data(&path("/old"), b"2", None).await.unwrap();
    operator.create("/new", "").unwrap();
    let second = ensemble.zk();
    let lost = second.connected().await.unwrap().session().id;
    sleep(secs(1)).await;
    commits.lock().clear();
    ensemble.start(Restart::Before(secs(3)));
    assert_eq!(operator.children("/"), ["old", "zookeeper"]);
    assert_eq!(operator.data("/old"), Some(b"1".to_vec()));

    let restored = commits.lock()[0].clone();
    assert_eq!((restored.author, restored.zxid), (Author::Restored, old.czxid.0));
    let began = TreeChange::SessionBegan { session: connection.session().id, client: Some(1) };
    assert!(restored.changes.contains(&began) && restored.changes.len() == 2 + 4, "{restored:#?}");

    // A session that the data know goes on, and one that they do not know has expired. Its id is not used again.
    let resumed = first.connected().await.unwrap();
    assert_eq!((resumed.session().id, resumed.epoch()), (connection.session().id, 1));
    let began = second.connected().await.unwrap();
    assert_eq!(began.epoch(), 2);
    assert_ne!(began.session().id, lost);
    assert!(operator.create("/new", "").unwrap().czxid.0 > old.czxid.0);
}

#[tokio::test(start_paused = true)]
async fn an_ensemble_comes_back_empty() {
    let ensemble = SimulatedEnsemble::new(5);
    let (zk, operator) = (ensemble.zk(), ensemble.operator());
    let connection = zk.connected().await.unwrap();
    operator.create("/a", "").unwrap();
    let before = operator.session();
    ensemble.start(Restart::Empty);
    assert_eq!(operator.children("/"), ["zookeeper"]);
    assert_ne!(operator.session(), before);
    let next = zk.connected().await.unwrap();
    assert_eq!((next.epoch(), next.session().id == connection.session().id), (2, false));
    operator.create_ephemeral("/b", "").unwrap();
    sleep(MINUTE).await;
    assert!(operator.stat("/b").is_some());
}

#[tokio::test(start_paused = true)]
async fn a_client_that_is_cut_off_learns_of_a_restart_when_it_no_longer_is() {
    let ensemble = SimulatedEnsemble::new(6);
    let zk = ensemble.zk();
    let connection = zk.connected().await.unwrap();
    ensemble.stall(1);
    ensemble.stop();
    ensemble.start(Restart::Latest);
    sleep(secs(1)).await;
    assert!(!connection.has_ended());
    ensemble.resume(1);
    connection.ended().await;
    assert_eq!(zk.connected().await.unwrap().session(), connection.session());
}

#[tokio::test(start_paused = true)]
async fn timeouts_are_clamped_for_those_who_connect_from_then_on() {
    let ensemble = SimulatedEnsemble::new(7);
    let zk = ensemble.zk();
    let connection = zk.connected().await.unwrap();
    ensemble.clamp_timeouts(Some(secs(5)));
    assert_eq!(connection.session().timeout, secs(10));
    ensemble.cut();
    assert_eq!(zk.connected().await.unwrap().session().timeout, secs(5));
    ensemble.clamp_timeouts(Some(secs(1)));
    ensemble.cut();
    assert_eq!(zk.connected().await.unwrap().session().timeout, secs(4), "two ticks");
    ensemble.clamp_timeouts(None);
    ensemble.cut();
    assert_eq!(zk.connected().await.unwrap().session().timeout, secs(10));
}

#[tokio::test(start_paused = true)]
async fn authentication_is_refused_to_those_who_connect() {
    let ensemble = SimulatedEnsemble::new(8);
    let zk = ensemble.start_link(ensemble.client().authenticated("somebody:secret"));
    let plain = ensemble.zk();
    let connection = zk.connected().await.unwrap();
    ensemble.refuse_authentication(true);
    sleep(secs(1)).await;
    assert!(!connection.has_ended());
    ensemble.cut();
    assert!(timeout(MINUTE, zk.connected()).await.is_err());
    assert!(matches!(zk.state().trouble, Some(ConnectError::AuthFailed { .. })), "{:?}", zk.state());
    assert!(timeout(MINUTE, plain.connected()).await.is_ok());
    ensemble.refuse_authentication(false);
    assert_eq!(zk.connected().await.unwrap().session(), connection.session(), "every attempt has kept it");
}

#[tokio::test(start_paused = true)]
async fn a_wall_clock_steps_alone() {
    let ensemble = SimulatedEnsemble::new(9);
    let [one, other] = [1, 2].map(|client| ensemble.sources(client));
    let wall =
        |sources: &zk_core::Sources| sources.wall_clock().duration_since(UNIX_EPOCH).unwrap().as_millis();
    let begun = wall(&one);
    assert_eq!(wall(&other), begun);
    ensemble.step_clock(1, -5_000);
    sleep(secs(1)).await;
    assert_eq!((wall(&one), wall(&other)), (begun - 4_000, begun + 1_000));
    ensemble.step_clock(1, 7_000);
    assert_eq!(wall(&one), begun + 3_000);
}

#[tokio::test(start_paused = true)]
async fn the_next_event_of_a_client_is_swallowed_whatever_it_is() {
    let ensemble = SimulatedEnsemble::new(10);
    let (zk, operator) = (ensemble.zk(), ensemble.operator());
    let connection = zk.connected().await.unwrap();
    let mut watch = connection.watch_recursive(&path("/")).await.unwrap();
    let swallowed = ensemble.swallow_next_event_of(1);
    assert!(!swallowed.fired());
    operator.create("/a", "").unwrap();
    assert!(swallowed.fired());
    operator.create("/b", "").unwrap();
    assert_eq!(watch.next().await.unwrap().path, path("/b"));
}

#[tokio::test(start_paused = true)]
async fn everything_takes_longer_for_a_while_and_requests_are_counted() {
    let ensemble = builder(11).round_trip(Duration::from_millis(2)..=Duration::from_millis(2)).build();
    let zk = ensemble.zk();
    let connection = zk.connected().await.unwrap();
    let before = ensemble.request_count(1);
    let took = async || {
        let begun = Instant::now();
        connection.stat(&path("/a")).await.unwrap();
        begun.elapsed().as_millis()
    };
    assert_eq!(took().await, 2);
    ensemble.set_extra_delay(Duration::from_millis(51));
    assert_eq!(took().await, 53);
    ensemble.set_extra_delay(Duration::ZERO);
    assert_eq!(took().await, 2);
    assert_eq!(ensemble.request_count(1) - before, 3);
    assert_eq!(ensemble.request_count(2), 0);
    ensemble.remark("three stats");
    assert!(ensemble.log().last().unwrap().ends_with("ms  three stats"));
    assert!(Verb::WRITES.contains(&Verb::SetData) && !Verb::WRITES.contains(&Verb::Data));
}
