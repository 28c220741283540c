//! Helpers of all test files: servers with instances, views to wait for, and the two kinds of watches.

#![allow(clippy::unwrap_used, reason = "a test may panic")]
#![allow(dead_code, unused_macros, unused_imports, reason = "not every test file needs all of it")]

pub(crate) mod intercept;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use discovery::{Discovery, DiscoveryConfig, View};
use test_zookeeper::Server;
use tokio::time::timeout;
use zk_core::{ServerVersion, Zk, ZnodePath};
use zk_testing::proxy::{Op, Proxy, Seen};
use zk_testing::raw::{self, CreateMode, MultiOp};
pub(crate) use zk_testing::{SESSION, SOON, eventually};

/// The kind of watches that discovery uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Watches {
    /// One recursive watch, if the server supports it.
    Recursive,
    /// One-shot watches, as on a server before ZooKeeper 3.6.
    OneShot,
}

impl Watches {
    /// The kind that discovery uses on the server of the tests, which may be an old one.
    pub(crate) fn supported(self) -> Self {
        if !test_zookeeper::has_recursive_watches() { Self::OneShot } else { self }
    }
}

/// Runs the same tests with both kinds of watches.
macro_rules! on_both_watches {
    ($($name:ident,)*) => {
        mod recursive_watch {
            $(#[tokio::test]
            async fn $name() {
                super::$name(crate::common::Watches::Recursive).await;
            })*
        }
        mod one_shot_watches {
            $(#[tokio::test]
            async fn $name() {
                super::$name(crate::common::Watches::OneShot).await;
            })*
        }
    };
}
pub(crate) use on_both_watches;

/// `None` where a test of recursive watches cannot run: there is no ZooKeeper, or one without them.
pub(crate) fn require_recursive_watches() -> Option<()> {
    if !test_zookeeper::has_recursive_watches() {
        return None;
    }
    test_zookeeper::require().map(|_| ())
}

pub(crate) const ROOT: &str = "/go_servers";

/// An audit interval longer than any test.
pub(crate) const RARELY: Duration = Duration::from_secs(3600);

/// Starts a link and a discovery that audits [`RARELY`], unless `change` says otherwise.
pub(crate) fn start(
    watches: Watches,
    hosts: &str,
    change: impl FnOnce(DiscoveryConfig) -> DiscoveryConfig,
) -> (Zk, Discovery) {
    let config = link_config(hosts).with_server_version(match watches {
        Watches::Recursive => ServerVersion::Detect,
        Watches::OneShot => ServerVersion::Before3_6,
    });
    let zk = Zk::start(config).unwrap();
    (zk.clone(), Discovery::start(&zk, change(discovery_config())))
}

pub(crate) fn link_config(hosts: &str) -> zk_core::ZkConfig {
    zk_core::ZkConfig::new(hosts).unwrap().with_session_timeout(SESSION).unwrap()
}

pub(crate) fn discovery_config() -> DiscoveryConfig {
    DiscoveryConfig::new(ZnodePath::parse(ROOT).unwrap()).with_audit_interval(RARELY).unwrap()
}

/// Starts a server that has the root and instances at these ports, which the client owns.
pub(crate) async fn serve(ports: impl IntoIterator<Item = u16>) -> (Server, raw::Client) {
    let server = Server::start().await.unwrap();
    let observer = observer(&server).await;
    observer.create_all(ROOT).await.unwrap();
    add(&observer, ports).await;
    (server, observer)
}

/// Like [`serve`], with a proxy before the server.
pub(crate) async fn serve_with_proxy(ports: impl IntoIterator<Item = u16>) -> (Server, Proxy, raw::Client) {
    let (server, observer) = serve(ports).await;
    let proxy = Proxy::start(server.addr()).await.unwrap();
    (server, proxy, observer)
}

pub(crate) async fn view_where(
    discovery: &Discovery,
    claim: &str,
    mut wanted: impl FnMut(&View) -> bool,
) -> Arc<View> {
    let mut views = discovery.views();
    let found = timeout(SOON, views.wait_for(|view| wanted(view))).await;
    found.unwrap_or_else(|_| panic!("no view with {claim}; it is {:?}", discovery.view())).unwrap().clone()
}

pub(crate) async fn becomes_stale(discovery: &Discovery) -> Arc<View> {
    view_where(discovery, "stale", |view| !view.is_live()).await
}

pub(crate) async fn becomes_live(discovery: &Discovery) -> Arc<View> {
    view_where(discovery, "live", View::is_live).await
}

pub(crate) fn ports(view: &View) -> Option<Vec<u16>> {
    view.snapshot.as_ref().map(|snapshot| snapshot.endpoints().map(|endpoint| endpoint.port()).collect())
}

pub(crate) async fn ports_become(discovery: &Discovery, expected: &[u16]) -> Arc<View> {
    let claim = format!("live ports {expected:?}");
    view_where(discovery, &claim, |view| view.is_live() && ports(view).as_deref() == Some(expected)).await
}

pub(crate) fn weights(view: &View) -> BTreeMap<u16, u32> {
    let instances = view.snapshot.iter().flat_map(|snapshot| snapshot.instances());
    instances.map(|instance| (instance.endpoint().port(), instance.weight())).collect()
}

pub(crate) async fn weights_become(
    discovery: &Discovery,
    expected: impl IntoIterator<Item = (u16, u32)>,
) -> Arc<View> {
    let expected: BTreeMap<_, _> = expected.into_iter().collect();
    let claim = format!("live weights {expected:?}");
    view_where(discovery, &claim, |view| view.is_live() && weights(view) == expected).await
}

pub(crate) fn revision(view: &View) -> u64 {
    view.snapshot.as_ref().unwrap().revision()
}

pub(crate) async fn observer(server: &Server) -> raw::Client {
    raw::Client::connect(server.addr(), Duration::from_secs(4)).await.unwrap()
}

pub(crate) fn node(port: u16) -> String {
    format!("{ROOT}/127.0.0.1:{port}")
}

pub(crate) async fn add(observer: &raw::Client, ports: impl IntoIterator<Item = u16>) {
    for port in ports {
        observer.create(&node(port), b"", CreateMode::Ephemeral).await.unwrap();
    }
}

pub(crate) async fn remove(observer: &raw::Client, ports: impl IntoIterator<Item = u16>) {
    for port in ports {
        observer.delete(&node(port), None).await.unwrap();
    }
}

/// Creates many nodes with few transactions.
pub(crate) async fn create_many(observer: &raw::Client, nodes: impl IntoIterator<Item = (String, Vec<u8>)>) {
    let nodes: Vec<_> = nodes.into_iter().collect();
    for some in nodes.chunks(100) {
        let create = |(path, data): &(String, Vec<u8>)| {
            MultiOp::create(path.clone(), data.clone(), CreateMode::Ephemeral)
        };
        observer.multi(&some.iter().map(create).collect::<Vec<_>>()).await.unwrap();
    }
}

/// The operations of the session, without those of the link itself.
pub(crate) fn operations(proxy: &Proxy) -> Vec<Op> {
    // The link checks the session once a session timeout, by a read of "/", and asks each new session's server
    // whether it knows requests of 3.6.
    let detects = |seen: &Seen| seen.op == Op::MultiRead && seen.xid <= 1;
    let of_link = |seen: &Seen| {
        matches!(seen.op, Op::Connect | Op::Ping) || seen.path.as_deref() == Some("/") || detects(seen)
    };
    proxy.requests().into_iter().filter(|seen| !of_link(seen)).map(|seen| seen.op).collect()
}

/// How many audits there were: each reads the root.
pub(crate) fn audits(proxy: &Proxy) -> usize {
    let is_audit = |seen: &&Seen| seen.op == Op::GetData && seen.path.as_deref() == Some(ROOT);
    proxy.requests().iter().filter(is_audit).count()
}

/// Waits until discovery has replaced its watch, which begins with a sync.
pub(crate) async fn watch_is_replaced(proxy: &Proxy) {
    eventually("the watch is replaced", async || operations(proxy).contains(&Op::Sync)).await;
}
