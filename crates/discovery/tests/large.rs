//! Row 32 of the fault matrix, for lists: one that is larger than a frame is by default.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::time::Duration;

use common::{Engine, ROOT, observer, on_both_engines, start, view_where};
use discovery::{Discovery, View};
use test_zookeeper::Server;
use tokio::time::timeout;
use zk_testing::proxy::Proxy;
use zk_testing::raw::{CreateMode, MultiOp};

on_both_engines! {
    fault_32_a_list_larger_than_a_mebibyte_is_read_and_followed,
}

const COUNT: usize = 12_000;

/// A name of a hundred bytes.
fn name(number: usize) -> String {
    let label = "x".repeat(40);
    let name = format!("host-{number:06}.{label}.{label}:8080");
    format!("{name:a>100}")
}

async fn grows_to(discovery: &Discovery, count: usize) {
    let what = format!("{count} live instances");
    let there = |view: &View| view.is_live() && view.snapshot.as_ref().is_some_and(|all| all.len() == count);
    view_where(discovery, &what, there).await;
}

async fn fault_32_a_list_larger_than_a_mebibyte_is_read_and_followed(engine: Engine) {
    let Some(_) = test_zookeeper::require() else { return };
    let server = Server::start().await.unwrap();
    let proxy = Proxy::start(server.addr()).await.unwrap();
    let observer = observer(&server).await;
    observer.create_all(ROOT).await.unwrap();
    assert_eq!(name(0).len(), 100);
    let path = |number| format!("{ROOT}/{}", name(number));
    let numbers: Vec<_> = (0..COUNT).collect();
    for some in numbers.chunks(1_000) {
        let some: Vec<_> =
            some.iter().map(|number| MultiOp::create(path(*number), b"", CreateMode::Ephemeral)).collect();
        observer.multi(&some).await.unwrap();
    }
    let (zk, discovery) = start(engine, &proxy.connect_string(), |config| config);
    grows_to(&discovery, COUNT).await;
    observer.delete(&path(7), None).await.unwrap();
    grows_to(&discovery, COUNT - 1).await;
    observer.create(&path(COUNT), b"", CreateMode::Ephemeral).await.unwrap();
    grows_to(&discovery, COUNT).await;
    // And once more over a new connection.
    let mut states = zk.states();
    proxy.refuse().await;
    view_where(&discovery, "stale", |view| !view.is_live()).await;
    observer.create(&path(COUNT + 1), b"", CreateMode::Ephemeral).await.unwrap();
    proxy.pass().await.unwrap();
    timeout(Duration::from_secs(10), states.wait_for(|state| state.reconnects == 1)).await.unwrap().unwrap();
    grows_to(&discovery, COUNT + 1).await;
}
