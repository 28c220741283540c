//! A watch that ends although the link does not, as more happened than could wait; and when audits look.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::twist::{Twist, Twisted};
use common::{ROOT, SESSION, SOON, add, observer, ports_become, remove};
use discovery::{Config, Discovery};
use test_zookeeper::Server;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};
use zk_core::transport::{Reply, Transport};
use zk_core::{ErrorKind, Event, Stat, Zk, ZnodePath};

/// The first watch overflows at its first event, and what happens then is told to nobody.
#[derive(Clone, Debug, Default)]
struct Overflows(Arc<AtomicUsize>);

impl Twist for Overflows {
    fn watch_recursive(&self, link: &dyn Transport, path: &ZnodePath) -> Reply<mpsc::Receiver<Event>> {
        let watched = link.watch_recursive(path);
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
async fn after_more_than_could_wait_following_begins_anew_on_the_same_link() {
    if !test_zookeeper::has_recursive_watches() {
        return;
    }
    let Some(_) = test_zookeeper::require() else { return };
    let server = Server::start().await.unwrap();
    let observer = observer(&server).await;
    observer.create_all(ROOT).await.unwrap();
    add(&observer, [1, 2]).await;
    let config = zk_core::Config::new(&server.connect_string()).unwrap();
    let watches = Overflows::default();
    let zk = Zk::start_on(Twisted::new(&config.with_session_timeout(SESSION).unwrap(), watches.clone()));
    let config = Config::new(ROOT.parse().unwrap());
    let config = config.with_audit_interval(Duration::from_secs(3600)).unwrap();
    let discovery = Discovery::start(zk.clone(), config);
    ports_become(&discovery, &[1, 2]).await;
    remove(&observer, [1]).await;
    add(&observer, [3]).await;
    ports_become(&discovery, &[2, 3]).await;
    add(&observer, [4]).await;
    ports_become(&discovery, &[2, 3, 4]).await;
    assert_eq!(watches.0.load(Ordering::Relaxed), 2);
    assert_eq!(zk.state().reconnects, 0, "the link had no part in it");
}

/// Notes when the root is looked at.
#[derive(Clone, Debug, Default)]
struct Looks(Arc<Mutex<Vec<Instant>>>);

impl Twist for Looks {
    fn stat(&self, link: &Arc<dyn Transport>, path: &ZnodePath) -> Reply<Option<Stat>> {
        if path.to_string() == ROOT {
            self.0.lock().unwrap().push(Instant::now());
        }
        link.stat(path)
    }
}

/// Each waits for the one before, so without variation none could follow sooner than the interval.
#[tokio::test]
async fn audits_vary_and_some_come_early() {
    let Some(_) = test_zookeeper::require() else { return };
    const INTERVAL: Duration = Duration::from_millis(100);
    let server = Server::start().await.unwrap();
    observer(&server).await.create_all(ROOT).await.unwrap();
    let config = zk_core::Config::new(&server.connect_string()).unwrap();
    let looks = Looks::default();
    let zk = Zk::start_on(Twisted::new(&config.with_session_timeout(SESSION).unwrap(), looks.clone()));
    let config = Config::new(ROOT.parse().unwrap()).with_audit_interval(INTERVAL).unwrap();
    let discovery = Discovery::start(zk, config);
    ports_become(&discovery, &[]).await;
    let early = |looks: &[Instant]| looks.windows(2).any(|two| two[1] - two[0] < INTERVAL.mul_f64(0.95));
    let deadline = Instant::now() + SOON;
    while !early(&looks.0.lock().unwrap()) {
        assert!(Instant::now() < deadline, "{looks:?}");
        sleep(INTERVAL).await;
    }
}

/// An answer says that the link is gone before the link itself does.
#[derive(Clone, Debug, Default)]
struct Hasty(Arc<AtomicUsize>);

impl Twist for Hasty {
    fn watch_recursive(&self, link: &dyn Transport, path: &ZnodePath) -> Reply<mpsc::Receiver<Event>> {
        match self.0.fetch_add(1, Ordering::Relaxed) {
            0..3 => Box::pin(async { Err(ErrorKind::ConnectionLost("reset".into())) }),
            _ => link.watch_recursive(path),
        }
    }
}

#[tokio::test]
async fn a_link_that_goes_down_is_no_trouble_of_the_root() {
    if !test_zookeeper::has_recursive_watches() {
        return;
    }
    let Some(_) = test_zookeeper::require() else { return };
    let server = Server::start().await.unwrap();
    let config = zk_core::Config::new(&server.connect_string()).unwrap();
    let hasty = Hasty::default();
    let zk = Zk::start_on(Twisted::new(&config.with_session_timeout(SESSION).unwrap(), hasty.clone()));
    let discovery = Discovery::start(zk, Config::new(ROOT.parse().unwrap()));
    let deadline = Instant::now() + SOON;
    while !discovery.view().is_live() {
        assert_eq!(discovery.view().trouble, None);
        assert!(Instant::now() < deadline, "never live");
        sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(hasty.0.load(Ordering::Relaxed), 4);
}
