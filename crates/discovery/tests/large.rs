//! Row 32 of the fault matrix, for lists: one that is larger than `jute.maxbuffer`.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::time::Duration;

use common::{
    ROOT, Watches, becomes_stale, create_many, on_both_watches, serve_with_proxy, start, view_where,
};
use discovery::{Discovery, View};
use tokio::time::timeout;
use zk_testing::raw::CreateMode;

on_both_watches! {
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
    let claim = format!("{count} live instances");
    let there = |view: &View| view.is_live() && view.snapshot.as_ref().is_some_and(|all| all.len() == count);
    view_where(discovery, &claim, there).await;
}

async fn fault_32_a_list_larger_than_a_mebibyte_is_read_and_followed(watches: Watches) {
    let Some(_) = test_zookeeper::require() else { return };
    let (_server, proxy, observer) = serve_with_proxy([]).await;
    assert_eq!(name(0).len(), 100);
    let path = |number| format!("{ROOT}/{}", name(number));
    create_many(&observer, (0..COUNT).map(|number| (path(number), Vec::new()))).await;
    let (zk, discovery) = start(watches, &proxy.connect_string(), |config| config);
    grows_to(&discovery, COUNT).await;
    observer.delete(&path(7), None).await.unwrap();
    grows_to(&discovery, COUNT - 1).await;
    observer.create(&path(COUNT), b"", CreateMode::Ephemeral).await.unwrap();
    grows_to(&discovery, COUNT).await;
    // Once more, over a new connection.
    let mut states = zk.states();
    proxy.refuse().await;
    becomes_stale(&discovery).await;
    observer.create(&path(COUNT + 1), b"", CreateMode::Ephemeral).await.unwrap();
    proxy.pass().await.unwrap();
    timeout(Duration::from_secs(10), states.wait_for(|state| state.reconnects == 1)).await.unwrap().unwrap();
    grows_to(&discovery, COUNT + 1).await;
}
