//! A service in a simulated ensemble, and a network with scripted instances.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use tokio::time::{sleep, timeout};
use tower::Service;
use zk_roster::{CallConfig, Callee, Client, Strategy};
use zk_simulated::{Operator, SimulatedEnsemble};

const ROOT: &str = "/services/web";
pub(crate) const LONG: Duration = Duration::from_secs(60);

/// What an instance does.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Manner {
    Answers,
    AnswersAfter(Duration),
    Refuses,
    ConnectsAfter(Duration),
    /// No connection that was used takes a request any more, whatever the instance does later.
    NeverReady,
    Resets,
    /// Nothing comes any more on a connection that was used, whatever the instance does later.
    Hangs,
}

#[derive(Default)]
struct State {
    manners: BTreeMap<u16, Manner>,
    /// The ports that were connected to.
    connects: Vec<u16>,
    /// The connections that were given up before they were made.
    dropped: usize,
    /// The ports that took a request.
    taken: Vec<u16>,
    open: BTreeMap<u16, usize>,
    /// The ports whose connections break at their next use.
    broken: Vec<u16>,
}

/// Makes connections to scripted instances.
#[derive(Clone, Default)]
pub(crate) struct Network(Arc<Mutex<State>>);

impl Network {
    pub(crate) fn set(&self, port: u16, manner: Manner) {
        self.0.lock().manners.insert(port, manner);
    }

    fn manner(&self, port: u16) -> Manner {
        self.0.lock().manners.get(&port).copied().unwrap_or(Manner::Answers)
    }

    pub(crate) fn connects(&self) -> Vec<u16> {
        self.0.lock().connects.clone()
    }

    pub(crate) fn dropped(&self) -> usize {
        self.0.lock().dropped
    }

    pub(crate) fn taken(&self) -> Vec<u16> {
        self.0.lock().taken.clone()
    }

    /// The connections to `port` that there are break while nobody uses them.
    pub(crate) fn break_idle(&self, port: u16) {
        self.0.lock().broken.push(port);
    }

    pub(crate) fn open(&self, port: u16) -> usize {
        self.0.lock().open.get(&port).copied().unwrap_or(0)
    }
}

impl Service<Callee> for Network {
    type Response = Connection;
    type Error = io::Error;
    type Future = BoxFuture<'static, io::Result<Connection>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, callee: Callee) -> Self::Future {
        let (network, port) = (self.clone(), callee.endpoint().port());
        async move {
            network.0.lock().connects.push(port);
            let mut dropped = Dropped(Some(network.clone()));
            match network.manner(port) {
                Manner::Refuses => {
                    dropped.0 = None;
                    return Err(io::ErrorKind::ConnectionRefused.into());
                }
                Manner::ConnectsAfter(time) => sleep(time).await,
                _ => {}
            }
            dropped.0 = None;
            *network.0.lock().open.entry(port).or_default() += 1;
            let (is_broken, is_silent, is_stuck) = Default::default();
            Ok(Connection(Arc::new(Socket { port, network, is_broken, is_silent, is_stuck })))
        }
        .boxed()
    }
}

/// Counts connections that are given up before they are made.
struct Dropped(Option<Network>);

impl Drop for Dropped {
    fn drop(&mut self) {
        if let Some(network) = self.0.take() {
            network.0.lock().dropped += 1;
        }
    }
}

/// A connection: clones share it.
#[derive(Clone)]
pub(crate) struct Connection(Arc<Socket>);

struct Socket {
    port: u16,
    network: Network,
    is_broken: AtomicBool,
    is_silent: AtomicBool,
    is_stuck: AtomicBool,
}

impl Drop for Socket {
    fn drop(&mut self) {
        *self.network.0.lock().open.get_mut(&self.port).unwrap() -= 1;
    }
}

impl<Req> Service<Req> for Connection {
    type Response = u16;
    type Error = io::Error;
    type Future = BoxFuture<'static, io::Result<u16>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        let socket = &self.0;
        if socket.network.0.lock().broken.extract_if(.., |port| *port == socket.port).next().is_some() {
            socket.is_broken.store(true, Ordering::Relaxed);
        }
        if socket.network.manner(socket.port) == Manner::NeverReady {
            socket.is_stuck.store(true, Ordering::Relaxed);
        }
        match socket.network.manner(socket.port) {
            _ if socket.is_stuck.load(Ordering::Relaxed) => Poll::Pending,
            _ if socket.is_broken.load(Ordering::Relaxed) => {
                Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()))
            }
            _ => Poll::Ready(Ok(())),
        }
    }

    fn call(&mut self, _: Req) -> Self::Future {
        // As with hyper: what is under way holds the connection, and not the handle.
        let socket = Arc::clone(&self.0);
        async move {
            socket.network.0.lock().taken.push(socket.port);
            if socket.is_silent.load(Ordering::Relaxed) {
                std::future::pending::<()>().await;
            }
            match socket.network.manner(socket.port) {
                Manner::Resets => {
                    socket.is_broken.store(true, Ordering::Relaxed);
                    return Err(io::ErrorKind::ConnectionReset.into());
                }
                Manner::Hangs => {
                    socket.is_silent.store(true, Ordering::Relaxed);
                    std::future::pending().await
                }
                Manner::AnswersAfter(time) => sleep(time).await,
                _ => {}
            }
            Ok(socket.port)
        }
        .boxed()
    }
}

/// A service, and a client that follows it.
pub(crate) struct Web {
    ensemble: SimulatedEnsemble,
    operator: Operator,
    pub(crate) client: Client,
    pub(crate) network: Network,
}

impl Web {
    /// Instances at these ports of one host.
    pub(crate) async fn new(ports: &[u16]) -> Self {
        let ensemble = SimulatedEnsemble::new(7);
        let operator = ensemble.operator();
        for port in ports {
            operator.create_ephemeral(path(*port), record(1, false)).unwrap();
        }
        let calls = CallConfig::new(Duration::from_secs(1), Duration::from_secs(5)).unwrap();
        let client = follow(&ensemble, calls).await;
        let web = Self { ensemble, operator, client, network: Network::default() };
        web.listed(ports).await;
        web
    }

    /// A client that goes by the list that another one has saved, until ZooKeeper is let back.
    pub(crate) async fn saved_client(&self) -> Client {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("web.saved");
        let builder = || Client::builder(&self.ensemble.zk(), ROOT).unwrap().saved_at(&path);
        builder().follow().await.unwrap().shutdown().await;
        self.ensemble.refuse_connects(true);
        let client = builder().follow().await.unwrap();
        assert!(client.is_saved());
        client
    }

    pub(crate) fn let_zookeeper_back(&self) {
        self.ensemble.refuse_connects(false);
    }

    /// One more client, whose calls are made otherwise.
    pub(crate) async fn client_with(&self, calls: CallConfig) -> Client {
        follow(&self.ensemble, calls).await
    }

    /// Waits until the client's balancer knows these and no others.
    pub(crate) async fn listed(&self, ports: &[u16]) {
        self.until(|| {
            let mut known: Vec<_> =
                self.client.balancer().status().iter().map(|one| one.key.port()).collect();
            known.sort_unstable();
            known == ports
        })
        .await;
    }

    pub(crate) async fn until(&self, condition: impl Fn() -> bool) {
        let all = async {
            while !condition() {
                sleep(Duration::from_millis(1)).await;
            }
        };
        timeout(LONG, all).await.expect("in time");
    }

    pub(crate) fn add(&self, port: u16) {
        self.operator.create_ephemeral(path(port), record(1, false)).unwrap();
    }

    /// The instance leaves on purpose.
    pub(crate) fn remove(&self, port: u16) {
        self.operator.write_and_delete(path(port), "").unwrap();
    }

    /// Another process takes the place of this one, or it says that it is draining.
    pub(crate) fn set(&self, port: u16, incarnation: u8, is_draining: bool) {
        self.operator.set_data(path(port), record(incarnation, is_draining)).unwrap();
    }
}

async fn follow(ensemble: &SimulatedEnsemble, calls: CallConfig) -> Client {
    let builder = Client::builder(&ensemble.zk(), ROOT).unwrap();
    builder.strategy(Strategy::RoundRobin).calls(calls).follow().await.unwrap()
}

fn path(port: u16) -> String {
    format!("{ROOT}/10.0.0.1:{port}")
}

fn record(incarnation: u8, is_draining: bool) -> String {
    let draining = if is_draining { r#","owner.draining":"true""# } else { "" };
    format!(r#"{{"Weight":100,"Tags":{{"owner.incarnation":"{incarnation:032x}"{draining}}}}}"#)
}
