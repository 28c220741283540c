//! However following ends, no view stays live and no call hangs.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::sync::Arc;
use std::time::Duration;

use common::{
    ROOT, SOON, Watches, becomes_live, discovery_config, eventually, link_config, node, ports, ports_become,
    require_recursive_watches, serve, start,
};
use discovery::{Change, Discovery};
use instance::{DecodeError, Decoded, Encoded, Endpoint, Format, Instance, Plain};
use tokio::runtime::Runtime;
use tokio::time::{Instant, timeout};
use zk_core::Zk;
use zk_testing::four_letter_word;
use zk_testing::raw::CreateMode;

/// Asserts that following has ended, with this reason and the last set.
async fn assert_ended(discovery: &Discovery, reason: &str, last: &[u16]) {
    let (mut views, mut changes) = (discovery.views(), discovery.changes());
    // The last view may still be on its way; after it the channel is closed.
    timeout(SOON, async { while views.changed().await.is_ok() {} }).await.expect("the views end");
    let view = discovery.view();
    assert_eq!(*views.borrow(), view);
    assert!(!view.is_live(), "{view:?}");
    assert!(view.trouble.as_ref().is_some_and(|trouble| trouble.contains(reason)), "{view:?}");
    assert_eq!(ports(&view).unwrap(), last, "the last set stays");
    assert!(matches!(changes.next().await, Some(Change::Reset(all)) if all.len() == last.len()));
    assert_eq!(changes.next().await, None);
    let started = Instant::now();
    let not_ready = discovery.ready(0, Duration::from_secs(3600)).await.unwrap_err();
    assert!(not_ready.waited <= started.elapsed(), "{not_ready:?}");
    assert!(not_ready.to_string().contains(reason), "{not_ready}");
    // Without a task they do nothing.
    discovery.report_refused(&"127.0.0.1:1".parse().unwrap());
    discovery.release_held();
    timeout(SOON, discovery.clone().shutdown()).await.expect("shutdown returns");
}

#[tokio::test]
async fn a_closed_link_ends_the_view() {
    let Some(_) = test_zookeeper::require() else { return };
    let (server, _observer) = serve([1, 2]).await;
    let (zk, discovery) = start(Watches::Recursive, &server.connect_string(), |config| config);
    ports_become(&discovery, &[1, 2]).await;
    zk.close(SOON).await.unwrap();
    assert_ended(&discovery, "the link is closed", &[1, 2]).await;
}

#[tokio::test]
async fn a_shutdown_ends_the_view_for_all_clones_and_removes_the_watch() {
    let Some(_) = require_recursive_watches() else { return };
    let (server, _observer) = serve([1, 2]).await;
    let (_zk, discovery) = start(Watches::Recursive, &server.connect_string(), |config| config);
    ports_become(&discovery, &[1, 2]).await;
    let clone = discovery.clone();
    let waits = tokio::spawn(async move { clone.ready(1_000, Duration::from_secs(3600)).await });
    let clone = discovery.clone();
    timeout(SOON, discovery.shutdown()).await.unwrap();
    assert_ended(&clone, "shut down", &[1, 2]).await;
    assert!(timeout(SOON, waits).await.unwrap().unwrap().is_err(), "who waits is woken");
    eventually("the server has no watch", async || {
        let words = four_letter_word(server.addr(), "mntr").await.unwrap();
        words.lines().any(|line| line.starts_with("zk_watch_count") && line.ends_with("\t0"))
    })
    .await;
}

#[tokio::test]
async fn a_shutdown_before_the_first_connection_returns() {
    let zk = Zk::start(link_config("127.0.0.1:1")).unwrap();
    let discovery = Discovery::start(&zk, discovery_config());
    let mut views = discovery.views();
    timeout(SOON, discovery.shutdown()).await.unwrap();
    assert!(views.borrow_and_update().trouble.as_ref().unwrap().contains("shut down"));
    assert!(views.changed().await.is_err());
}

#[tokio::test]
async fn the_last_handle_ends_the_view_of_those_who_read_it() {
    let Some(_) = test_zookeeper::require() else { return };
    let (server, _observer) = serve([1]).await;
    let (_zk, discovery) = start(Watches::Recursive, &server.connect_string(), |config| config);
    ports_become(&discovery, &[1]).await;
    let (mut views, mut changes) = (discovery.views(), discovery.changes());
    drop(discovery);
    timeout(SOON, async { while views.changed().await.is_ok() {} }).await.unwrap();
    assert!(!views.borrow().is_live());
    assert!(matches!(changes.next().await, Some(Change::Reset(_))));
    assert_eq!(changes.next().await, None);
}

/// Panics where a name or a record has this port.
#[derive(Debug)]
struct Panics(u16);

impl Format for Panics {
    fn name(&self) -> &'static str {
        "panics"
    }
    fn encode(&self, instance: &Instance) -> Result<Encoded, instance::EncodeError> {
        Plain.encode(instance)
    }
    fn decode_name(&self, name: &str) -> Result<Option<Endpoint>, DecodeError> {
        assert!(!name.ends_with(&format!(":{}", self.0)), "as the test wants");
        Plain.decode_name(name)
    }
    fn decode(&self, name: &str, data: &[u8]) -> Result<Decoded, DecodeError> {
        Plain.decode(name, data)
    }
}

#[tokio::test]
async fn a_panic_in_a_format_ends_the_view() {
    let Some(_) = test_zookeeper::require() else { return };
    let (server, observer) = serve([1, 2]).await;
    let zk = Zk::start(link_config(&server.connect_string())).unwrap();
    let discovery = Discovery::start_with_format(&zk, discovery_config(), Arc::new(Panics(666)));
    ports_become(&discovery, &[1, 2]).await;
    observer.create(&node(666), b"", CreateMode::Ephemeral).await.unwrap();
    assert_ended(&discovery, "panic", &[1, 2]).await;
    // The link, and what else is on it, lives on.
    observer.delete(&node(666), None).await.unwrap();
    let other = Discovery::start(&zk, discovery::DiscoveryConfig::new(ROOT.parse().unwrap()));
    becomes_live(&other).await;
}

#[tokio::test]
async fn the_end_of_its_runtime_ends_the_view() {
    let Some(_) = test_zookeeper::require() else { return };
    let (server, _observer) = serve([1, 2]).await;
    let zk = Zk::start(link_config(&server.connect_string())).unwrap();
    let runtime = Runtime::new().unwrap();
    let discovery = {
        let _entered = runtime.enter();
        Discovery::start(&zk, discovery_config())
    };
    ports_become(&discovery, &[1, 2]).await;
    runtime.shutdown_background();
    assert_ended(&discovery, "runtime", &[1, 2]).await;
}
