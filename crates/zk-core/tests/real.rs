//! A link to a real Apache ZooKeeper, through a proxy where the network fails.
//!
//! D1 to D7 are the defects of the client crate that `transport::apache` works around; a test that names one fails
//! without its workaround.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::time::Duration;

use common::{SESSION, SOON, config, connected, observer, path, state_where, trouble};
use test_zookeeper::Server;
use tokio::time::{Instant, sleep, timeout};
use zk_core::{
    Acl, Auth, CloseReason, ConnectError, ErrorKind, EventKind, Outcome, Phase, State, Zk, ZnodePath,
};
use zk_testing::proxy::{Action, Match, Op, Proxy};
use zk_testing::{eventually, expire_session, holds_within, raw};

/// For tests of recursive watches: `None` if the server does not know them.
fn require_recursive_watches() -> Option<()> {
    if test_zookeeper::is_old() { None } else { test_zookeeper::require() }
}

/// The number of session threads of this process.
fn session_threads() -> usize {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    let name = |task: std::io::Result<std::fs::DirEntry>| {
        std::fs::read_to_string(task.ok()?.path().join("comm")).ok()
    };
    tasks.filter_map(name).filter(|name| name.trim() == "zk-session").count()
}

/// D4: the crate alone ends the session after 1.4 session timeouts, and earlier if its waits have grown.
#[tokio::test]
async fn a_session_and_its_znodes_survive_an_outage_of_three_session_timeouts() {
    let Some(_) = test_zookeeper::require() else { return };
    let mut server = Server::start().await.unwrap();
    let zk = Zk::start(config(&server.connect_string())).unwrap();
    let before = connected(&zk).await.create_ephemeral(&path("/here"), b"", Acl::Open).await.unwrap();
    let session = zk.state().session.unwrap();

    server.kill().await;
    state_where(&zk, "suspended", |state| state.phase == Phase::Suspended).await;
    state_where(&zk, "lost", |state| state.phase == Phase::Lost).await;
    sleep(2 * SESSION).await;
    server.start_again().await.unwrap();

    let state = state_where(&zk, "connected", State::is_connected).await;
    assert_eq!((state.session, state.epoch, state.reconnects), (Some(session), 1, 1));
    // Beyond the moment at which the ensemble would expire a session without a client.
    sleep(SESSION + Duration::from_millis(500)).await;
    let after = connected(&zk).await.stat(&path("/here")).await.unwrap().expect("still there");
    assert_eq!(after, before);
}

#[tokio::test]
async fn a_link_can_start_before_zookeeper() {
    let Some(_) = test_zookeeper::require() else { return };
    let mut server = Server::start().await.unwrap();
    server.kill().await;
    let zk = Zk::start(config(&server.connect_string())).unwrap();
    let state = state_where(&zk, "trouble", |state| state.trouble.is_some()).await;
    assert_eq!((state.phase, state.epoch, state.session), (Phase::Lost, 0, None));
    assert!(matches!(state.trouble, Some(ConnectError::Unreachable(_))), "{:?}", state.trouble);
    server.start_again().await.unwrap();
    let state = state_where(&zk, "connected", State::is_connected).await;
    assert_eq!((state.epoch, state.reconnects, state.trouble), (1, 0, None));
}

/// D1: after a reconnect by the crate itself its watcher would be silent for ever.
#[tokio::test]
async fn a_watch_ends_with_its_connection_and_a_new_watch_sees_later_events() {
    let Some(_) = require_recursive_watches() else { return };
    let server = Server::start().await.unwrap();
    let proxy = Proxy::start(server.addr()).await.unwrap();
    let zk = Zk::start(config(&proxy.connect_string())).unwrap();
    let observer = observer(server.addr()).await;

    let first = connected(&zk).await;
    let mut events = first.watch_recursive(&path("/root")).await.unwrap();
    observer.create_all("/root/a").await.unwrap();
    for expected in ["/root", "/root/a"] {
        let event = timeout(SOON, events.next()).await.unwrap().unwrap();
        assert_eq!((event.kind, event.path.as_str()), (EventKind::Created, expected));
    }

    proxy.cut().await;
    assert_eq!(timeout(SOON, events.next()).await.unwrap(), None, "the stream ends");
    assert_eq!(timeout(SOON, events.next()).await.unwrap(), None, "and stays ended");
    timeout(SOON, first.ended()).await.unwrap();

    let second = connected(&zk).await;
    assert_eq!(second.session(), first.session());
    let mut events = second.watch_recursive(&path("/root")).await.unwrap();
    observer.delete("/root/a", None).await.unwrap();
    let event = timeout(SOON, events.next()).await.unwrap().unwrap();
    assert_eq!((event.kind, event.path.as_str()), (EventKind::Deleted, "/root/a"));
}

/// A reader must tell the end of the connection from an overrun queue, and from a request that failed for itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watch_or_a_request_that_ends_with_its_connection_finds_it_ended() {
    let Some(_) = require_recursive_watches() else { return };
    let server = Server::start().await.unwrap();
    let proxy = Proxy::start(server.addr()).await.unwrap();
    let zk = Zk::start(config(&proxy.connect_string())).unwrap();
    for round in 0..10 {
        let connection = connected(&zk).await;
        let mut recursive = connection.watch_recursive(&path("/root")).await.unwrap();
        let (_, mut one_shot) = connection.watch_exists(&path("/one")).await.unwrap();
        proxy.on(Op::GetData, Action::CutBeforeRequest);
        let finds_it_ended = |what: &str| assert!(connection.has_ended(), "round {round}: {what}");
        tokio::join!(
            async {
                assert_eq!(timeout(SOON, recursive.next()).await.unwrap(), None);
                finds_it_ended("the recursive watch");
            },
            async {
                assert_eq!(timeout(SOON, one_shot.fired()).await.unwrap(), None);
                finds_it_ended("the one-shot watch");
            },
            async {
                let error = timeout(SOON, connection.data(&path("/"))).await.unwrap().unwrap_err();
                finds_it_ended(&error.to_string());
            },
        );
    }
}

#[tokio::test]
async fn an_event_arrives_before_the_reply_to_a_later_request() {
    let Some(_) = require_recursive_watches() else { return };
    let server = Server::start().await.unwrap();
    let zk = Zk::start(config(&server.connect_string())).unwrap();
    let connection = connected(&zk).await;
    let mut events = connection.watch_recursive(&path("/root")).await.unwrap();
    for round in 0..100 {
        let child = path(&format!("/root{round}"));
        let mut own = connection.watch_recursive(&child).await.unwrap();
        connection.create_ephemeral(&child, b"", Acl::Open).await.unwrap();
        assert_eq!(own.try_next().map(|event| event.kind), Some(EventKind::Created), "round {round}");
    }
    assert_eq!(events.try_next(), None);
}

#[tokio::test]
async fn the_state_counts_every_reconnect_and_no_session_thread_is_left() {
    let Some(_) = test_zookeeper::require() else { return };
    let server = Server::start().await.unwrap();
    let proxy = Proxy::start(server.addr()).await.unwrap();
    let zk = Zk::start(config(&proxy.connect_string())).unwrap();
    connected(&zk).await;
    for cut in 1..=12 {
        proxy.cut().await;
        state_where(&zk, "one more reconnect", |state| state.reconnects == cut && state.is_connected()).await;
    }
    let state = zk.state();
    assert_eq!(state.epoch, 1);
    let connects = proxy.requests().iter().filter(|request| request.op == Op::Connect).count();
    // An old server closes the connection at the request that detects it.
    let detections = u64::from(test_zookeeper::is_old());
    assert_eq!(connects as u64, state.reconnects + 1 + detections, "as many as the proxy saw");
    // Other tests of this process have session threads, too, but few.
    assert!(session_threads() < 12, "{} session threads", session_threads());
}

/// D5: a lost connection has many errors, and one meaning.
#[tokio::test]
async fn a_lost_reply_leaves_the_outcome_unknown_however_it_was_lost() {
    let Some(_) = test_zookeeper::require() else { return };
    let server = Server::start().await.unwrap();
    let proxy = Proxy::start(server.addr()).await.unwrap();
    let zk = Zk::start(config(&proxy.connect_string()).with_operation_timeout(SESSION / 4).unwrap()).unwrap();
    let observer = observer(server.addr()).await;

    let cut = proxy.on(Match::creates(), Action::CutAfterRequest);
    let error = connected(&zk).await.create_ephemeral(&path("/reset"), b"", Acl::Open).await.unwrap_err();
    assert!(cut.fired());
    assert_eq!(error.outcome(), Outcome::Unknown, "{error}");
    assert!(observer.exists("/reset").await.unwrap().is_some(), "the server has created it");

    let connection = connected(&zk).await;
    let swallowed = proxy.on(Match::creates(), Action::SwallowReply);
    let error = connection.create_ephemeral(&path("/silent"), b"", Acl::Open).await.unwrap_err();
    assert!(swallowed.fired());
    assert_eq!(error.kind(), &ErrorKind::Timeout(SESSION / 4), "the configured timeout");
    assert_eq!(error.outcome(), Outcome::Unknown);
    assert!(connection.stat(&path("/silent")).await.unwrap().is_some(), "a later stat is final");

    let hung = proxy.on(Match::op(Op::Exists), Action::SwallowReply);
    let at = path("/closed");
    let closing = connection.stat(&at);
    let (outcome, ()) = tokio::join!(closing, async {
        assert!(hung.wait_fired(SOON).await);
        proxy.cut_cleanly().await;
    });
    assert_eq!(outcome.unwrap_err().outcome(), Outcome::Unknown);
    // The replies are delivered just before the end is published.
    timeout(SOON, connection.ended()).await.unwrap();

    let connection = connected(&zk).await;
    let cut = proxy.on(Match::creates(), Action::CutBeforeRequest);
    let error = connection.create_ephemeral(&path("/never"), b"", Acl::Open).await.unwrap_err();
    assert!(cut.fired());
    assert_eq!(error.outcome(), Outcome::Unknown, "the client cannot know that nothing was sent");
}

#[tokio::test]
async fn an_operation_on_an_ended_connection_fails_at_once_and_is_never_sent() {
    let Some(_) = test_zookeeper::require() else { return };
    let server = Server::start().await.unwrap();
    let proxy = Proxy::start(server.addr()).await.unwrap();
    let zk = Zk::start(config(&proxy.connect_string())).unwrap();
    let connection = connected(&zk).await;
    proxy.refuse().await;
    timeout(SOON, connection.ended()).await.unwrap();
    let error = connection.create_ephemeral(&path("/ghost"), b"", Acl::Open).await.unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (&ErrorKind::NotConnected, Outcome::NotDone));
    assert!(zk.connection().is_none());
    proxy.pass().await.unwrap();
    connected(&zk).await.sync(&ZnodePath::root()).await.unwrap();
    assert!(observer(server.addr()).await.exists("/ghost").await.unwrap().is_none());
}

/// D6: after the end of the session some watchers of the crate panic when polled, and others hang.
#[tokio::test]
async fn an_expired_session_ends_its_watches_and_a_new_epoch_begins() {
    let Some(_) = require_recursive_watches() else { return };
    let server = Server::start().await.unwrap();
    let zk = Zk::start(config(&server.connect_string())).unwrap();
    let connection = connected(&zk).await;
    connection.create_ephemeral(&path("/mine"), b"", Acl::Open).await.unwrap();
    let mut events = connection.watch_recursive(&path("/else")).await.unwrap();
    let (_, mut exists) = connection.watch_exists(&path("/mine")).await.unwrap();

    expire_session(server.addr(), connection.session().id.0).await.unwrap();

    let state = state_where(&zk, "a second epoch", |state| state.epoch == 2).await;
    assert!(state.is_connected());
    assert_ne!(state.session.unwrap().id, connection.session().id);
    // The server may send the deletion before the end of the session.
    let fired = timeout(SOON, exists.fired()).await.unwrap();
    assert!(fired.is_none() || fired == Some(EventKind::Deleted), "{fired:?}");
    for _ in 0..2 {
        assert_eq!(timeout(SOON, exists.fired()).await.unwrap(), None);
        assert_eq!(timeout(SOON, events.next()).await.unwrap(), None);
    }
    assert!(connection.has_ended());
    assert!(connected(&zk).await.stat(&path("/mine")).await.unwrap().is_none());
}

#[tokio::test]
async fn an_exists_watch_fires_once_for_creation_deletion_and_write() {
    let Some(_) = test_zookeeper::require() else { return };
    let server = Server::start().await.unwrap();
    let zk = Zk::start(config(&server.connect_string())).unwrap();
    let (connection, observer, at) = (connected(&zk).await, observer(server.addr()).await, path("/x"));

    let (stat, mut watch) = connection.watch_exists(&at).await.unwrap();
    assert_eq!(stat, None);
    assert!(
        timeout(Duration::from_millis(50), watch.fired()).await.is_err(),
        "the watch stays armed when the future is dropped"
    );
    observer.create("/x", b"", raw::CreateMode::Persistent).await.unwrap();
    assert_eq!(timeout(SOON, watch.fired()).await.unwrap(), Some(EventKind::Created));
    assert_eq!(timeout(SOON, watch.fired()).await.unwrap(), None);

    let (stat, mut watch) = connection.watch_exists(&at).await.unwrap();
    assert!(stat.is_some());
    observer.set("/x", b"1", None).await.unwrap();
    assert_eq!(timeout(SOON, watch.fired()).await.unwrap(), Some(EventKind::DataChanged));
    let (_, mut watch) = connection.watch_exists(&at).await.unwrap();
    observer.delete("/x", None).await.unwrap();
    assert_eq!(timeout(SOON, watch.fired()).await.unwrap(), Some(EventKind::Deleted));
}

#[tokio::test]
async fn close_returns_when_the_ephemeral_znodes_are_gone() {
    let Some(_) = require_recursive_watches() else { return };
    let server = Server::start().await.unwrap();
    let zk = Zk::start(config(&server.connect_string())).unwrap();
    let connection = connected(&zk).await;
    connection.create_ephemeral(&path("/mine"), b"", Acl::Open).await.unwrap();
    // Neither the watch nor the connection keeps the session open.
    let _watch = connection.watch_recursive(&path("/mine")).await.unwrap();
    let observer = observer(server.addr()).await;
    zk.close(SOON).await.unwrap();
    assert!(observer.exists("/mine").await.unwrap().is_none());
    assert_eq!(zk.state().phase, Phase::Closed(CloseReason::Clean));
    assert!(zk.connected().await.is_err());
    zk.clone().close(SOON).await.unwrap();
}

#[tokio::test]
async fn close_of_a_suspended_link_reconnects_and_closes_the_session() {
    let Some(_) = test_zookeeper::require() else { return };
    let server = Server::start().await.unwrap();
    let proxy = Proxy::start(server.addr()).await.unwrap();
    let zk = Zk::start(config(&proxy.connect_string())).unwrap();
    connected(&zk).await.create_ephemeral(&path("/mine"), b"", Acl::Open).await.unwrap();
    let observer = observer(server.addr()).await;
    proxy.refuse().await;
    state_where(&zk, "suspended", |state| state.phase == Phase::Suspended).await;
    let (closed, ()) = tokio::join!(zk.close(SOON), async {
        sleep(Duration::from_millis(200)).await;
        proxy.pass().await.unwrap();
    });
    closed.unwrap();
    assert!(observer.exists("/mine").await.unwrap().is_none());
}

#[tokio::test]
async fn close_reports_the_lingering_session_if_no_server_replies() {
    let Some(_) = test_zookeeper::require() else { return };
    let mut server = Server::start().await.unwrap();
    let zk = Zk::start(config(&server.connect_string())).unwrap();
    let session = connected(&zk).await.session();
    server.kill().await;
    state_where(&zk, "suspended", |state| state.phase == Phase::Suspended).await;
    let lingering = zk.close(Duration::from_millis(300)).await.unwrap_err();
    assert_eq!((lingering.session, lingering.up_to), (session.id, session.timeout));

    server.start_again().await.unwrap();
    let zk = Zk::start(config(&server.connect_string())).unwrap();
    connected(&zk).await;
    server.pause().await.unwrap();
    let started = Instant::now();
    zk.close(Duration::from_millis(300)).await.unwrap_err();
    assert!(started.elapsed() < Duration::from_secs(1), "{:?}", started.elapsed());
}

#[tokio::test]
async fn dropping_the_last_handle_closes_the_session() {
    let Some(_) = test_zookeeper::require() else { return };
    let server = Server::start().await.unwrap();
    let zk = Zk::start(config(&server.connect_string())).unwrap();
    connected(&zk).await.create_ephemeral(&path("/mine"), b"", Acl::Open).await.unwrap();
    let observer = observer(server.addr()).await;
    drop(zk);
    let gone = async || observer.exists("/mine").await.unwrap().is_none();
    holds_within("the znode is gone long before its session would expire", SESSION / 2, gone).await.unwrap();
}

#[tokio::test(flavor = "current_thread")]
async fn a_blocked_runtime_keeps_its_session() {
    let Some(_) = test_zookeeper::require() else { return };
    let server = Server::start().await.unwrap();
    let zk = Zk::start(config(&server.connect_string())).unwrap();
    let session = connected(&zk).await.session();
    std::thread::sleep(2 * session.timeout);
    connected(&zk).await.sync(&ZnodePath::root()).await.unwrap();
    let state = zk.state();
    assert_eq!((state.session, state.epoch, state.reconnects), (Some(session), 1, 0));
}

#[tokio::test]
async fn a_link_gets_a_new_session_from_an_ensemble_that_lost_its_data() {
    let Some(_) = test_zookeeper::require() else { return };
    let mut server = Server::start().await.unwrap();
    let zk = Zk::start(config(&server.connect_string())).unwrap();
    // Raises the zxid: the new server would refuse a client that remembers the higher one for ever.
    for name in ["/a", "/b", "/c"] {
        connected(&zk).await.create_ephemeral(&path(name), b"", Acl::Open).await.unwrap();
    }
    server.kill().await;
    server.wipe().unwrap();
    server.start_again().await.unwrap();
    let state = state_where(&zk, "a second epoch", |state| state.epoch == 2 && state.is_connected()).await;
    assert_eq!(state.reconnects, 1);
    assert!(connected(&zk).await.stat(&path("/a")).await.unwrap().is_none());
}

#[tokio::test]
async fn a_chroot_is_the_root_of_every_path() {
    let Some(_) = require_recursive_watches() else { return };
    let server = Server::start().await.unwrap();
    let zk = Zk::start(config(&format!("{}/deep/root", server.connect_string()))).unwrap();
    let connection = connected(&zk).await;
    let error = connection.create_ephemeral(&path("/s/x"), b"", Acl::Open).await.unwrap_err();
    assert_eq!((error.kind(), error.path().as_str()), (&ErrorKind::NoNode, "/s/x"));
    let mut events = connection.watch_recursive(&path("/s")).await.unwrap();
    connection.ensure_path(&path("/s"), Acl::Open).await.unwrap();
    connection.ensure_path(&path("/s"), Acl::Open).await.unwrap();
    connection.create_ephemeral(&path("/s/x"), b"1", Acl::Open).await.unwrap();
    for expected in ["/s", "/s/x"] {
        assert_eq!(events.try_next().unwrap().path.as_str(), expected);
    }
    assert_eq!(connection.children(&path("/s")).await.unwrap().0, ["x"]);
    assert!(observer(server.addr()).await.exists("/deep/root/s/x").await.unwrap().is_some());
}

#[tokio::test]
async fn operations_return_the_replies_of_the_server() {
    let Some(_) = require_recursive_watches() else { return };
    let server = Server::start().await.unwrap();
    let zk = Zk::start(config(&server.connect_string())).unwrap();
    let (connection, observer, at) = (connected(&zk).await, observer(server.addr()).await, path("/p/x"));
    let kind = |result: Result<(), zk_core::Error>| result.map_err(|error| error.kind().clone());

    assert_eq!(kind(connection.delete(&at, None).await), Err(ErrorKind::NoNode));
    assert_eq!(connection.data(&at).await.unwrap_err().kind(), &ErrorKind::NoNode);
    assert_eq!(connection.children(&at).await.unwrap_err().kind(), &ErrorKind::NoNode);
    connection.ensure_path(&path("/p"), Acl::Open).await.unwrap();
    let born = connection.create_ephemeral(&at, b"1", Acl::Open).await.unwrap();
    assert_eq!(born.ephemeral_owner, Some(connection.session().id));
    let again = connection.create_ephemeral(&at, b"1", Acl::Open).await.unwrap_err();
    assert_eq!(again.kind(), &ErrorKind::NodeExists);
    assert_eq!(kind(connection.delete(&path("/p"), None).await), Err(ErrorKind::NotEmpty));
    let written = connection.set_data(&at, b"2", Some(0)).await.unwrap();
    assert_eq!((written.version, written.czxid), (1, born.czxid));
    assert_eq!(connection.set_data(&at, b"3", Some(0)).await.unwrap_err().kind(), &ErrorKind::BadVersion);
    assert_eq!(connection.data(&at).await.unwrap(), (b"2".to_vec(), written));
    assert_eq!(kind(connection.delete(&at, Some(0)).await), Err(ErrorKind::BadVersion));
    connection.delete(&at, Some(1)).await.unwrap();

    // A take-over of the znode of another session, in one transaction.
    observer.create("/p/x", b"old", raw::CreateMode::Ephemeral).await.unwrap();
    assert_eq!(kind(connection.take_over(&at, 7, b"new", Acl::Open).await), Err(ErrorKind::BadVersion));
    let mut events = connection.watch_recursive(&path("/p")).await.unwrap();
    connection.take_over(&at, 0, b"new", Acl::Open).await.unwrap();
    let kinds: Vec<_> = std::iter::from_fn(|| events.try_next()).map(|event| event.kind).collect();
    assert_eq!(kinds, [EventKind::Deleted, EventKind::Created]);
    let (data, stat) = connection.data(&at).await.unwrap();
    assert_eq!((&data[..], stat.ephemeral_owner), (&b"new"[..], Some(connection.session().id)));

    let large = vec![0; zk_core::MAX_DATA + 1];
    let error = connection.set_data(&at, &large, None).await.unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::TooLarge { size: large.len(), limit: zk_core::MAX_DATA });
    assert_eq!(error.outcome(), Outcome::NotDone);
    for error in [
        connection.create_ephemeral(&path("/p/y"), &large, Acl::Open).await.map(|_| ()),
        connection.take_over(&at, stat.version, &large, Acl::Open).await,
    ] {
        assert!(matches!(error.unwrap_err().kind(), ErrorKind::TooLarge { .. }));
    }
    connection.set_data(&at, &large[1..], None).await.unwrap();
    assert!(!connection.has_ended());
}

/// Otherwise the name would be missing for a moment, or for good.
#[tokio::test]
async fn a_take_over_without_the_right_to_create_does_not_delete() {
    // On an old server a take-over is two requests, as documented.
    let Some(_) = require_recursive_watches() else { return };
    let server = Server::start().await.unwrap();
    let proxy = Proxy::start(server.addr()).await.unwrap();
    let zk = Zk::start(config(&proxy.connect_string())).unwrap();
    let (connection, observer) = (connected(&zk).await, observer(server.addr()).await);
    let rights = raw::permission::READ | raw::permission::DELETE | raw::permission::ADMIN;
    observer.create_all("/p").await.unwrap();
    observer.create("/p/x", b"old", raw::CreateMode::Ephemeral).await.unwrap();
    observer.set_acl("/p", &[raw::Acl::new(rights, "world", "anyone")]).await.unwrap();
    let before = observer.get("/p/x").await.unwrap();
    proxy.clear();
    let denied = connection.take_over(&path("/p/x"), 0, b"new", Acl::Open).await.unwrap_err();
    assert_eq!((denied.kind(), denied.outcome()), (&ErrorKind::Denied, Outcome::NotDone));
    assert_eq!(observer.get("/p/x").await.unwrap(), before);
    observer.set_acl("/p", &[raw::Acl::open()]).await.unwrap();
    connection.take_over(&path("/p/x"), 0, b"new", Acl::Open).await.unwrap();
    let sent = proxy.requests().into_iter().map(|request| request.op).filter(|op| *op != Op::Ping);
    assert_eq!(sent.collect::<Vec<_>>(), [Op::Multi, Op::Multi]);
}

/// If it dropped events instead, its reader would miss changes for ever.
#[tokio::test]
async fn a_watch_that_is_not_read_ends_when_its_queue_is_full() {
    let Some(_) = require_recursive_watches() else { return };
    let server = Server::start().await.unwrap();
    let zk = Zk::start(config(&server.connect_string())).unwrap();
    let (connection, observer) = (connected(&zk).await, observer(server.addr()).await);
    observer.create("/x", b"", raw::CreateMode::Persistent).await.unwrap();
    let mut events = connection.watch_recursive(&path("/x")).await.unwrap();
    const QUEUE: usize = 16_384;
    for _ in 0..QUEUE / 128 + 1 {
        let writes = (0..128).map(|_| observer.set("/x", b"", None));
        futures_util::future::try_join_all(writes).await.unwrap();
    }
    connection.sync(&path("/x")).await.unwrap();
    let queued = std::iter::from_fn(|| events.try_next()).count();
    assert_eq!(queued, QUEUE, "every event until the queue was full");
    assert_eq!(
        timeout(SOON, events.next()).await.unwrap(),
        None,
        "then the watch has ended, and is not silent"
    );
    // The connection remains.
    let mut again = connection.watch_recursive(&path("/x")).await.unwrap();
    observer.set("/x", b"", None).await.unwrap();
    assert!(timeout(SOON, again.next()).await.unwrap().is_some());
}

/// An operation of several requests has one deadline.
#[tokio::test]
async fn ensure_path_has_one_deadline_for_all_its_requests() {
    let Some(_) = test_zookeeper::require() else { return };
    let server = Server::start().await.unwrap();
    let proxy = Proxy::start(server.addr()).await.unwrap();
    let limit = Duration::from_millis(400);
    let zk = Zk::start(config(&proxy.connect_string()).with_operation_timeout(limit).unwrap()).unwrap();
    let connection = connected(&zk).await;
    // Each single request is in time.
    proxy.delay(limit / 8).await.unwrap();
    let error = connection.ensure_path(&path("/a/b/c/d/e/f"), Acl::Open).await.unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (&ErrorKind::Timeout(limit), Outcome::Unknown));
}

#[tokio::test]
async fn a_creators_acl_lets_other_clients_read_and_not_write() {
    let Some(_) = test_zookeeper::require() else { return };
    let server = Server::start().await.unwrap();
    let digest =
        |password| config(&server.connect_string()).with_auth(Auth::digest("user", password).unwrap());
    let (owner, same, other) = (
        Zk::start(digest("secret")).unwrap(),
        Zk::start(digest("secret")).unwrap(),
        Zk::start(digest("wrong")).unwrap(),
    );
    let at = path("/mine");
    connected(&owner).await.create_ephemeral(&at, b"", Acl::Creator).await.unwrap();
    connected(&same).await.data(&at).await.unwrap();
    connected(&same).await.set_data(&at, b"1", None).await.unwrap();
    let other = connected(&other).await;
    assert_eq!(other.data(&at).await.unwrap().0, b"1");
    let error = other.set_data(&at, b"2", None).await.unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (&ErrorKind::Denied, Outcome::NotDone));
    let unauthenticated = Zk::start(config(&server.connect_string())).unwrap();
    let error = connected(&unauthenticated).await.create_ephemeral(&path("/x"), b"", Acl::Creator).await;
    assert!(matches!(error.unwrap_err().kind(), ErrorKind::Refused(_)));
}

#[tokio::test]
async fn a_link_connects_by_name_by_ipv6_address_and_past_dead_hosts() {
    let Some(_) = test_zookeeper::require() else { return };
    let server = Server::start().await.unwrap();
    let port = server.addr().port();
    let v6 = tokio::net::TcpListener::bind("[::1]:0").await.expect("IPv6 on the loopback interface");
    let v6_port = v6.local_addr().unwrap().port();
    let upstream = server.addr();
    let bridge = tokio::spawn(async move {
        loop {
            let (mut here, _) = v6.accept().await.unwrap();
            tokio::spawn(async move {
                let mut there = tokio::net::TcpStream::connect(upstream).await.unwrap();
                let _ = tokio::io::copy_bidirectional(&mut here, &mut there).await;
            });
        }
    });
    let dead = {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        free.local_addr().unwrap()
    };
    for hosts in [
        format!("localhost:{port}"),
        format!("[::1]:{v6_port}"),
        format!(" 127.0.0.1:{port} , "),
        format!("{dead}, no-such-host.invalid:2181, 127.0.0.1:{port}"),
    ] {
        let zk = Zk::start(config(&hosts)).unwrap();
        connected(&zk).await.sync(&ZnodePath::root()).await.unwrap_or_else(|e| panic!("{hosts}: {e}"));
        zk.close(SOON).await.unwrap();
    }
    bridge.abort();
}

/// D3, the first connect: without a route the crate would spin on a thread that cannot be stopped.
#[tokio::test]
async fn without_a_route_the_link_reports_the_cause_and_starts_no_thread() {
    // An address for documentation: without any route the kernel refuses it at once.
    let unroutable = "[2001:db8::1]:2181";
    let no_route = tokio::net::TcpStream::connect(unroutable);
    let cause = match timeout(Duration::from_secs(1), no_route).await {
        Ok(Err(error)) if error.kind() == std::io::ErrorKind::NetworkUnreachable => error.to_string(),
        other => {
            return zk_testing::skipped(format_args!("this machine has a route to {unroutable}: {other:?}"));
        }
    };
    let zk = Zk::start(config(unroutable)).unwrap();
    let trouble = trouble(&zk).await.to_string();
    assert!(trouble.contains(&cause), "{cause} is missing: {trouble}");
    let closed = timeout(Duration::from_secs(1), zk.close(Duration::from_millis(100))).await;
    closed.expect("close is prompt").expect("there was no session");
}

/// D3, the reconnect: in a network namespace whose loopback interface loses its address for a while.
#[test]
fn a_link_without_a_route_uses_little_processor_time_and_reconnects_when_the_route_returns() {
    let Some(_) = test_zookeeper::require() else { return };
    if std::env::var_os("ZK_CORE_TEST_NAMESPACE").is_some() {
        return;
    }
    let inside = |program: &std::ffi::OsStr, arguments: &[&str]| {
        let mut unshare = std::process::Command::new("unshare");
        unshare.args(["--user", "--map-root-user", "--net", "--"]).arg(program).args(arguments);
        unshare.env("ZK_CORE_TEST_NAMESPACE", "1").output()
    };
    // Checks that namespaces can be created and changed.
    match inside("ip".as_ref(), &["link", "set", "lo", "up"]) {
        Ok(output) if output.status.success() => {}
        Ok(output) => {
            let text = String::from_utf8_lossy(&output.stderr);
            return zk_testing::skipped(format_args!("no network namespaces here: {text}"));
        }
        Err(error) => return zk_testing::skipped(format_args!("unshare: {error}")),
    }
    let test = std::env::current_exe().unwrap();
    let output = inside(
        test.as_os_str(),
        &["--exact", "in_namespace_a_link_reconnects_when_the_route_returns", "--ignored", "--nocapture"],
    )
    .unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && out.contains("1 passed"), "{err}\n{out}");
}

#[tokio::test]
#[ignore = "run by a_link_without_a_route_uses_little_processor_time_and_reconnects_when_the_route_returns"]
async fn in_namespace_a_link_reconnects_when_the_route_returns() {
    let ip = |arguments: &str| {
        let done = std::process::Command::new("ip").args(arguments.split(' ')).status();
        assert!(done.expect("ip can be executed").success(), "ip {arguments}");
    };
    ip("link set lo up");
    let server = Server::start().await.unwrap();
    let zk = Zk::start(config(&server.connect_string())).unwrap();
    let before = connected(&zk).await.create_ephemeral(&path("/here"), b"", Acl::Open).await.unwrap();

    ip("address delete 127.0.0.1/8 dev lo");
    let state = state_where(&zk, "trouble", |state| state.trouble.is_some()).await;
    assert!(matches!(state.trouble, Some(ConnectError::Unreachable(_))), "{:?}", state.trouble);
    let busy = processor_time();
    // Beyond the 1.4 session timeouts after which the loop of the crate would spin.
    state_where(&zk, "lost", |state| state.phase == Phase::Lost).await;
    sleep(SESSION).await;
    let busy = processor_time() - busy;
    assert!(busy < SESSION / 4, "{busy:?} of processor time without a route");
    assert_eq!(session_threads(), 0);

    ip("address add 127.0.0.1/8 dev lo");
    let state = state_where(&zk, "connected", State::is_connected).await;
    // The server was up all the time, and has expired the session.
    assert_eq!(state.epoch, 2);
    assert_ne!(before.ephemeral_owner, state.session.map(|session| session.id));
    eventually("the old znode is gone", || async {
        let connection = connected(&zk).await;
        connection.stat(&path("/here")).await.unwrap().is_none()
    })
    .await;
}

/// User and system time of this process.
fn processor_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
    Duration::from_millis(ticks * 10)
}
