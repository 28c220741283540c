use std::time::Duration;

use tokio::time::Instant;
use zk_testing::raw::{Client, CreateMode, Error};
use zk_testing::{Ensemble, SESSION, StartError, eventually};

use crate::connect;

#[tokio::test]
async fn another_server_leads_when_the_leader_is_killed_and_sessions_survive() {
    let Some(_) = zk_testing::require() else { return };
    let mut ensemble = Ensemble::start(3).await.unwrap();
    assert_eq!(ensemble.servers().len(), 3);
    assert_eq!(ensemble.connect_string().split(',').count(), 3);
    let leader = ensemble.leader().await.unwrap();
    let (a, b) = ((leader + 1) % 3, (leader + 2) % 3);
    let client = connect(ensemble.servers()[leader].addr()).await;
    client.create("/mine", b"", CreateMode::Ephemeral).await.unwrap();
    let (id, password) = (client.session_id(), *client.password());

    ensemble.server(leader).kill().await;
    let killed = Instant::now();
    client.closed().await;
    let next = ensemble.wait_quorum().await.unwrap();
    assert_ne!(next, leader);
    let addr = ensemble.servers()[a].addr();
    let client = Client::connect_with(addr, 2 * SESSION, id, &password).await.unwrap();
    client.create("/written", b"", CreateMode::Persistent).await.unwrap();
    assert!(killed.elapsed() < Duration::from_secs(5), "took {:?}", killed.elapsed());
    assert_eq!(client.exists("/mine").await.unwrap().unwrap().ephemeral_owner, id);

    ensemble.server(leader).start_again().await.unwrap();
    let back = connect(ensemble.servers()[leader].addr()).await;
    back.sync("/written").await.unwrap();
    assert!(back.exists("/written").await.unwrap().is_some());

    ensemble.server(a).pause().await.unwrap();
    ensemble.server(b).kill().await;
    eventually("without a majority nobody leads", async || ensemble.leader().await.is_none()).await;

    ensemble.kill_all().await;
    ensemble.start_all().await.unwrap();
    let after = connect(ensemble.servers()[b].addr()).await;
    assert!(after.exists("/written").await.unwrap().is_some());

    ensemble.stop_all().await;
    assert!(ensemble.servers().iter().all(|server| !server.is_running()));
    ensemble.wipe_all().unwrap();
    ensemble.start_all().await.unwrap();
    let wiped = connect(ensemble.servers()[0].addr()).await;
    assert!(wiped.exists("/written").await.unwrap().is_none());
}

#[tokio::test]
async fn one_server_is_no_ensemble() {
    let Some(_) = zk_testing::require() else { return };
    assert!(matches!(Ensemble::start(1).await, Err(StartError::TooSmall(1))));
}

#[tokio::test]
async fn an_observer_serves_and_does_not_vote() {
    let Some(_) = zk_testing::require() else { return };
    let mut ensemble = Ensemble::builder(3).with_observer().start().await.unwrap();
    assert_eq!((ensemble.servers().len(), ensemble.observers().len()), (4, 1));
    let observer = &ensemble.observers()[0];
    assert_eq!(observer.mode().await.as_deref(), Some("observer"));
    connect(observer.addr()).await.create("/a", b"", CreateMode::Persistent).await.unwrap();

    let leader = ensemble.leader().await.unwrap();
    let (next, last) = ((leader + 1) % 3, (leader + 2) % 3);
    ensemble.server(next).kill().await;
    ensemble.server(last).kill().await;
    let nobody = async || ensemble.leader().await.is_none();
    eventually("one of three that vote is no majority, observer or not", nobody).await;
}

#[tokio::test]
async fn a_server_without_a_majority_serves_reads_to_read_only_clients() {
    let Some(_) = zk_testing::require() else { return };
    let wanted = Ensemble::builder(3).read_only_mode().local_sessions();
    let mut ensemble = wanted.start().await.unwrap();
    let addr = ensemble.servers()[0].addr();
    let client = connect(addr).await;
    assert!(!client.is_read_only());
    client.create("/a", b"there", CreateMode::Persistent).await.unwrap();

    ensemble.server(1).kill().await;
    ensemble.server(2).kill().await;
    ensemble.servers()[0].wait_read_only().await.unwrap();
    let refused = Client::connect(addr, 2 * SESSION).await;
    assert!(matches!(refused, Err(Error::Io(_))), "{refused:?}");
    let reader = Client::connect_read_only(addr, 2 * SESSION).await.unwrap();
    assert!(reader.is_read_only());
    assert_eq!(reader.get("/a").await.unwrap().0, b"there");
    let written = reader.set("/a", b"", None).await;
    assert!(matches!(written, Err(Error::NotReadOnly)), "{written:?}");

    ensemble.start_all().await.unwrap();
    ensemble.wait_quorum().await.unwrap();
    assert!(!Client::connect_read_only(addr, 2 * SESSION).await.unwrap().is_read_only());
}

#[tokio::test]
async fn without_local_sessions_a_server_without_a_majority_opens_none() {
    let Some(_) = zk_testing::require() else { return };
    let mut ensemble = Ensemble::builder(2).read_only_mode().start().await.unwrap();
    ensemble.server(1).kill().await;
    let left = &ensemble.servers()[0];
    left.wait_read_only().await.unwrap();
    let refused = Client::connect_read_only(left.addr(), 2 * SESSION).await;
    assert!(matches!(refused, Err(Error::NotReadOnly)), "{refused:?}");
}
