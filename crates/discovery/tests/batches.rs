//! A list, and the events that are queued when it arrives, make one view. An intercepted transport delays replies
//! until the events are queued. Only for recursive watches, as one-shot watches bring lists only.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::intercept::{Intercept, start_intercepted};
use common::{
    RARELY, ROOT, SOON, add, becomes_live, becomes_stale, node, ports, ports_become, remove,
    require_recursive_watches, revision, serve_with_proxy,
};
use discovery::{Discovery, Members};
use test_zookeeper::Server;
use tokio::sync::{mpsc, watch};
use tokio::time::{sleep, timeout};
use zk_core::transport::{Reply, Transport, Turn};
use zk_core::{Event, EventKind, Stat, ZnodePath};
use zk_testing::proxy::Proxy;
use zk_testing::raw::{self, CreateMode, MultiOp};

/// Changes of znodes in one transaction.
type Changes = Vec<MultiOp>;

/// Applies changes while a request is under way, and passes its reply on when their events are queued.
#[derive(Clone, Debug)]
struct Races {
    writer: Arc<raw::Client>,
    /// Applied before the next list is read.
    before_list: Arc<Mutex<Changes>>,
    /// Applied after the next list was read, and before its reply is passed on.
    after_list: Arc<Mutex<Changes>>,
    /// Applied before the next audit reads the root.
    before_audit: Arc<Mutex<Changes>>,
    /// How many events of children were queued.
    queued: watch::Sender<usize>,
    /// Whether events are lost.
    loses_events: Arc<AtomicBool>,
    /// Whether the events of `before_list` are lost.
    loses_events_before_list: Arc<AtomicBool>,
    /// How many recursive watches were set.
    watches: Arc<AtomicUsize>,
}

impl Races {
    async fn apply(&self, changes: Changes) {
        let mut queued = self.queued.subscribe();
        let expected = *queued.borrow() + changes.len();
        self.writer.multi(&changes).await.unwrap();
        timeout(SOON, queued.wait_for(|queued| *queued >= expected)).await.unwrap().unwrap();
    }
}

fn take(changes: &Mutex<Changes>) -> Changes {
    std::mem::take(&mut changes.lock().unwrap())
}

impl Intercept for Races {
    fn watch_recursive(
        &self,
        transport: &dyn Transport,
        turn: Turn,
        path: &ZnodePath,
    ) -> Reply<mpsc::Receiver<Event>> {
        self.watches.fetch_add(1, Ordering::Relaxed);
        let (watched, intercept) = (transport.watch_recursive(turn, path), self.clone());
        Box::pin(async move {
            let mut events = watched.await?;
            let (queue, receiver) = mpsc::channel(1_000);
            tokio::spawn(async move {
                while let Some(event) = events.recv().await {
                    let counts = event.kind != EventKind::ChildrenChanged;
                    if !intercept.loses_events.load(Ordering::Relaxed) && queue.send(event).await.is_err() {
                        return;
                    }
                    intercept.queued.send_modify(|queued| *queued += usize::from(counts));
                }
            });
            Ok(receiver)
        })
    }

    fn children(
        &self,
        transport: &Arc<dyn Transport>,
        turn: Turn,
        path: &ZnodePath,
    ) -> Reply<(Vec<String>, Stat)> {
        let (transport, path, intercept) = (transport.clone(), path.clone(), self.clone());
        Box::pin(async move {
            let changes = take(&intercept.before_list);
            if !changes.is_empty() {
                intercept
                    .loses_events
                    .store(intercept.loses_events_before_list.load(Ordering::Relaxed), Ordering::Relaxed);
                intercept.apply(changes).await;
            }
            let list = transport.children(turn, &path).await?;
            let changes = take(&intercept.after_list);
            if !changes.is_empty() {
                intercept.loses_events.store(false, Ordering::Relaxed);
                intercept.apply(changes).await;
            }
            Ok(list)
        })
    }

    fn data(&self, transport: &Arc<dyn Transport>, turn: Turn, path: &ZnodePath) -> Reply<(Vec<u8>, Stat)> {
        let changes = take(&self.before_audit);
        if changes.is_empty() {
            return transport.data(turn, path);
        }
        let (transport, path, intercept) = (transport.clone(), path.clone(), self.clone());
        Box::pin(async move {
            intercept.apply(changes).await;
            transport.data(turn, &path).await
        })
    }
}

fn create(port: u16) -> MultiOp {
    MultiOp::create(node(port), b"", CreateMode::Ephemeral)
}

fn delete(port: u16) -> MultiOp {
    MultiOp::delete(node(port), None)
}

/// A server with instances at ports 1 to 3 and a proxy, and the races to come.
async fn races() -> (Server, Proxy, raw::Client, Races) {
    let (server, proxy, observer) = serve_with_proxy(1..=3).await;
    let races = Races {
        writer: Arc::new(common::observer(&server).await),
        before_list: Arc::default(),
        after_list: Arc::default(),
        before_audit: Arc::default(),
        queued: watch::Sender::new(0),
        loses_events: Arc::default(),
        loses_events_before_list: Arc::default(),
        watches: Arc::default(),
    };
    (server, proxy, observer, races)
}

/// Starts a discovery that neither settles nor holds, so that every batch shows as a view.
fn follow(proxy: &Proxy, races: &Races, audits: Duration) -> Discovery {
    let (_zk, discovery) = start_intercepted(&proxy.connect_string(), races, |config| {
        let config = config.with_audit_interval(audits).unwrap();
        config.with_settle(Duration::ZERO).unwrap().with_hold(Duration::ZERO).unwrap()
    });
    discovery
}

const OFTEN: Duration = Duration::from_millis(300);

#[tokio::test]
async fn the_first_view_shows_the_list_with_the_events_queued_behind_it() {
    let Some(_) = require_recursive_watches() else { return };
    let (_server, proxy, _observer, races) = races().await;
    *races.after_list.lock().unwrap() = vec![create(4), create(5), create(6)];
    let discovery = follow(&proxy, &races, RARELY);
    let first = ports_become(&discovery, &[1, 2, 3, 4, 5, 6]).await;
    assert_eq!(revision(&first), 1, "there was a view of the list alone");
}

#[tokio::test]
async fn an_instance_missing_in_the_list_and_created_after_it_stays() {
    let Some(_) = require_recursive_watches() else { return };
    let (_server, proxy, observer, races) = races().await;
    let discovery = follow(&proxy, &races, RARELY);
    let before = ports_become(&discovery, &[1, 2, 3]).await;
    proxy.refuse().await;
    becomes_stale(&discovery).await;
    remove(&observer, [3]).await;
    *races.after_list.lock().unwrap() = vec![create(3)];
    proxy.pass().await.unwrap();
    let after = becomes_live(&discovery).await;
    assert_eq!(after.snapshot, before.snapshot, "there was a view of the list alone");
    assert!(races.after_list.lock().unwrap().is_empty(), "the root was not listed");
}

#[tokio::test]
async fn an_instance_missing_in_the_list_of_an_audit_and_created_after_it_stays() {
    let Some(_) = require_recursive_watches() else { return };
    let (_server, proxy, _observer, races) = races().await;
    let discovery = follow(&proxy, &races, OFTEN);
    let before = ports_become(&discovery, &[1, 2, 3]).await;
    // The deletion has no event, but the list of the audit lacks the instance. The audit lists because of a creation
    // without an event.
    races.loses_events_before_list.store(true, Ordering::Relaxed);
    *races.before_list.lock().unwrap() = vec![delete(3)];
    *races.after_list.lock().unwrap() = vec![create(3)];
    races.loses_events.store(true, Ordering::Relaxed);
    races.apply(vec![create(4)]).await;
    let after = ports_become(&discovery, &[1, 2, 3, 4]).await;
    assert!(races.after_list.lock().unwrap().is_empty(), "an audit has listed");
    assert_eq!(revision(&after), revision(&before) + 1, "there was a view of the list alone");
}

#[tokio::test]
async fn a_root_that_is_deleted_between_its_stat_and_its_list_is_an_empty_set() {
    let Some(_) = require_recursive_watches() else { return };
    let (_server, proxy, observer, races) = races().await;
    *races.before_list.lock().unwrap() = vec![delete(1), delete(2), delete(3), MultiOp::delete(ROOT, None)];
    let discovery = follow(&proxy, &races, RARELY);
    let view = becomes_live(&discovery).await;
    assert_eq!((view.members(), view.trouble.as_deref()), (Members::Empty, None));
    observer.create_all(ROOT).await.unwrap();
    add(&observer, [4]).await;
    ports_become(&discovery, &[4]).await;
}

#[tokio::test]
async fn an_audit_does_not_take_a_queued_event_for_a_lost_one() {
    let Some(_) = require_recursive_watches() else { return };
    let (_server, proxy, _observer, races) = races().await;
    let discovery = follow(&proxy, &races, OFTEN);
    ports_become(&discovery, &[1, 2, 3]).await;
    *races.before_audit.lock().unwrap() = vec![create(4), delete(1)];
    let view = ports_become(&discovery, &[2, 3, 4]).await;
    assert_eq!(ports(&view).unwrap(), [2, 3, 4]);
    // Three more audits: after a mismatch there would be another watch by now.
    sleep(3 * OFTEN).await;
    assert_eq!(races.watches.load(Ordering::Relaxed), 1, "the watch was replaced");
}
