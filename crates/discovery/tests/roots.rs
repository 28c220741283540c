//! Roots that are deleted, created again, or replaced by another of the same name.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::sync::Arc;
use std::time::Duration;

use common::intercept::{Intercept, start_intercepted};
use common::{
    ROOT, Watches, add, becomes_stale, on_both_watches, ports_become, remove, serve, serve_with_proxy, start,
};
use discovery::{DiscoveryConfig, Members};
use zk_core::transport::{Reply, Transport, Turn};
use zk_core::{Stat, ZnodePath, Zxid};
use zk_testing::expire_session;

on_both_watches! {
    fault_25_a_root_that_is_deleted_is_an_empty_set_and_is_followed_again,
    fault_25_a_root_that_is_deleted_during_an_outage_is_an_empty_set,
    a_new_root_with_as_many_changes_is_listed,
}

/// Removes without a hold.
fn without_hold(config: DiscoveryConfig) -> DiscoveryConfig {
    config.with_hold(Duration::ZERO).unwrap()
}

async fn fault_25_a_root_that_is_deleted_is_an_empty_set_and_is_followed_again(watches: Watches) {
    let Some(_) = test_zookeeper::require() else { return };
    let (server, observer) = serve([]).await;
    let (_zk, discovery) = start(watches, &server.connect_string(), without_hold);
    for port in 1..=3 {
        add(&observer, [port]).await;
        ports_become(&discovery, &[port]).await;
        observer.delete_recursive(ROOT).await.unwrap();
        let view = ports_become(&discovery, &[]).await;
        assert_eq!((view.members(), view.trouble.as_deref()), (Members::Empty, None));
        observer.create_all(ROOT).await.unwrap();
    }
    add(&observer, [4]).await;
    ports_become(&discovery, &[4]).await;
}

async fn fault_25_a_root_that_is_deleted_during_an_outage_is_an_empty_set(watches: Watches) {
    let Some(_) = test_zookeeper::require() else { return };
    let (_server, proxy, observer) = serve_with_proxy([1, 2]).await;
    let (_zk, discovery) = start(watches, &proxy.connect_string(), without_hold);
    ports_become(&discovery, &[1, 2]).await;
    proxy.refuse().await;
    becomes_stale(&discovery).await;
    observer.delete_recursive(ROOT).await.unwrap();
    proxy.pass().await.unwrap();
    ports_become(&discovery, &[]).await;
    observer.create_all(ROOT).await.unwrap();
    add(&observer, [3]).await;
    ports_become(&discovery, &[3]).await;
}

/// The new root has the `cversion` of the old one.
async fn a_new_root_with_as_many_changes_is_listed(watches: Watches) {
    let Some(_) = test_zookeeper::require() else { return };
    let (_server, proxy, observer) = serve_with_proxy([1]).await;
    let (zk, discovery) = start(watches, &proxy.connect_string(), without_hold);
    ports_become(&discovery, &[1]).await;
    let before = observer.exists(ROOT).await.unwrap().unwrap();
    proxy.refuse().await;
    becomes_stale(&discovery).await;
    observer.delete_recursive(ROOT).await.unwrap();
    observer.create_all(ROOT).await.unwrap();
    add(&observer, [2]).await;
    assert_eq!(observer.exists(ROOT).await.unwrap().unwrap().cversion, before.cversion);
    proxy.pass().await.unwrap();
    ports_become(&discovery, &[2]).await;
    assert_eq!(zk.state().epoch, 1, "a new session always lists");
}

/// Every root has the same list version, as a root of another ensemble may have by chance.
#[derive(Clone, Debug)]
struct SameVersion;

fn same(mut stat: Stat) -> Stat {
    (stat.czxid, stat.pzxid, stat.cversion) = (Zxid(7), Zxid(7), 7);
    stat
}

impl Intercept for SameVersion {
    fn stat(&self, transport: &Arc<dyn Transport>, turn: Turn, path: &ZnodePath) -> Reply<Option<Stat>> {
        let stat = transport.stat(turn, path);
        Box::pin(async move { Ok(stat.await?.map(same)) })
    }

    fn children(
        &self,
        transport: &Arc<dyn Transport>,
        turn: Turn,
        path: &ZnodePath,
    ) -> Reply<(Vec<String>, Stat)> {
        let listed = transport.children(turn, path);
        Box::pin(async move { listed.await.map(|(names, stat)| (names, same(stat))) })
    }
}

#[tokio::test]
async fn a_new_session_lists_although_the_list_version_is_the_same() {
    let Some(_) = test_zookeeper::require() else { return };
    let (server, proxy, observer) = serve_with_proxy([1, 2]).await;
    let (zk, discovery) = start_intercepted(&proxy.connect_string(), &SameVersion, without_hold);
    ports_become(&discovery, &[1, 2]).await;
    proxy.refuse().await;
    becomes_stale(&discovery).await;
    expire_session(server.addr(), zk.state().session.unwrap().id.0).await.unwrap();
    remove(&observer, [1]).await;
    proxy.pass().await.unwrap();
    ports_become(&discovery, &[2]).await;
    assert_eq!(zk.state().epoch, 2);
}
