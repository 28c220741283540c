//! Roots that go, come back, and are others under the same name.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::sync::Arc;
use std::time::Duration;

use common::twist::{Twist, Twisted};
use common::{
    Engine, ROOT, SESSION, add, observer, on_both_engines, ports_become, remove, start, view_where,
};
use discovery::{Config, Discovery, Members};
use test_zookeeper::Server;
use zk_core::transport::{Reply, Transport};
use zk_core::{Stat, Zk, ZnodePath, Zxid};
use zk_testing::expire_session;
use zk_testing::proxy::Proxy;

on_both_engines! {
    fault_25_a_root_that_is_deleted_is_an_empty_set_and_is_followed_again,
    fault_25_a_root_that_is_deleted_while_there_is_no_link_is_an_empty_set,
    another_root_with_as_many_changes_is_another_list,
}

/// Whatever goes is believed at once.
fn at_once(config: Config) -> Config {
    config.with_hold(Duration::ZERO).unwrap()
}

async fn fault_25_a_root_that_is_deleted_is_an_empty_set_and_is_followed_again(engine: Engine) {
    let Some(_) = test_zookeeper::require() else { return };
    let server = Server::start().await.unwrap();
    let observer = observer(&server).await;
    observer.create_all(ROOT).await.unwrap();
    let (_zk, discovery) = start(engine, &server.connect_string(), at_once);
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

async fn fault_25_a_root_that_is_deleted_while_there_is_no_link_is_an_empty_set(engine: Engine) {
    let Some(_) = test_zookeeper::require() else { return };
    let server = Server::start().await.unwrap();
    let proxy = Proxy::start(server.addr()).await.unwrap();
    let observer = observer(&server).await;
    observer.create_all(ROOT).await.unwrap();
    add(&observer, [1, 2]).await;
    let (_zk, discovery) = start(engine, &proxy.connect_string(), at_once);
    ports_become(&discovery, &[1, 2]).await;
    proxy.refuse().await;
    view_where(&discovery, "stale", |view| !view.is_live()).await;
    observer.delete_recursive(ROOT).await.unwrap();
    proxy.pass().await.unwrap();
    ports_become(&discovery, &[]).await;
    observer.create_all(ROOT).await.unwrap();
    add(&observer, [3]).await;
    ports_become(&discovery, &[3]).await;
}

/// As many children have come and gone: the version of the list is what it was.
async fn another_root_with_as_many_changes_is_another_list(engine: Engine) {
    let Some(_) = test_zookeeper::require() else { return };
    let server = Server::start().await.unwrap();
    let proxy = Proxy::start(server.addr()).await.unwrap();
    let observer = observer(&server).await;
    observer.create_all(ROOT).await.unwrap();
    add(&observer, [1]).await;
    let (zk, discovery) = start(engine, &proxy.connect_string(), at_once);
    ports_become(&discovery, &[1]).await;
    let before = observer.exists(ROOT).await.unwrap().unwrap();
    proxy.refuse().await;
    view_where(&discovery, "stale", |view| !view.is_live()).await;
    observer.delete_recursive(ROOT).await.unwrap();
    observer.create_all(ROOT).await.unwrap();
    add(&observer, [2]).await;
    assert_eq!(observer.exists(ROOT).await.unwrap().unwrap().cversion, before.cversion);
    proxy.pass().await.unwrap();
    ports_become(&discovery, &[2]).await;
    assert_eq!(zk.state().epoch, 1, "a new session would list in any case");
}

/// Every root has the same numbers, as one of another ensemble may have by chance.
#[derive(Clone, Debug)]
struct SameNumbers;

fn same(mut stat: Stat) -> Stat {
    (stat.czxid, stat.pzxid, stat.cversion) = (Zxid(7), Zxid(7), 7);
    stat
}

impl Twist for SameNumbers {
    fn stat(&self, link: &Arc<dyn Transport>, path: &ZnodePath) -> Reply<Option<Stat>> {
        let stat = link.stat(path);
        Box::pin(async move { Ok(stat.await?.map(same)) })
    }

    fn children(&self, link: &Arc<dyn Transport>, path: &ZnodePath) -> Reply<(Vec<String>, Stat)> {
        let listed = link.children(path);
        Box::pin(async move { listed.await.map(|(names, stat)| (names, same(stat))) })
    }
}

#[tokio::test]
async fn a_new_session_lists_though_the_root_has_the_same_numbers() {
    let Some(_) = test_zookeeper::require() else { return };
    let server = Server::start().await.unwrap();
    let proxy = Proxy::start(server.addr()).await.unwrap();
    let observer = observer(&server).await;
    observer.create_all(ROOT).await.unwrap();
    add(&observer, [1, 2]).await;
    let config = zk_core::Config::new(&proxy.connect_string()).unwrap();
    let config = config.with_session_timeout(SESSION).unwrap();
    let zk = Zk::start_on(Twisted::new(&config, SameNumbers));
    let discovery = Discovery::start(zk.clone(), at_once(Config::new(ROOT.parse().unwrap())));
    ports_become(&discovery, &[1, 2]).await;
    proxy.refuse().await;
    view_where(&discovery, "stale", |view| !view.is_live()).await;
    expire_session(server.addr(), zk.state().session.unwrap().id.0).await.unwrap();
    remove(&observer, [1]).await;
    proxy.pass().await.unwrap();
    ports_become(&discovery, &[2]).await;
    assert_eq!(zk.state().epoch, 2);
}
