//! Sessions live and end in virtual time.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::time::Duration;

use tokio::time::{Instant, sleep};
use zk_core::{Acl, ErrorKind, Identity, Phase, ZnodePath};
use zk_simulated::{Fault, SimulatedEnsemble, Verb, builder};

const DAY: Duration = Duration::from_secs(24 * 3600);

fn path(text: &str) -> ZnodePath {
    ZnodePath::parse(text).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_connected_client_keeps_its_session_and_a_silent_one_loses_it_after_its_timeout() {
    let ensemble = SimulatedEnsemble::new(3);
    let (zk, operator) = (ensemble.zk(), ensemble.operator());
    let connection = zk.connected().await.unwrap();
    connection.create_ephemeral(&path("/a"), b"", Acl::Open).await.unwrap();
    operator.create_ephemeral("/b", "").unwrap();
    sleep(DAY).await;
    assert!(!connection.has_ended());
    assert_eq!(operator.children("/"), ["a", "b", "zookeeper"]);

    ensemble.refuse_connects_of(1, true);
    ensemble.cut_client(1);
    let begun = Instant::now();
    while operator.stat("/a").is_some() {
        sleep(Duration::from_millis(100)).await;
    }
    // Counted from the last sign of life, and up to the next whole tick.
    let (least, most) = (Duration::from_secs(6), Duration::from_secs(12) + Duration::from_millis(200));
    assert!((least..=most).contains(&begun.elapsed()), "{:?}", begun.elapsed());
    ensemble.refuse_connects_of(1, false);
    assert_eq!(zk.connected().await.unwrap().epoch(), 2);
    assert!(operator.stat("/b").is_some(), "that of an operator stays");
    operator.end();
    assert_eq!(ensemble.operator().children("/"), ["zookeeper"]);
}

#[tokio::test(start_paused = true)]
async fn an_expired_session_takes_its_znodes_and_its_client_begins_another() {
    let ensemble = SimulatedEnsemble::new(4);
    let (zk, operator) = (ensemble.zk(), ensemble.operator());
    let connection = zk.connected().await.unwrap();
    connection.create_ephemeral(&path("/a"), b"", Acl::Open).await.unwrap();
    let session = ensemble.session_of(1).unwrap();
    assert_eq!(session, connection.session().id);
    ensemble.expire(session);
    assert!(operator.stat("/a").is_none());
    connection.ended().await;
    let mut states = zk.states();
    let lost = states.wait_for(|state| state.phase == Phase::Lost || state.epoch == 2).await;
    assert!(lost.is_some());
    assert_eq!(zk.connected().await.unwrap().epoch(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_close_is_confirmed_before_the_connection_ends() {
    for seed in 0..30 {
        let ensemble = SimulatedEnsemble::new(seed);
        let zk = ensemble.zk();
        zk.connected().await.unwrap();
        assert!(zk.close(DAY).await.is_ok());
        assert_eq!(ensemble.session_of(1), None);
        let connects = ensemble.log().iter().filter(|line| line.contains("connects")).count();
        assert_eq!(connects, 1, "without a confirmation it connects once more");
    }
}

#[tokio::test(start_paused = true)]
async fn a_close_without_a_reply_lingers() {
    let ensemble = SimulatedEnsemble::new(5);
    let zk = ensemble.zk();
    zk.connected().await.unwrap();
    let session = ensemble.session_of(1).unwrap();
    ensemble.fault(Verb::Close, Fault::Ignore);
    ensemble.refuse_connects(true);
    let lingering = zk.close(Duration::from_secs(5)).await.unwrap_err();
    assert_eq!(lingering.session, session);
}

#[tokio::test(start_paused = true)]
async fn sessions_that_end_at_the_same_tick_are_transactions_of_their_own() {
    let ensemble = builder(7).event_zxids(true).build();
    let links = [ensemble.zk(), ensemble.zk(), ensemble.zk()];
    let mut connections = Vec::new();
    for link in &links {
        connections.push(link.connected().await.unwrap());
    }
    let mut watch = connections[2].watch_recursive(&path("/")).await.unwrap();
    let mut created = Vec::new();
    for (connection, name) in connections.iter().zip(["/a", "/b"]) {
        created.push(connection.create_ephemeral(&path(name), b"", Acl::Open).await.unwrap().czxid);
    }
    for client in [1, 2] {
        ensemble.refuse_connects_of(client, true);
        ensemble.cut_client(client);
    }
    let mut events = Vec::new();
    for _ in 0..4 {
        events.push(watch.next().await.unwrap());
    }
    let zxids: Vec<_> = events.iter().map(|event| event.zxid.unwrap()).collect();
    assert_eq!(zxids[..2], created);
    assert_eq!(events[2].at, events[3].at);
    assert_eq!(zxids[3].0, zxids[2].0 + 1);
}

#[tokio::test(start_paused = true)]
async fn rights_are_those_of_the_identity() {
    let ensemble = builder(6).session_timeout(Duration::from_secs(5)).build();
    let operator = ensemble.operator();
    operator.create("/closed", "").unwrap();
    operator.set_acl("/closed", [zk_simulated::Acl::creator(), zk_simulated::Acl::read_only()]).unwrap();
    let client = ensemble.client().authenticated("somebody:secret");
    assert_eq!(client.number(), 1);
    let zk = ensemble.start_link(client);
    let connection = zk.connected().await.unwrap();
    assert_eq!(connection.session().timeout, Duration::from_secs(5));
    let somebody = Identity { scheme: "digest".into(), user: "somebody".into() };
    assert!(connection.identities().await.unwrap().contains(&somebody));
    let refused = connection.create_ephemeral(&path("/closed/a"), b"", Acl::Open).await.unwrap_err();
    assert_eq!(refused.kind(), &ErrorKind::Denied);
    connection.create_ephemeral(&path("/mine"), b"", Acl::Creator).await.unwrap();
    assert_eq!(operator.set_data("/mine", ""), Err(ErrorKind::Denied));
    operator.create("/closed/b", "").unwrap();
}
