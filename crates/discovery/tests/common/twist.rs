//! Real links with a twist: what a test must have in its own hands, between the link and who uses it.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use zk_core::transport::apache::Apache;
use zk_core::transport::{BoxFuture, Down, Ensemble, Reply, Ticket, Transport};
use zk_core::{Acl, ConnectError, CreateMode, Event, EventKind, Identity, Reading, Session, Stat, ZnodePath};

/// What is not as the link has it; by default nothing.
pub(crate) trait Twist: Clone + Debug + Send + Sync + 'static {
    fn has_recursive_watches(&self, link: &dyn Transport) -> bool {
        link.has_recursive_watches()
    }

    fn watch_recursive(&self, link: &dyn Transport, path: &ZnodePath) -> Reply<mpsc::Receiver<Event>> {
        link.watch_recursive(path)
    }

    fn children(&self, link: &Arc<dyn Transport>, path: &ZnodePath) -> Reply<(Vec<String>, Stat)> {
        link.children(path)
    }

    fn stat(&self, link: &Arc<dyn Transport>, path: &ZnodePath) -> Reply<Option<Stat>> {
        link.stat(path)
    }

    fn read_many(&self, link: &Arc<dyn Transport>, paths: &[ZnodePath]) -> Reply<Vec<Reading>> {
        link.read_many(paths)
    }
}

#[derive(Debug)]
pub(crate) struct Twisted<T> {
    servers: Apache,
    twist: T,
}

impl<T> Twisted<T> {
    pub(crate) fn new(config: &zk_core::Config, twist: T) -> Arc<Self> {
        Arc::new(Self { servers: Apache::new(config).expect("file descriptors"), twist })
    }
}

#[derive(Debug)]
struct TwistedLink<T> {
    link: Arc<dyn Transport>,
    twist: T,
}

impl<T: Twist> Ensemble for Twisted<T> {
    fn name(&self) -> String {
        "twisted".into()
    }

    fn connect(&self, ticket: Option<Ticket>) -> BoxFuture<'_, Result<Arc<dyn Transport>, ConnectError>> {
        Box::pin(async {
            let link = self.servers.connect(ticket).await?;
            Ok(Arc::new(TwistedLink { link, twist: self.twist.clone() }) as Arc<dyn Transport>)
        })
    }

    fn requested_timeout(&self) -> Duration {
        self.servers.requested_timeout()
    }
}

impl<T: Twist> Transport for TwistedLink<T> {
    fn has_recursive_watches(&self) -> bool {
        self.twist.has_recursive_watches(&*self.link)
    }
    fn watch_recursive(&self, path: &ZnodePath) -> Reply<mpsc::Receiver<Event>> {
        self.twist.watch_recursive(&*self.link, path)
    }
    fn children(&self, path: &ZnodePath) -> Reply<(Vec<String>, Stat)> {
        self.twist.children(&self.link, path)
    }

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
    fn create(&self, path: &ZnodePath, data: &[u8], mode: CreateMode, acl: Acl) -> Reply<Stat> {
        self.link.create(path, data, mode, acl)
    }
    fn delete(&self, path: &ZnodePath, version: Option<i32>) -> Reply<()> {
        self.link.delete(path, version)
    }
    fn take_over(&self, path: &ZnodePath, version: i32, data: &[u8], acl: Acl) -> Reply<()> {
        self.link.take_over(path, version, data, acl)
    }
    fn stat(&self, path: &ZnodePath) -> Reply<Option<Stat>> {
        self.twist.stat(&self.link, path)
    }
    fn data(&self, path: &ZnodePath) -> Reply<(Vec<u8>, Stat)> {
        self.link.data(path)
    }
    fn read_many(&self, paths: &[ZnodePath]) -> Reply<Vec<Reading>> {
        self.twist.read_many(&self.link, paths)
    }
    fn set_data(&self, path: &ZnodePath, data: &[u8], version: Option<i32>) -> Reply<Stat> {
        self.link.set_data(path, data, version)
    }
    fn sync(&self, path: &ZnodePath) -> Reply<()> {
        self.link.sync(path)
    }
    fn watch_exists(&self, path: &ZnodePath) -> Reply<(Option<Stat>, oneshot::Receiver<EventKind>)> {
        self.link.watch_exists(path)
    }
    fn watch_data(&self, path: &ZnodePath) -> Reply<(Vec<u8>, Stat, oneshot::Receiver<EventKind>)> {
        self.link.watch_data(path)
    }
    fn watch_children(&self, path: &ZnodePath) -> Reply<(Vec<String>, Stat, oneshot::Receiver<EventKind>)> {
        self.link.watch_children(path)
    }
    fn identities(&self) -> Reply<Vec<Identity>> {
        self.link.identities()
    }
    fn check(&self) -> Reply<()> {
        self.link.check()
    }
    fn close(&self) -> BoxFuture<'static, bool> {
        self.link.close()
    }
}
