//! What the tests share: servers, views to wait for, and the two sources of news.

#![allow(clippy::unwrap_used, reason = "a test may panic")]
#![allow(dead_code, unused_macros, unused_imports, reason = "not every test file needs all of it")]

pub(crate) mod twist;

use std::sync::Arc;
use std::time::Duration;

use discovery::{Config, Discovery, View};
use test_zookeeper::Server;
use tokio::time::{Instant, sleep, timeout};
use zk_core::{ServerVersion, Zk, ZnodePath};
use zk_testing::proxy::{Op, Proxy, Seen};
use zk_testing::raw::{self, CreateMode};
pub(crate) use zk_testing::{SESSION, SOON};

/// What the servers are taken for, and so which source of news is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Engine {
    Recursive,
    OneShot,
}

impl Engine {
    /// What it is on the server of the tests, which may be an old one whatever it is taken for.
    pub(crate) fn served(self) -> Self {
        if !test_zookeeper::has_recursive_watches() { Self::OneShot } else { self }
    }
}

/// Runs the same tests on both.
macro_rules! on_both_engines {
    ($($name:ident,)*) => {
        mod recursive_watch {
            $(#[tokio::test]
            async fn $name() {
                super::$name(crate::common::Engine::Recursive).await;
            })*
        }
        mod one_shot_watches {
            $(#[tokio::test]
            async fn $name() {
                super::$name(crate::common::Engine::OneShot).await;
            })*
        }
    };
}
pub(crate) use on_both_engines;

pub(crate) const ROOT: &str = "/go_servers";

pub(crate) fn start(engine: Engine, hosts: &str, change: impl FnOnce(Config) -> Config) -> (Zk, Discovery) {
    let config = zk_core::Config::new(hosts).unwrap().with_session_timeout(SESSION).unwrap();
    let config = config.with_server_version(match engine {
        Engine::Recursive => ServerVersion::Detect,
        Engine::OneShot => ServerVersion::Before3_6,
    });
    let zk = Zk::start(config).unwrap();
    // Audits are out of the way, but where a test asks for them.
    let config = Config::new(ZnodePath::parse(ROOT).unwrap());
    let config = change(config.with_audit_interval(Duration::from_secs(3600)).unwrap());
    (zk.clone(), Discovery::start(zk, config))
}

pub(crate) async fn view_where(
    discovery: &Discovery,
    what: &str,
    mut wanted: impl FnMut(&View) -> bool,
) -> Arc<View> {
    let mut views = discovery.views();
    let found = timeout(SOON, views.wait_for(|view| wanted(view))).await;
    found.unwrap_or_else(|_| panic!("no view with {what}; it is {:?}", discovery.view())).unwrap().clone()
}

pub(crate) fn ports(view: &View) -> Option<Vec<u16>> {
    view.snapshot.as_ref().map(|snapshot| snapshot.endpoints().map(|endpoint| endpoint.port()).collect())
}

pub(crate) async fn ports_become(discovery: &Discovery, expected: &[u16]) -> Arc<View> {
    let what = format!("live ports {expected:?}");
    view_where(discovery, &what, |view| view.is_live() && ports(view).as_deref() == Some(expected)).await
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

/// What the session did, but for the connection's own affairs.
pub(crate) fn verbs(proxy: &Proxy) -> Vec<Op> {
    // The link asks for a sign of life once a session timeout, at the root of the tree.
    // A new session begins with a question that only servers since 3.6 can answer.
    let asked = |seen: &Seen| seen.op == Op::MultiRead && seen.xid <= 1;
    let own = |seen: &Seen| {
        matches!(seen.op, Op::Connect | Op::Ping) || seen.path.as_deref() == Some("/") || asked(seen)
    };
    proxy.requests().into_iter().filter(|seen| !own(seen)).map(|seen| seen.op).collect()
}

/// A watch that missed something is not trusted any more: following begins anew.
pub(crate) async fn sync_is_seen(proxy: &Proxy) {
    let deadline = Instant::now() + SOON;
    while !verbs(proxy).contains(&Op::Sync) {
        assert!(Instant::now() < deadline, "it went on with the same watch: {:?}", verbs(proxy));
        sleep(Duration::from_millis(10)).await;
    }
}
