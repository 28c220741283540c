//! A watch that overflows, audits at varying intervals, and a connection that ends during a sync.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::intercept::{Intercept, start_intercepted};
use common::{add, eventually, ports_become, remove, require_recursive_watches, serve};
use test_zookeeper::Server;
use tokio::sync::mpsc;
use tokio::time::Instant;
use zk_core::transport::{Reply, Transport, Turn};
use zk_core::{ErrorKind, Event, Stat, ZnodePath};

/// The first watch overflows at its first event, and loses the events after it.
#[derive(Clone, Debug, Default)]
struct Overflows(Arc<AtomicUsize>);

impl Intercept for Overflows {
    fn watch_recursive(
        &self,
        transport: &dyn Transport,
        turn: Turn,
        path: &ZnodePath,
    ) -> Reply<mpsc::Receiver<Event>> {
        let watched = transport.watch_recursive(turn, path);
        if self.0.fetch_add(1, Ordering::Relaxed) > 0 {
            return watched;
        }
        Box::pin(async move {
            let mut events = watched.await?;
            let (queue, receiver) = mpsc::channel(1);
            tokio::spawn(async move {
                events.recv().await;
                drop(queue);
            });
            Ok(receiver)
        })
    }
}

#[tokio::test]
async fn a_watch_that_overflows_is_replaced_on_the_same_connection() {
    let Some(_) = require_recursive_watches() else { return };
    let (server, observer) = serve([1, 2]).await;
    let watches = Overflows::default();
    let (zk, discovery) = start_intercepted(&server.connect_string(), &watches, |config| config);
    ports_become(&discovery, &[1, 2]).await;
    remove(&observer, [1]).await;
    add(&observer, [3]).await;
    ports_become(&discovery, &[2, 3]).await;
    add(&observer, [4]).await;
    ports_become(&discovery, &[2, 3, 4]).await;
    assert_eq!(watches.0.load(Ordering::Relaxed), 2);
    assert_eq!(zk.state().reconnects, 0, "the connection is the same");
}

/// Records when audits read the root.
#[derive(Clone, Debug, Default)]
struct Audits(Arc<Mutex<Vec<Instant>>>);

impl Intercept for Audits {
    fn data(&self, transport: &Arc<dyn Transport>, turn: Turn, path: &ZnodePath) -> Reply<(Vec<u8>, Stat)> {
        self.0.lock().unwrap().push(Instant::now());
        transport.data(turn, path)
    }
}

/// Each audit waits for the one before, so without variation none would begin before the interval is over.
#[tokio::test]
async fn audits_vary_and_some_come_early() {
    let Some(_) = test_zookeeper::require() else { return };
    const INTERVAL: Duration = Duration::from_millis(100);
    let (server, _observer) = serve([]).await;
    let audits = Audits::default();
    let (_zk, discovery) = start_intercepted(&server.connect_string(), &audits, |config| {
        config.with_audit_interval(INTERVAL).unwrap()
    });
    ports_become(&discovery, &[]).await;
    let early = |audits: &[Instant]| audits.windows(2).any(|two| two[1] - two[0] < INTERVAL.mul_f64(0.95));
    eventually("an audit comes early", async || early(&audits.0.lock().unwrap())).await;
}

/// The first watches fail as if the connection had ended, before the link notices.
#[derive(Clone, Debug, Default)]
struct ConnectionEnds(Arc<AtomicUsize>);

impl Intercept for ConnectionEnds {
    fn watch_recursive(
        &self,
        transport: &dyn Transport,
        turn: Turn,
        path: &ZnodePath,
    ) -> Reply<mpsc::Receiver<Event>> {
        match self.0.fetch_add(1, Ordering::Relaxed) {
            0..3 => Box::pin(async { Err(ErrorKind::ConnectionLost("reset".into())) }),
            _ => transport.watch_recursive(turn, path),
        }
    }
}

#[tokio::test]
async fn a_connection_that_ends_is_no_trouble_of_the_root() {
    let Some(_) = require_recursive_watches() else { return };
    let server = Server::start().await.unwrap();
    let ends = ConnectionEnds::default();
    let (_zk, discovery) = start_intercepted(&server.connect_string(), &ends, |config| config);
    eventually("the view is live", async || {
        assert_eq!(discovery.view().trouble, None);
        discovery.view().is_live()
    })
    .await;
    assert_eq!(ends.0.load(Ordering::Relaxed), 4);
}
