//! Row 27 of the fault matrix: views of a reader with few rights, or too few.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use common::intercept::{Intercept, start_intercepted};
use common::{
    ROOT, SESSION, SOON, Watches, add, node, observer, on_both_watches, ports, ports_become, remove,
    require_recursive_watches, start, view_where, weights_become,
};
use discovery::{Discovery, DiscoveryConfig, Members, Records, View};
use test_zookeeper::Server;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};
use zk_core::transport::{Reply, Transport, Turn};
use zk_core::{ErrorKind, Event, ZnodePath};
use zk_testing::expire_session;
use zk_testing::proxy::{Op, Proxy};
use zk_testing::raw::{self, CreateMode, permission};

on_both_watches! {
    fault_27_a_reader_that_may_only_read_follows_names_and_records,
    fault_27_a_root_that_may_not_be_listed_is_reported_and_its_repair_noticed,
    fault_27_a_root_that_may_not_be_listed_any_more_leaves_the_last_set,
    fault_27_lost_rights_are_reported_by_the_audit_at_the_latest,
}

/// B, the longest wait between two attempts to connect, and a second.
const REPAIR: Duration = Duration::from_millis(667 + 1_000);

/// A client with all rights to the root; the world has these.
async fn writer(server: &Server, world: i32) -> raw::Client {
    let writer = observer(server).await;
    writer.add_auth("digest", b"writer:secret").await.unwrap();
    writer.create_all(ROOT).await.unwrap();
    permit(&writer, world).await;
    writer
}

async fn permit(writer: &raw::Client, world: i32) {
    let all = raw::Acl::new(permission::ALL, "auth", "");
    writer.set_acl(ROOT, &[raw::Acl::new(world, "world", "anyone"), all]).await.unwrap();
}

/// Whether all requests only read.
fn never_wrote(proxy: &Proxy) -> bool {
    let reads = |op| {
        matches!(
            op,
            Op::Connect
                | Op::Ping
                | Op::Exists
                | Op::GetData
                | Op::GetChildren2
                | Op::MultiRead
                | Op::Sync
                | Op::AddWatch
                | Op::RemoveWatches
                | Op::SetWatches
                | Op::CloseSession
        )
    };
    proxy.requests().iter().all(|seen| reads(seen.op))
}

async fn fault_27_a_reader_that_may_only_read_follows_names_and_records(watches: Watches) {
    let Some(_) = test_zookeeper::require() else { return };
    let server = Server::start().await.unwrap();
    let proxy = Proxy::start(server.addr()).await.unwrap();
    let writer = writer(&server, permission::READ).await;
    let readable = [raw::Acl::read_only(), raw::Acl::new(permission::ALL, "auth", "")];
    let register = async |port: u16, data: &[u8]| {
        writer.create_with_acl(&node(port), data, CreateMode::Ephemeral, &readable).await.unwrap();
    };
    register(1, br#"{"Weight":7}"#).await;
    let (zk, discovery) =
        start(watches, &proxy.connect_string(), |config| config.with_records(Records::Read));
    weights_become(&discovery, [(1, 7)]).await;
    register(2, br#"{"Weight":8}"#).await;
    weights_become(&discovery, [(1, 7), (2, 8)]).await;
    writer.set(&node(1), br#"{"Weight":9}"#, None).await.unwrap();
    weights_become(&discovery, [(1, 9), (2, 8)]).await;
    let mut states = zk.states();
    proxy.cut().await;
    timeout(SOON, states.wait_for(|state| state.reconnects == 1)).await.unwrap();
    weights_become(&discovery, [(1, 9), (2, 8)]).await;
    remove(&writer, [1]).await;
    let view = weights_become(&discovery, [(2, 8)]).await;
    assert_eq!((view.unreadable, view.trouble.as_deref()), (0, None));
    drop(discovery);
    zk.close(SOON).await.unwrap();
    assert!(never_wrote(&proxy), "{:?}", proxy.requests());
}

async fn fault_27_a_root_that_may_not_be_listed_is_reported_and_its_repair_noticed(watches: Watches) {
    let Some(_) = test_zookeeper::require() else { return };
    let server = Server::start().await.unwrap();
    let writer = writer(&server, 0).await;
    add(&writer, [1]).await;
    let (_zk, discovery) = start(watches, &server.connect_string(), |config| config);
    let view = view_where(&discovery, "trouble", |view| view.trouble.is_some()).await;
    assert_eq!(view.members(), Members::NotSynced, "unknown is not empty");
    assert!(view.trouble.as_ref().unwrap().contains("denied"), "{view:?}");
    // Long enough for the longest pause between two attempts.
    tokio::time::sleep(SESSION).await;
    permit(&writer, permission::READ).await;
    let repaired = Instant::now();
    let view = ports_become(&discovery, &[1]).await;
    assert!(repaired.elapsed() < REPAIR, "it took {:?}", repaired.elapsed());
    assert_eq!(view.trouble, None);
}

async fn fault_27_a_root_that_may_not_be_listed_any_more_leaves_the_last_set(watches: Watches) {
    let Some(_) = test_zookeeper::require() else { return };
    let server = Server::start().await.unwrap();
    let writer = writer(&server, permission::READ).await;
    add(&writer, [1, 2, 3]).await;
    let (zk, discovery) = start(watches, &server.connect_string(), |config| {
        // Without a hold a removal would show at once.
        config.with_hold(Duration::ZERO).unwrap()
    });
    let before = ports_become(&discovery, &[1, 2, 3]).await;
    permit(&writer, 0).await;
    // A new session always lists.
    expire_session(server.addr(), zk.state().session.unwrap().id.0).await.unwrap();
    let denied = view_where(&discovery, "trouble", |view| view.trouble.is_some()).await;
    assert!(denied.trouble.as_ref().unwrap().contains("denied"), "{denied:?}");
    assert_eq!(zk.state().epoch, 2);
    assert!(zk.state().is_connected() && !denied.is_live(), "the link is up and the view is stale");
    assert_eq!(denied.snapshot, before.snapshot);
    remove(&writer, [1, 2]).await;
    tokio::time::sleep(SESSION).await;
    let denied = discovery.view();
    assert_eq!((ports(&denied).unwrap(), denied.is_live()), (vec![1, 2, 3], false));
    assert!(denied.age() >= SESSION && denied.trouble.is_some(), "{denied:?}");
    permit(&writer, permission::READ).await;
    let repaired = Instant::now();
    let view = ports_become(&discovery, &[3]).await;
    assert!(repaired.elapsed() < REPAIR, "it took {:?}", repaired.elapsed());
    assert_eq!(view.trouble, None);
}

async fn fault_27_lost_rights_are_reported_by_the_audit_at_the_latest(watches: Watches) {
    let Some(_) = test_zookeeper::require() else { return };
    let server = Server::start().await.unwrap();
    let writer = writer(&server, permission::READ).await;
    add(&writer, [1, 2]).await;
    let (zk, discovery) = start(watches, &server.connect_string(), |config| {
        config.with_audit_interval(Duration::from_millis(300)).unwrap()
    });
    ports_become(&discovery, &[1, 2]).await;
    permit(&writer, 0).await;
    // Servers differ in whether they send this event.
    add(&writer, [3]).await;
    let denied = |view: &View| view.trouble.as_ref().is_some_and(|trouble| trouble.contains("denied"));
    let denied = view_where(&discovery, "trouble", denied).await;
    assert!(!denied.is_live(), "without the right to list the view is not live: {denied:?}");
    let ports = ports(&denied).unwrap();
    assert!(ports == [1, 2] || ports == [1, 2, 3], "{ports:?}");
    permit(&writer, permission::READ).await;
    let repaired = Instant::now();
    let view = ports_become(&discovery, &[1, 2, 3]).await;
    assert!(repaired.elapsed() < REPAIR, "it took {:?}", repaired.elapsed());
    assert_eq!((view.trouble.as_deref(), zk.state().reconnects), (None, 0));
}

/// Only the first watch may be set.
#[derive(Clone, Debug, Default)]
struct OneWatch(Arc<AtomicUsize>);

impl Intercept for OneWatch {
    fn watch_recursive(
        &self,
        transport: &dyn Transport,
        turn: Turn,
        path: &ZnodePath,
    ) -> Reply<mpsc::Receiver<Event>> {
        match self.0.fetch_add(1, Ordering::Relaxed) {
            0 => transport.watch_recursive(turn, path),
            _ => Box::pin(async { Err(ErrorKind::Denied) }),
        }
    }
}

#[tokio::test]
async fn a_watch_that_cannot_be_replaced_is_trouble_and_the_view_is_not_live() {
    let Some(_) = require_recursive_watches() else { return };
    let server = Server::start().await.unwrap();
    let proxy = Proxy::start(server.addr()).await.unwrap();
    let writer = writer(&server, permission::READ).await;
    add(&writer, [1]).await;
    let (_zk, discovery) = start_intercepted(&proxy.connect_string(), &OneWatch::default(), |config| {
        config.with_audit_interval(Duration::from_millis(300)).unwrap()
    });
    ports_become(&discovery, &[1]).await;
    proxy.drop_events();
    add(&writer, [2]).await;
    let view = view_where(&discovery, "trouble", |view| view.trouble.is_some()).await;
    assert!(!view.is_live(), "{view:?}");
}

#[tokio::test]
async fn fault_27_a_root_that_may_not_be_listed_does_not_affect_another_root() {
    let Some(_) = test_zookeeper::require() else { return };
    let server = Server::start().await.unwrap();
    let writer = writer(&server, 0).await;
    writer.create_all("/other").await.unwrap();
    writer.create("/other/127.0.0.1:5", b"", CreateMode::Ephemeral).await.unwrap();
    let (zk, denied) = start(Watches::Recursive, &server.connect_string(), |config| config);
    view_where(&denied, "trouble", |view| view.trouble.is_some()).await;
    let other = Discovery::start(&zk, DiscoveryConfig::new(ZnodePath::parse("/other").unwrap()));
    ports_become(&other, &[5]).await;
    writer.create("/other/127.0.0.1:6", b"", CreateMode::Ephemeral).await.unwrap();
    assert_eq!(ports_become(&other, &[5, 6]).await.trouble, None);
}
