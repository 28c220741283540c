//! The operations for servers without recursive watches and without reads of several znodes, and the detection of such
//! servers.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::net::SocketAddr;
use std::time::Duration;

use common::{SOON, config, connected, path};
use test_zookeeper::Server;
use tokio::time::timeout;
use zk_core::{Acl, Connection, ErrorKind, EventKind, OneShot, ServerVersion, Zk};
use zk_testing::proxy::{Op, Proxy};

/// A connection with detection, and one that is configured for an old server.
async fn connections() -> (Server, Vec<(Zk, Connection)>) {
    let server = Server::start().await.unwrap();
    let mut connections = Vec::new();
    for version in [ServerVersion::Detect, ServerVersion::Before3_6] {
        let zk = Zk::start(config(&server.connect_string()).with_server_version(version)).unwrap();
        let connection = connected(&zk).await;
        assert!(version == ServerVersion::Detect || !connection.has_recursive_watches());
        connections.push((zk, connection));
    }
    (server, connections)
}

async fn fired(mut watch: OneShot) -> Option<EventKind> {
    timeout(SOON, watch.fired()).await.expect("an event, or the end of the watch")
}

#[tokio::test]
async fn a_watch_of_a_list_fires_for_one_change() {
    let Some(_) = test_zookeeper::require() else { return };
    let (_server, connections) = connections().await;
    for (_zk, connection) in &connections {
        let root = path("/list");
        let missing = connection.watch_children(&root).await.unwrap_err();
        assert_eq!(*missing.kind(), ErrorKind::NoNode);
        connection.ensure_path(&root, Acl::Open).await.unwrap();
        let (names, _, watch) = connection.watch_children(&root).await.unwrap();
        assert!(names.is_empty());
        let stat = connection.create_ephemeral(&root.join("a").unwrap(), b"x", Acl::Open).await.unwrap();
        assert_eq!(stat.ephemeral_owner, Some(connection.session().id));
        assert_eq!(fired(watch).await, Some(EventKind::ChildrenChanged));
        let (names, _, watch) = connection.watch_children(&root).await.unwrap();
        assert_eq!(names, ["a"]);
        connection.delete(&root.join("a").unwrap(), None).await.unwrap();
        assert_eq!(fired(watch).await, Some(EventKind::ChildrenChanged));
        let (_, _, watch) = connection.watch_children(&root).await.unwrap();
        connection.delete(&root, None).await.unwrap();
        assert_eq!(fired(watch).await, Some(EventKind::Deleted));
    }
}

#[tokio::test]
async fn a_watch_of_data_fires_for_one_change_and_ends_with_the_connection() {
    let Some(_) = test_zookeeper::require() else { return };
    let (_server, connections) = connections().await;
    for (zk, connection) in &connections {
        let at = path("/data");
        connection.create_ephemeral(&at, b"x", Acl::Open).await.unwrap();
        let (data, stat, watch) = connection.watch_data(&at).await.unwrap();
        assert_eq!((data.as_slice(), stat.version), (b"x".as_slice(), 0));
        connection.set_data(&at, b"y", Some(0)).await.unwrap();
        assert_eq!(fired(watch).await, Some(EventKind::DataChanged));
        let (_, _, watch) = connection.watch_data(&at).await.unwrap();
        connection.delete(&at, None).await.unwrap();
        assert_eq!(fired(watch).await, Some(EventKind::Deleted));

        connection.create_ephemeral(&at, b"x", Acl::Open).await.unwrap();
        let (_, _, watch) = connection.watch_data(&at).await.unwrap();
        zk.close(Duration::from_secs(2)).await.unwrap();
        // The connection ends before the znode is deleted, so no event arrives.
        assert_eq!(fired(watch).await, None);
    }
}

#[tokio::test]
async fn read_many_returns_one_result_for_each_znode() {
    let Some(_) = test_zookeeper::require() else { return };
    let (_server, connections) = connections().await;
    for (_zk, connection) in &connections {
        assert_eq!(connection.read_many(&[]).await.unwrap(), []);
        for name in ["/a", "/c"] {
            connection.create_ephemeral(&path(name), name.as_bytes(), Acl::Open).await.unwrap();
        }
        let readings = connection.read_many(&[path("/a"), path("/b"), path("/c")]).await.unwrap();
        let data: Vec<_> = readings.iter().map(|r| r.as_ref().map(|(data, _)| data.as_slice())).collect();
        assert_eq!(data, [Ok(b"/a".as_slice()), Err(&ErrorKind::NoNode), Ok(b"/c".as_slice())]);
        let too_many = vec![path("/a"); zk_core::MAX_READS + 1];
        let refused = connection.read_many(&too_many).await.unwrap_err();
        assert!(matches!(refused.kind(), ErrorKind::TooMany { size: 257, limit: 256 }), "{refused}");
        for name in ["/a", "/c"] {
            connection.delete(&path(name), None).await.unwrap();
        }
    }
}

/// On an old server a take-over is two requests, with the same result.
#[tokio::test]
async fn a_take_over_replaces_the_znode_by_ours() {
    let Some(_) = test_zookeeper::require() else { return };
    let (_server, connections) = connections().await;
    let at = path("/name");
    let owner = &connections[0].1;
    for (_zk, connection) in &connections {
        owner.create_ephemeral(&at, b"old", Acl::Open).await.unwrap();
        let refused = connection.take_over(&at, 7, b"new", Acl::Open).await.unwrap_err();
        assert_eq!(*refused.kind(), ErrorKind::BadVersion);
        connection.take_over(&at, 0, b"new", Acl::Open).await.unwrap();
        let (data, stat) = connection.data(&at).await.unwrap();
        assert_eq!(
            (data.as_slice(), stat.ephemeral_owner),
            (b"new".as_slice(), Some(connection.session().id))
        );
        connection.delete(&at, None).await.unwrap();
    }
}

/// Servers before 3.5 do not know the request that removes a watch, and close the connection.
#[tokio::test]
async fn a_dropped_watch_does_not_end_the_connection() {
    let Some(_) = test_zookeeper::require() else { return };
    let (_server, connections) = connections().await;
    for (_zk, connection) in &connections {
        let (_, watch) = connection.watch_exists(&path("/nothing")).await.unwrap();
        drop(watch);
        for _ in 0..20 {
            connection.sync(&path("/")).await.unwrap();
        }
        assert!(!connection.has_ended());
        let (_, watch) = connection.watch_exists(&path("/nothing")).await.unwrap();
        connection.create_ephemeral(&path("/nothing"), b"", Acl::Open).await.unwrap();
        assert_eq!(fired(watch).await, Some(EventKind::Created));
        connection.delete(&path("/nothing"), None).await.unwrap();
    }
}

/// On Apache ZooKeeper 3.4, if it is installed.
#[tokio::test]
async fn an_old_server_is_detected_before_the_link_is_connected() {
    let Some(_) = zk_testing::require_old() else { return };
    let server = zk_testing::Server::builder().old().start().await.unwrap();
    is_detected(server.addr()).await;
}

#[tokio::test]
async fn an_embedded_server_as_3_4_is_detected_before_the_link_is_connected() {
    let server = zk_embedded::Server::builder().tick(Duration::from_millis(200));
    let server = server.version(zk_embedded::Version::V3_4).start().await.unwrap();
    is_detected(server.addr()).await;
    // The refusal and the end of the connection arrive at the same moment: the link sees the refusal each time.
    for _ in 0..20 {
        let proxy = Proxy::start(server.addr()).await.unwrap();
        let zk = Zk::start(config(&proxy.connect_string())).unwrap();
        assert!(!connected(&zk).await.has_recursive_watches());
        let connects = proxy.requests().iter().filter(|request| request.op == Op::Connect).count();
        assert_eq!(connects, 2, "one for the detection, and one that stays");
        zk.close(SOON).await.unwrap();
    }
}

async fn is_detected(server: SocketAddr) {
    let auth = zk_core::Auth::digest("ann", "secret").unwrap();
    let zk = Zk::start(config(&server.to_string()).with_auth(auth)).unwrap();
    let connection = connected(&zk).await;
    assert!(!connection.has_recursive_watches());
    let refused = connection.watch_recursive(&path("/")).await.unwrap_err();
    assert_eq!(*refused.kind(), ErrorKind::Unsupported);
    let refused = connection.identities().await.unwrap_err();
    assert_eq!(*refused.kind(), ErrorKind::Unsupported);
    let stat = connection.create_ephemeral(&path("/a"), b"x", Acl::Creator).await.unwrap();
    assert_eq!(stat.ephemeral_owner, Some(connection.session().id));
    connection.take_over(&path("/a"), 0, b"y", Acl::Creator).await.unwrap();
    let state = zk.state();
    assert_eq!((state.epoch, state.reconnects), (1, 0), "the detection is no reconnect");
    zk.close(Duration::from_secs(2)).await.unwrap();
}
