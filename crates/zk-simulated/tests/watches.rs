//! Events: which ones come, and when.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};
use zk_core::{Connection, ErrorKind, EventKind, Zk, ZnodePath};
use zk_simulated::{Operator, SimulatedEnsemble, Version, builder};

fn path(text: &str) -> ZnodePath {
    ZnodePath::parse(text).unwrap()
}

async fn connect(ensemble: &SimulatedEnsemble) -> (Zk, Connection, Operator) {
    let (zk, operator) = (ensemble.zk(), ensemble.operator());
    operator.create("/root", "").unwrap();
    let connection = zk.connected().await.unwrap();
    (zk, connection, operator)
}

#[tokio::test(start_paused = true)]
async fn events_run_ahead_of_a_reply_that_lags_and_never_behind_it() {
    let lag = Duration::from_millis(40);
    let ensemble = builder(1).reply_lag(Duration::ZERO..=lag).build();
    let (_zk, connection, operator) = connect(&ensemble).await;
    let root = path("/root");
    let mut watch = connection.watch_recursive(&root).await.unwrap();
    let churn = async {
        for n in 0..1000 {
            operator.create(format!("/root/{n}"), "").unwrap();
            sleep(Duration::from_millis(1)).await;
        }
    };
    let looks = async {
        let (mut counted, mut most) = (0, 0);
        while counted < 900 {
            let stat = connection.stat(&root).await.unwrap().unwrap();
            counted += std::iter::from_fn(|| watch.try_next()).count();
            let ahead =
                counted.checked_sub(stat.cversion as usize).expect("what the stat counts was told before");
            most = most.max(ahead);
        }
        most
    };
    let ((), most) = tokio::join!(churn, looks);
    assert!((20..=45).contains(&most), "{most}");
}

#[tokio::test(start_paused = true)]
async fn a_told_leave_is_a_write_and_a_deletion_of_one_moment_and_of_one_zxid() {
    let ensemble = builder(2).event_zxids(true).build();
    let (_zk, connection, operator) = connect(&ensemble).await;
    let a = path("/root/a");
    operator.create_ephemeral(&a, "").unwrap();
    operator.create_ephemeral("/root/b", "").unwrap();
    let mut watch = connection.watch_recursive(&path("/root")).await.unwrap();
    let version = operator.stat(&a).unwrap().version;
    let sent = Instant::now();
    connection.write_and_delete(&a, version, b"bye").await.unwrap();
    let (written, deleted) = (watch.try_next().unwrap(), watch.try_next().unwrap());
    assert_eq!((written.kind, deleted.kind), (EventKind::DataChanged, EventKind::Deleted));
    assert!(written.zxid.is_some());
    assert_eq!((written.zxid, written.at), (deleted.zxid, deleted.at));
    assert!(written.at <= Instant::now() && written.at >= sent);

    operator.expire();
    let expired = watch.next().await.unwrap();
    assert_eq!(expired.kind, EventKind::Deleted);
    assert_eq!(expired.zxid.unwrap().0, deleted.zxid.unwrap().0 + 1);
}

#[tokio::test(start_paused = true)]
async fn one_shot_watches_fire_once() {
    let ensemble = SimulatedEnsemble::new(3);
    let (_zk, connection, operator) = connect(&ensemble).await;
    let (root, a) = (path("/root"), path("/root/a"));
    let (stat, mut created) = connection.watch_exists(&a).await.unwrap();
    let (names, _, mut listed) = connection.watch_children(&root).await.unwrap();
    assert!(stat.is_none() && names.is_empty());
    operator.create(&a, "").unwrap();
    assert_eq!(created.fired().await, Some(EventKind::Created));
    assert_eq!(listed.fired().await, Some(EventKind::ChildrenChanged));
    let (_, _, mut written) = connection.watch_data(&a).await.unwrap();
    let (_, _, mut again) = connection.watch_data(&a).await.unwrap();
    operator.set_data(&a, "1").unwrap();
    assert_eq!(written.fired().await, Some(EventKind::DataChanged));
    assert_eq!(again.fired().await, Some(EventKind::DataChanged));
    assert_eq!(written.fired().await, None);
    let (_, _, mut ended) = connection.watch_data(&a).await.unwrap();
    ensemble.cut();
    assert_eq!(ended.fired().await, None);
}

#[tokio::test(start_paused = true)]
async fn a_watch_ends_when_its_queue_is_full() {
    let ensemble = builder(4).event_capacity(3).build();
    let (_zk, connection, operator) = connect(&ensemble).await;
    let mut watch = connection.watch_recursive(&path("/root")).await.unwrap();
    for n in 0..4 {
        operator.create(format!("/root/{n}"), "").unwrap();
    }
    connection.sync(&path("/root")).await.unwrap();
    for _ in 0..3 {
        assert!(watch.next().await.is_some());
    }
    let end = timeout(Duration::from_secs(1), watch.next()).await;
    assert_eq!(end, Ok(None));
    assert!(!connection.has_ended());
}

#[tokio::test(start_paused = true)]
async fn a_dropped_watch_is_removed() {
    let ensemble = SimulatedEnsemble::new(5);
    let (_zk, connection, operator) = connect(&ensemble).await;
    drop(connection.watch_recursive(&path("/root")).await.unwrap());
    connection.sync(&path("/root")).await.unwrap();
    operator.create("/root/a", "").unwrap();
    connection.sync(&path("/root")).await.unwrap();
    assert!(!ensemble.log().iter().any(|line| line.contains("is told")), "{:#?}", ensemble.log());
}

#[tokio::test(start_paused = true)]
async fn a_server_refuses_recursive_watches_once_and_the_client_remembers() {
    let ensemble = builder(6).refuse_recursive_watches(true).build();
    let (zk, connection, _operator) = connect(&ensemble).await;
    assert!(connection.has_recursive_watches());
    let refused = connection.watch_recursive(&path("/root")).await.unwrap_err();
    assert!(refused.kind().is_refusal());
    assert!(!connection.has_recursive_watches());
    ensemble.cut();
    assert!(!zk.connected().await.unwrap().has_recursive_watches());
}

#[tokio::test(start_paused = true)]
async fn an_old_server_has_no_recursive_watches_and_no_told_leave() {
    let ensemble = builder(7).version(Version::V3_4).build();
    let (zk, connection, operator) = connect(&ensemble).await;
    let a = path("/root/a");
    assert!(!connection.has_recursive_watches());
    let watch = connection.watch_recursive(&path("/root")).await.unwrap_err();
    let leave = connection.write_and_delete(&a, 0, b"").await.unwrap_err();
    assert_eq!((watch.kind(), leave.kind()), (&ErrorKind::Unsupported, &ErrorKind::Unsupported));

    let created = connection.create_ephemeral(&a, b"1", zk_core::Acl::Open).await.unwrap();
    operator.take_over(&a, "2").unwrap();
    connection.take_over(&a, 0, b"3", zk_core::Acl::Open).await.unwrap();
    let read = connection.read_many(&[a.clone(), path("/none")]).await.unwrap();
    let (data, stat) = read[0].clone().unwrap();
    assert_eq!((data, read[1].clone()), (b"3".to_vec(), Err(ErrorKind::NoNode)));
    assert_eq!(stat.ephemeral_owner, created.ephemeral_owner);
    assert_eq!(zk.state().reconnects, 0, "nothing that it does not know was sent");
}
