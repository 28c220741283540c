//! An ensemble of several versions: the server of the next connection may know less than the last one.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use common::twist::{Twist, Twisted};
use common::{ROOT, SESSION, SOON, add, observer, ports_become};
use discovery::{Config, Discovery, Records};
use test_zookeeper::Server;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};
use zk_core::transport::{Reply, Transport};
use zk_core::{ErrorKind, Event, Zk, ZnodePath};
use zk_testing::proxy::{Op, Proxy};

/// Servers that, from some moment on, do not know recursive watches, and say so when they are asked.
#[derive(Clone, Debug, Default)]
struct Age {
    old: Arc<AtomicBool>,
    known: Arc<AtomicBool>,
}

impl Twist for Age {
    fn has_recursive_watches(&self, _: &dyn Transport) -> bool {
        !self.known.load(Ordering::Relaxed)
    }

    fn watch_recursive(&self, link: &dyn Transport, path: &ZnodePath) -> Reply<mpsc::Receiver<Event>> {
        if self.old.load(Ordering::Relaxed) {
            self.known.store(true, Ordering::Relaxed);
            return Box::pin(async { Err(ErrorKind::Unsupported) });
        }
        link.watch_recursive(path)
    }
}

#[tokio::test]
async fn where_the_next_server_is_older_the_view_goes_on_with_one_shot_watches() {
    // It begins with a server that is not.
    if !test_zookeeper::has_recursive_watches() {
        return;
    }
    let Some(_) = test_zookeeper::require() else { return };
    let server = Server::start().await.unwrap();
    let proxy = Proxy::start(server.addr()).await.unwrap();
    let observer = observer(&server).await;
    observer.create_all(ROOT).await.unwrap();
    add(&observer, [1, 2]).await;
    let config = zk_core::Config::new(&proxy.connect_string()).unwrap();
    let config = config.with_session_timeout(SESSION).unwrap();
    let age = Age::default();
    let zk = Zk::start_on(Twisted::new(&config, age.clone()));
    let config = Config::new(ROOT.parse().unwrap()).with_records(Records::Read);
    let discovery = Discovery::start(zk, config);
    let before = ports_become(&discovery, &[1, 2]).await;
    let used = |op| proxy.requests().iter().any(|seen| seen.op == op);
    assert!(used(Op::AddWatch) && !used(Op::GetData));

    age.old.store(true, Ordering::Relaxed);
    proxy.cut().await;
    let deadline = Instant::now() + SOON;
    while !age.known.load(Ordering::Relaxed) {
        assert!(Instant::now() < deadline, "nobody asked");
        sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(discovery.view().snapshot, before.snapshot, "the last set keeps serving");
    // As a server does that was asked what it does not know.
    proxy.cut().await;
    let after = ports_become(&discovery, &[1, 2]).await;
    assert_eq!(after.snapshot, before.snapshot);
    add(&observer, [3]).await;
    ports_become(&discovery, &[1, 2, 3]).await;
    assert!(used(Op::GetData), "{:?}", proxy.requests());
}
