//! An ensemble of several versions: the server of the next connection may know less than the last one.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use common::{ROOT, SESSION, SOON, add, observer, ports_become};
use discovery::{Config, Discovery, Records};
use test_zookeeper::Server;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, sleep};
use zk_core::link::apache::Apache;
use zk_core::link::{Answer, BoxFuture, Down, Ensemble, Link, Ticket};
use zk_core::{Acl, ConnectError, CreateMode, ErrorKind, Event, EventKind, Identity, Reading};
use zk_core::{Session, Stat, Zk, ZnodePath};
use zk_testing::proxy::{Op, Proxy};

/// Servers that, from some moment on, do not know recursive watches, and say so when they are asked.
#[derive(Debug)]
struct Mixed {
    servers: Apache,
    age: Arc<Age>,
}

#[derive(Debug, Default)]
struct Age {
    old: AtomicBool,
    known: AtomicBool,
}

#[derive(Debug)]
struct MixedLink {
    link: Arc<dyn Link>,
    age: Arc<Age>,
}

impl Ensemble for Mixed {
    fn name(&self) -> String {
        "mixed".into()
    }

    fn connect(&self, ticket: Option<Ticket>) -> BoxFuture<'_, Result<Arc<dyn Link>, ConnectError>> {
        Box::pin(async {
            let link = self.servers.connect(ticket).await?;
            Ok(Arc::new(MixedLink { link, age: self.age.clone() }) as Arc<dyn Link>)
        })
    }

    fn requested_timeout(&self) -> Duration {
        self.servers.requested_timeout()
    }
}

impl Link for MixedLink {
    fn has_recursive_watches(&self) -> bool {
        !self.age.known.load(Ordering::Relaxed)
    }
    fn watch_recursive(&self, path: &ZnodePath) -> Answer<mpsc::Receiver<Event>> {
        if self.age.old.load(Ordering::Relaxed) {
            self.age.known.store(true, Ordering::Relaxed);
            return Box::pin(async { Err(ErrorKind::Unsupported) });
        }
        self.link.watch_recursive(path)
    }

    // Everything else is what it was.
    fn session(&self) -> Session {
        self.link.session()
    }
    fn ticket(&self) -> Ticket {
        self.link.ticket()
    }
    fn server(&self) -> String {
        self.link.server()
    }
    fn down(&self) -> watch::Receiver<Option<Down>> {
        self.link.down()
    }
    fn create(&self, path: &ZnodePath, data: &[u8], mode: CreateMode, acl: Acl) -> Answer<Stat> {
        self.link.create(path, data, mode, acl)
    }
    fn delete(&self, path: &ZnodePath, version: Option<i32>) -> Answer<()> {
        self.link.delete(path, version)
    }
    fn take_over(&self, path: &ZnodePath, version: i32, data: &[u8], acl: Acl) -> Answer<()> {
        self.link.take_over(path, version, data, acl)
    }
    fn stat(&self, path: &ZnodePath) -> Answer<Option<Stat>> {
        self.link.stat(path)
    }
    fn data(&self, path: &ZnodePath) -> Answer<(Vec<u8>, Stat)> {
        self.link.data(path)
    }
    fn read_many(&self, paths: &[ZnodePath]) -> Answer<Vec<Reading>> {
        self.link.read_many(paths)
    }
    fn set_data(&self, path: &ZnodePath, data: &[u8], version: Option<i32>) -> Answer<Stat> {
        self.link.set_data(path, data, version)
    }
    fn children(&self, path: &ZnodePath) -> Answer<(Vec<String>, Stat)> {
        self.link.children(path)
    }
    fn sync(&self, path: &ZnodePath) -> Answer<()> {
        self.link.sync(path)
    }
    fn watch_exists(&self, path: &ZnodePath) -> Answer<(Option<Stat>, oneshot::Receiver<EventKind>)> {
        self.link.watch_exists(path)
    }
    fn watch_data(&self, path: &ZnodePath) -> Answer<(Vec<u8>, Stat, oneshot::Receiver<EventKind>)> {
        self.link.watch_data(path)
    }
    fn watch_children(&self, path: &ZnodePath) -> Answer<(Vec<String>, Stat, oneshot::Receiver<EventKind>)> {
        self.link.watch_children(path)
    }
    fn identities(&self) -> Answer<Vec<Identity>> {
        self.link.identities()
    }
    fn check(&self) -> Answer<()> {
        self.link.check()
    }
    fn close(&self) -> BoxFuture<'static, bool> {
        self.link.close()
    }
}

#[tokio::test]
async fn where_the_next_server_is_older_the_view_goes_on_with_one_shot_watches() {
    let Some(_) = test_zookeeper::require() else { return };
    let server = Server::start().await.unwrap();
    let proxy = Proxy::start(server.addr()).await.unwrap();
    let observer = observer(&server).await;
    observer.create_all(ROOT).await.unwrap();
    add(&observer, [1, 2]).await;
    let config = zk_core::Config::new(&proxy.connect_string()).unwrap();
    let config = config.with_session_timeout(SESSION).unwrap();
    let age = Arc::<Age>::default();
    let zk = Zk::start_on(Arc::new(Mixed { servers: Apache::new(&config), age: age.clone() }));
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
