//! Real transports with some operations intercepted by a test.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use discovery::{Discovery, DiscoveryConfig};
use tokio::sync::{mpsc, oneshot};
use zk_core::transport::apache::Apache;
use zk_core::transport::{
    BoxFuture, CreateMode, Ensemble, Reply, ResumeTicket, Transport, TransportEnd, Turn, latest,
};
use zk_core::{
    Acl, ConnectError, Event, EventKind, Identity, Reading, Session, Sources, Stat, Zk, ZnodePath,
};

use super::{discovery_config, link_config};

/// Intercepts operations of a transport; by default none.
pub(crate) trait Intercept: Clone + Debug + Send + Sync + 'static {
    fn has_recursive_watches(&self, transport: &dyn Transport) -> bool {
        transport.has_recursive_watches()
    }

    fn watch_recursive(
        &self,
        transport: &dyn Transport,
        turn: Turn,
        path: &ZnodePath,
    ) -> Reply<mpsc::Receiver<Event>> {
        transport.watch_recursive(turn, path)
    }

    fn children(
        &self,
        transport: &Arc<dyn Transport>,
        turn: Turn,
        path: &ZnodePath,
    ) -> Reply<(Vec<String>, Stat)> {
        transport.children(turn, path)
    }

    fn stat(&self, transport: &Arc<dyn Transport>, turn: Turn, path: &ZnodePath) -> Reply<Option<Stat>> {
        transport.stat(turn, path)
    }

    fn data(&self, transport: &Arc<dyn Transport>, turn: Turn, path: &ZnodePath) -> Reply<(Vec<u8>, Stat)> {
        transport.data(turn, path)
    }

    fn read_many(
        &self,
        transport: &Arc<dyn Transport>,
        turn: Turn,
        paths: &[ZnodePath],
    ) -> Reply<Vec<Reading>> {
        transport.read_many(turn, paths)
    }
}

/// Starts a link with an intercepted transport, and a discovery, as [`super::start`] does.
pub(crate) fn start_intercepted<T: Intercept>(
    hosts: &str,
    intercept: &T,
    change: impl FnOnce(DiscoveryConfig) -> DiscoveryConfig,
) -> (Zk, Discovery) {
    let servers = Apache::new(&link_config(hosts)).expect("file descriptors");
    let zk = Zk::start_on(Arc::new(Intercepted { servers, intercept: intercept.clone() }), Sources::system());
    (zk.clone(), Discovery::start(&zk, change(discovery_config())))
}

#[derive(Debug)]
struct Intercepted<T> {
    servers: Apache,
    intercept: T,
}

#[derive(Debug)]
struct InterceptedTransport<T> {
    transport: Arc<dyn Transport>,
    intercept: T,
}

impl<T: Intercept> Ensemble for Intercepted<T> {
    fn name(&self) -> String {
        "intercepted".into()
    }

    fn connect(
        &self,
        ticket: Option<ResumeTicket>,
    ) -> BoxFuture<'_, Result<Arc<dyn Transport>, ConnectError>> {
        Box::pin(async {
            let transport = self.servers.connect(ticket).await?;
            Ok(Arc::new(InterceptedTransport { transport, intercept: self.intercept.clone() })
                as Arc<dyn Transport>)
        })
    }

    fn requested_timeout(&self) -> Duration {
        self.servers.requested_timeout()
    }
}

impl<T: Intercept> Transport for InterceptedTransport<T> {
    fn has_recursive_watches(&self) -> bool {
        self.intercept.has_recursive_watches(&*self.transport)
    }
    fn watch_recursive(&self, turn: Turn, path: &ZnodePath) -> Reply<mpsc::Receiver<Event>> {
        self.intercept.watch_recursive(&*self.transport, turn, path)
    }
    fn children(&self, turn: Turn, path: &ZnodePath) -> Reply<(Vec<String>, Stat)> {
        self.intercept.children(&self.transport, turn, path)
    }

    fn session(&self) -> Session {
        self.transport.session()
    }
    fn ticket(&self) -> ResumeTicket {
        self.transport.ticket()
    }
    fn server(&self) -> String {
        self.transport.server()
    }
    fn down(&self) -> latest::Receiver<Option<TransportEnd>> {
        self.transport.down()
    }
    fn create(&self, turn: Turn, path: &ZnodePath, data: &[u8], mode: CreateMode, acl: Acl) -> Reply<Stat> {
        self.transport.create(turn, path, data, mode, acl)
    }
    fn delete(&self, turn: Turn, path: &ZnodePath, version: Option<i32>) -> Reply<()> {
        self.transport.delete(turn, path, version)
    }
    fn take_over(&self, turn: Turn, path: &ZnodePath, version: i32, data: &[u8], acl: Acl) -> Reply<()> {
        self.transport.take_over(turn, path, version, data, acl)
    }
    fn write_and_delete(&self, turn: Turn, path: &ZnodePath, version: i32, data: &[u8]) -> Reply<()> {
        self.transport.write_and_delete(turn, path, version, data)
    }
    fn stat(&self, turn: Turn, path: &ZnodePath) -> Reply<Option<Stat>> {
        self.intercept.stat(&self.transport, turn, path)
    }
    fn data(&self, turn: Turn, path: &ZnodePath) -> Reply<(Vec<u8>, Stat)> {
        self.intercept.data(&self.transport, turn, path)
    }
    fn read_many(&self, turn: Turn, paths: &[ZnodePath]) -> Reply<Vec<Reading>> {
        self.intercept.read_many(&self.transport, turn, paths)
    }
    fn set_data(&self, turn: Turn, path: &ZnodePath, data: &[u8], version: Option<i32>) -> Reply<Stat> {
        self.transport.set_data(turn, path, data, version)
    }
    fn sync(&self, turn: Turn, path: &ZnodePath) -> Reply<()> {
        self.transport.sync(turn, path)
    }
    fn watch_exists(
        &self,
        turn: Turn,
        path: &ZnodePath,
    ) -> Reply<(Option<Stat>, oneshot::Receiver<EventKind>)> {
        self.transport.watch_exists(turn, path)
    }
    fn watch_data(
        &self,
        turn: Turn,
        path: &ZnodePath,
    ) -> Reply<(Vec<u8>, Stat, oneshot::Receiver<EventKind>)> {
        self.transport.watch_data(turn, path)
    }
    fn watch_children(
        &self,
        turn: Turn,
        path: &ZnodePath,
    ) -> Reply<(Vec<String>, Stat, oneshot::Receiver<EventKind>)> {
        self.transport.watch_children(turn, path)
    }
    fn identities(&self, turn: Turn) -> Reply<Vec<Identity>> {
        self.transport.identities(turn)
    }
    fn check(&self) -> Reply<()> {
        self.transport.check()
    }
    fn close(&self) -> BoxFuture<'static, bool> {
        self.transport.close()
    }
}
