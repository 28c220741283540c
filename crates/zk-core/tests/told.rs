//! A deletion that is told: one transaction that writes a znode and deletes it.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::time::Duration;

use common::{SOON, config, connected, observer, path};
use test_zookeeper::{Server, Version};
use tokio::time::{Instant, timeout};
use zk_core::{Acl, Connection, ErrorKind, Event, EventKind, Outcome, WatchStream, Zk, ZnodePath};
use zk_testing::raw;

/// A server, a link to it, and a watch of the root `/r`; `None` where there is no such transaction.
async fn start() -> Option<(Server, Zk, Connection, WatchStream)> {
    if test_zookeeper::version() < Version::V3_6 || !test_zookeeper::has_recursive_watches() {
        return None;
    }
    test_zookeeper::require()?;
    let server = Server::start().await.unwrap();
    let zk = Zk::start(config(&server.connect_string())).unwrap();
    let connection = connected(&zk).await;
    connection.ensure_path(&path("/r"), Acl::Open).await.unwrap();
    let watch = connection.watch_recursive(&path("/r")).await.unwrap();
    Some((server, zk, connection, watch))
}

async fn next(watch: &mut WatchStream) -> Event {
    timeout(SOON, watch.next()).await.unwrap().unwrap()
}

/// Checks that the next event is the creation of this marker: there was no other before.
async fn nothing_before(marker: &str, connection: &Connection, watch: &mut WatchStream) {
    connection.create_ephemeral(&path(marker), b"", Acl::Open).await.unwrap();
    let event = next(watch).await;
    assert_eq!((event.kind, event.path.as_str()), (EventKind::Created, marker));
}

fn kinds(events: &[Event]) -> Vec<(EventKind, &str)> {
    events.iter().map(|event| (event.kind, event.path.as_str())).collect()
}

#[tokio::test]
async fn a_told_deletion_is_a_write_and_a_deletion_next_to_each_other() {
    let Some((_server, _zk, connection, mut watch)) = start().await else { return };
    let at = path("/r/e");
    let begun = Instant::now();
    connection.create_ephemeral(&at, b"here", Acl::Open).await.unwrap();
    connection.set_data(&at, b"there", Some(0)).await.unwrap();
    connection.write_and_delete(&at, 1, b"left").await.unwrap();
    let answered = Instant::now();
    assert_eq!(connection.stat(&at).await.unwrap(), None);

    let events: Vec<_> = std::iter::from_fn(|| watch.try_next()).collect();
    let expected = [EventKind::Created, EventKind::DataChanged, EventKind::DataChanged, EventKind::Deleted];
    assert_eq!(kinds(&events), expected.map(|kind| (kind, "/r/e")));
    assert!(events.iter().all(|event| event.zxid.is_none()), "a server of 3.8 does not tell: {events:?}");
    let mut moments = vec![begun];
    moments.extend(events.iter().map(|event| event.at));
    moments.push(answered);
    assert!(moments.is_sorted(), "stamped when they arrived, which is before the reply: {moments:?}");
}

#[tokio::test]
async fn a_told_deletion_that_names_another_version_or_a_missing_znode_changes_nothing() {
    let Some((_server, _zk, connection, mut watch)) = start().await else { return };
    let at = path("/r/e");
    let created = connection.create_ephemeral(&at, b"here", Acl::Open).await.unwrap();
    next(&mut watch).await;
    for version in [1, -2, i32::MAX] {
        let error = connection.write_and_delete(&at, version, b"left").await.unwrap_err();
        assert_eq!((error.kind(), error.outcome()), (&ErrorKind::BadVersion, Outcome::NotDone), "{version}");
    }
    let error = connection.write_and_delete(&path("/r/none"), 0, b"left").await.unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (&ErrorKind::NoNode, Outcome::NotDone));
    assert_eq!(connection.data(&at).await.unwrap(), (b"here".to_vec(), created));
    nothing_before("/r/marker", &connection, &mut watch).await;

    connection.create_ephemeral(&path("/r/e2"), b"", Acl::Open).await.unwrap();
    connection.ensure_path(&path("/parent/child"), Acl::Open).await.unwrap();
    let error = connection.write_and_delete(&path("/parent"), 0, b"left").await.unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (&ErrorKind::NotEmpty, Outcome::NotDone));
    assert_eq!(connection.data(&path("/parent")).await.unwrap().1.version, 0, "not written either");
    let large = vec![0; zk_core::MAX_DATA + 1];
    let error = connection.write_and_delete(&at, 0, &large).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::TooLarge { .. }));
}

#[tokio::test]
async fn a_told_deletion_needs_the_right_to_write_and_a_plain_one_does_not() {
    let Some((server, _zk, connection, mut watch)) = start().await else { return };
    let observer = observer(server.addr()).await;
    let readable = raw::Acl { permissions: raw::permission::READ, ..raw::Acl::open() };
    let persistent = raw::CreateMode::Persistent;
    observer.create_with_acl("/r/e", b"here", persistent, &[readable]).await.unwrap();
    next(&mut watch).await;
    let error = connection.write_and_delete(&path("/r/e"), 0, b"left").await.unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (&ErrorKind::Denied, Outcome::NotDone));
    connection.delete(&path("/r/e"), Some(0)).await.unwrap();
    let event = next(&mut watch).await;
    assert_eq!((event.kind, event.path.as_str()), (EventKind::Deleted, "/r/e"), "and no write");
}

#[tokio::test]
async fn a_told_deletion_that_exceeds_a_quota_is_refused_and_a_plain_one_is_not() {
    let Some(_) = test_zookeeper::require_apache() else { return };
    let server = zk_testing::Server::builder().java_property("zookeeper.enforceQuota", "true");
    let server = server.start().await.unwrap();
    let observer = observer(server.addr()).await;
    observer.create_all("/zookeeper/quota/r").await.unwrap();
    observer.create("/r", b"", raw::CreateMode::Persistent).await.unwrap();
    let limits = b"count=-1,bytes=-1=;byteHardLimit=8;countHardLimit=-1";
    for (name, data) in [("zookeeper_stats", &b"count=1,bytes=0"[..]), ("zookeeper_limits", limits)] {
        let at = format!("/zookeeper/quota/r/{name}");
        observer.create(&at, data, raw::CreateMode::Persistent).await.unwrap();
    }
    let zk = Zk::start(config(&server.connect_string())).unwrap();
    let (connection, at) = (connected(&zk).await, path("/r/e"));
    connection.create_ephemeral(&at, b"here", Acl::Open).await.unwrap();
    let error = connection.write_and_delete(&at, 0, b"left for a better place").await.unwrap_err();
    assert!(error.kind().is_refusal() && error.outcome() == Outcome::NotDone, "{error}");
    connection.delete(&at, Some(0)).await.unwrap();
}

/// On the embedded server, as each version that has no such transaction; and on the server of the tests, if it has none.
#[tokio::test]
async fn before_3_6_a_told_deletion_is_unsupported_and_nothing_is_sent() {
    async fn check(hosts: &str) {
        let zk = Zk::start(config(hosts)).unwrap();
        let (connection, at) = (connected(&zk).await, path("/e"));
        let created = connection.create_ephemeral(&at, b"", Acl::Open).await.unwrap();
        let error = connection.write_and_delete(&at, 0, b"left").await.unwrap_err();
        assert_eq!((error.kind(), error.outcome()), (&ErrorKind::Unsupported, Outcome::NotDone));
        assert_eq!(connection.stat(&at).await.unwrap(), Some(created));
        assert!(!connection.has_ended());
        connection.delete(&at, Some(0)).await.unwrap();
    }
    for version in [Version::V3_4, Version::V3_5] {
        let server = zk_embedded::Server::builder().version(version).start().await.unwrap();
        check(&server.connect_string()).await;
    }
    if test_zookeeper::is_old() && test_zookeeper::require().is_some() {
        let server = Server::start().await.unwrap();
        check(&server.connect_string()).await;
    }
}

/// As from ZooKeeper 3.9 on, which the embedded server imitates in this.
#[tokio::test]
async fn where_events_have_their_zxid_both_of_a_told_deletion_have_the_same() {
    let server = zk_embedded::Server::builder().event_zxids(true).start().await.unwrap();
    let zk = Zk::start(config(&server.connect_string())).unwrap();
    let connection = connected(&zk).await;
    let mut watch = connection.watch_recursive(&ZnodePath::root()).await.unwrap();
    let created = connection.create_ephemeral(&path("/e"), b"", Acl::Open).await.unwrap();
    connection.write_and_delete(&path("/e"), 0, b"left").await.unwrap();
    connection.create_ephemeral(&path("/f"), b"", Acl::Open).await.unwrap();
    connection.set_data(&path("/f"), b"", None).await.unwrap();
    connection.delete(&path("/f"), None).await.unwrap();
    let zxids: Vec<_> = std::iter::from_fn(|| watch.try_next()).map(|event| event.zxid.unwrap()).collect();
    assert_eq!(zxids.len(), 6);
    assert_eq!((zxids[0], zxids[1] == zxids[2]), (created.czxid, true));
    let others: Vec<_> = zxids.windows(2).map(|pair| pair[0] < pair[1]).collect();
    assert_eq!(others, [true, false, true, true, true], "a write and a delete by hand are two transactions");
    timeout(Duration::from_secs(5), zk.close(SOON)).await.unwrap().unwrap();
}
