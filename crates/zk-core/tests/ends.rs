//! A link whose runtime goes away: every call that waits on another one returns.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use common::{SOON, config, path};
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;
use tokio::time::timeout;
use zk_core::{Acl, Outcome, Phase, Zk};
use zk_testing::proxy::{Action, Op, Proxy};

fn runtime() -> Runtime {
    Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
}

#[test]
fn every_wait_ends_when_the_runtime_of_the_link_goes_away() {
    if test_zookeeper::is_old() || !test_zookeeper::has_recursive_watches() {
        return;
    }
    let Some(_) = test_zookeeper::require() else { return };
    let (main, link) = (runtime(), runtime());
    let (server, proxy) = main.block_on(async {
        let server = test_zookeeper::Server::start().await.unwrap();
        let proxy = Proxy::start(server.addr()).await.unwrap();
        (server, proxy)
    });
    let zk = link.block_on(async { Zk::start(config(&proxy.connect_string())).unwrap() });
    let unreachable = link.block_on(async { Zk::start(config("127.0.0.1:1")).unwrap() });
    let (connection, mut recursive, mut one_shot, mut children) = main.block_on(async {
        let connection = timeout(SOON, zk.connected()).await.unwrap().unwrap();
        connection.ensure_path(&path("/r"), Acl::Open).await.unwrap();
        let recursive = connection.watch_recursive(&path("/r")).await.unwrap();
        let (_, one_shot) = connection.watch_exists(&path("/none")).await.unwrap();
        let (_, _, children) = connection.watch_children(&path("/")).await.unwrap();
        (connection, recursive, one_shot, children)
    });

    let mut waits = JoinSet::new();
    let on = main.handle();
    let swallowed = proxy.on(Op::Exists, Action::SwallowReply);
    let (ended, operation, mut states) = (connection.clone(), connection.clone(), zk.states());
    waits.spawn_on(async move { ended.ended().await }, on);
    waits.spawn_on(async move { assert_eq!(recursive.next().await, None) }, on);
    waits.spawn_on(async move { assert_eq!(one_shot.fired().await, None) }, on);
    waits.spawn_on(async move { assert_eq!(children.fired().await, None) }, on);
    waits.spawn_on(async move { assert_eq!(states.wait_for(|_| false).await, None) }, on);
    waits.spawn_on(async move { assert!(unreachable.connected().await.is_err()) }, on);
    waits.spawn_on(
        async move {
            let error = operation.stat(&path("/r")).await.unwrap_err();
            assert_eq!(error.outcome(), Outcome::Unknown, "{error}");
        },
        on,
    );
    assert!(main.block_on(swallowed.wait_fired(SOON)));
    drop(link);
    main.block_on(async {
        timeout(SOON, waits.join_all()).await.expect("every wait ends");
        assert!(matches!(zk.state().phase, Phase::Closed(_)), "{:?}", zk.state());
        zk.close(SOON).await.unwrap_err();
        assert!(zk.connected().await.is_err() && connection.has_ended());
        assert!(connection.stat(&path("/r")).await.is_err());
    });
    drop((server, proxy));
}
