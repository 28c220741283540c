//! A list, and the events that are queued when it arrives: one batch. Made to meet by a link that answers
//! only when the events are there. It is about recursive watches; the others have nothing but lists.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::twist::{Twist, Twisted};
use common::{ROOT, SESSION, SOON, add, node, observer, ports, ports_become, remove, view_where};
use discovery::{Config, Discovery, Members, View};
use test_zookeeper::Server;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, timeout};
use zk_core::transport::{Reply, Transport};
use zk_core::{Event, EventKind, Stat, Zk, ZnodePath};
use zk_testing::proxy::Proxy;
use zk_testing::raw::{self, CreateMode, MultiOp};

/// What happens to znodes at some moment, in one transaction.
type Changes = Vec<MultiOp>;

/// Lets things apply while a request is under way, and its answer go on when their events are queued.
#[derive(Clone, Debug)]
struct Meeting {
    writer: Arc<raw::Client>,
    /// Happens when the next list is asked for.
    before_the_list: Arc<Mutex<Changes>>,
    /// Happens when the next list was answered, and nobody has heard of the answer yet.
    behind_the_list: Arc<Mutex<Changes>>,
    /// Happens when the next stat of the root is asked for.
    before_the_look: Arc<Mutex<Changes>>,
    /// Events of children that were queued.
    queued: watch::Sender<usize>,
    /// Events get lost.
    muted: Arc<AtomicBool>,
    /// The events of what happens before a list do.
    mutes_before_the_list: Arc<AtomicBool>,
    /// Recursive watches that were set.
    watches: Arc<AtomicUsize>,
}

impl Meeting {
    async fn apply(&self, what: Changes) {
        let mut queued = self.queued.subscribe();
        let expected = *queued.borrow() + what.len();
        self.writer.multi(&what).await.unwrap();
        timeout(SOON, queued.wait_for(|queued| *queued >= expected)).await.unwrap().unwrap();
    }
}

fn take(changes: &Mutex<Changes>) -> Changes {
    std::mem::take(&mut changes.lock().unwrap())
}

impl Twist for Meeting {
    fn watch_recursive(&self, link: &dyn Transport, path: &ZnodePath) -> Reply<mpsc::Receiver<Event>> {
        self.watches.fetch_add(1, Ordering::Relaxed);
        let (watched, twist) = (link.watch_recursive(path), self.clone());
        Box::pin(async move {
            let mut events = watched.await?;
            let (queue, receiver) = mpsc::channel(1_000);
            tokio::spawn(async move {
                while let Some(event) = events.recv().await {
                    let counts = event.kind != EventKind::ChildrenChanged;
                    if !twist.muted.load(Ordering::Relaxed) && queue.send(event).await.is_err() {
                        return;
                    }
                    twist.queued.send_modify(|queued| *queued += usize::from(counts));
                }
            });
            Ok(receiver)
        })
    }

    fn children(&self, link: &Arc<dyn Transport>, path: &ZnodePath) -> Reply<(Vec<String>, Stat)> {
        let (link, path, twist) = (link.clone(), path.clone(), self.clone());
        Box::pin(async move {
            let changes = take(&twist.before_the_list);
            if !changes.is_empty() {
                twist.muted.store(twist.mutes_before_the_list.load(Ordering::Relaxed), Ordering::Relaxed);
                twist.apply(changes).await;
            }
            let list = link.children(&path).await?;
            let changes = take(&twist.behind_the_list);
            if !changes.is_empty() {
                twist.muted.store(false, Ordering::Relaxed);
                twist.apply(changes).await;
            }
            Ok(list)
        })
    }

    fn stat(&self, link: &Arc<dyn Transport>, path: &ZnodePath) -> Reply<Option<Stat>> {
        let changes = if path.to_string() == ROOT { take(&self.before_the_look) } else { Vec::new() };
        if changes.is_empty() {
            return link.stat(path);
        }
        let (link, path, twist) = (link.clone(), path.clone(), self.clone());
        Box::pin(async move {
            twist.apply(changes).await;
            link.stat(&path).await
        })
    }
}

fn create(port: u16) -> MultiOp {
    MultiOp::create(node(port), b"", CreateMode::Ephemeral)
}

fn delete(port: u16) -> MultiOp {
    MultiOp::delete(node(port), None)
}

fn revision(view: &View) -> u64 {
    view.snapshot.as_ref().unwrap().revision()
}

/// Servers at ports 1 to 3, a proxy in front, and a meeting.
async fn meeting(server: &Server) -> (Proxy, raw::Client, Meeting) {
    let proxy = Proxy::start(server.addr()).await.unwrap();
    let observer = observer(server).await;
    observer.create_all(ROOT).await.unwrap();
    add(&observer, 1..=3).await;
    let meeting = Meeting {
        writer: Arc::new(raw::Client::connect(server.addr(), Duration::from_secs(4)).await.unwrap()),
        before_the_list: Arc::default(),
        behind_the_list: Arc::default(),
        before_the_look: Arc::default(),
        queued: watch::Sender::new(0),
        muted: Arc::default(),
        mutes_before_the_list: Arc::default(),
        watches: Arc::default(),
    };
    (proxy, observer, meeting)
}

/// Follows without any settling or holding: whatever is not one batch shows.
fn follow(proxy: &Proxy, meeting: &Meeting, audits: Duration) -> Discovery {
    let config = zk_core::Config::new(&proxy.connect_string()).unwrap();
    let config = config.with_session_timeout(SESSION).unwrap();
    let zk = Zk::start_on(Twisted::new(&config, meeting.clone()));
    let config = Config::new(ROOT.parse().unwrap()).with_audit_interval(audits).unwrap();
    Discovery::start(zk, config.with_settle(Duration::ZERO).unwrap().with_hold(Duration::ZERO).unwrap())
}

const RARELY: Duration = Duration::from_secs(3600);
const OFTEN: Duration = Duration::from_millis(300);

#[tokio::test]
async fn the_first_view_shows_the_list_with_what_happened_since_it_was_read() {
    if !test_zookeeper::has_recursive_watches() {
        return;
    }
    let Some(_) = test_zookeeper::require() else { return };
    let server = Server::start().await.unwrap();
    let (proxy, _observer, meeting) = meeting(&server).await;
    *meeting.behind_the_list.lock().unwrap() = vec![create(4), create(5), create(6)];
    let discovery = follow(&proxy, &meeting, RARELY);
    let first = ports_become(&discovery, &[1, 2, 3, 4, 5, 6]).await;
    assert_eq!(revision(&first), 1, "there was a view of the list alone");
}

#[tokio::test]
async fn who_is_missing_in_the_list_and_came_right_after_it_was_never_gone() {
    if !test_zookeeper::has_recursive_watches() {
        return;
    }
    let Some(_) = test_zookeeper::require() else { return };
    let server = Server::start().await.unwrap();
    let (proxy, observer, meeting) = meeting(&server).await;
    let discovery = follow(&proxy, &meeting, RARELY);
    let before = ports_become(&discovery, &[1, 2, 3]).await;
    proxy.refuse().await;
    view_where(&discovery, "stale", |view| !view.is_live()).await;
    remove(&observer, [3]).await;
    *meeting.behind_the_list.lock().unwrap() = vec![create(3)];
    proxy.pass().await.unwrap();
    let after = view_where(&discovery, "live", View::is_live).await;
    assert_eq!(after.snapshot, before.snapshot, "there was a view of the list alone");
    assert!(meeting.behind_the_list.lock().unwrap().is_empty(), "it was listed");
}

#[tokio::test]
async fn so_it_is_with_the_list_of_an_audit() {
    if !test_zookeeper::has_recursive_watches() {
        return;
    }
    let Some(_) = test_zookeeper::require() else { return };
    let server = Server::start().await.unwrap();
    let (proxy, observer, meeting) = meeting(&server).await;
    let discovery = follow(&proxy, &meeting, OFTEN);
    ports_become(&discovery, &[1, 2, 3]).await;
    // No event tells that one goes; the audit's list does. It lists because of another event.
    meeting.mutes_before_the_list.store(true, Ordering::Relaxed);
    *meeting.before_the_list.lock().unwrap() = vec![delete(3)];
    *meeting.behind_the_list.lock().unwrap() = vec![create(3)];
    add(&observer, [4]).await;
    let before = ports_become(&discovery, &[1, 2, 3, 4]).await;
    let deadline = Instant::now() + SOON;
    while !meeting.behind_the_list.lock().unwrap().is_empty() {
        assert!(Instant::now() < deadline, "no audit listed");
        sleep(Duration::from_millis(5)).await;
    }
    add(&observer, [5]).await;
    let after = ports_become(&discovery, &[1, 2, 3, 4, 5]).await;
    assert_eq!(revision(&after), revision(&before) + 1, "there was a view of the list alone");
}

#[tokio::test]
async fn a_root_that_goes_between_the_look_and_the_list_is_an_empty_set() {
    if !test_zookeeper::has_recursive_watches() {
        return;
    }
    let Some(_) = test_zookeeper::require() else { return };
    let server = Server::start().await.unwrap();
    let (proxy, observer, meeting) = meeting(&server).await;
    *meeting.before_the_list.lock().unwrap() =
        vec![delete(1), delete(2), delete(3), MultiOp::delete(ROOT, None)];
    let discovery = follow(&proxy, &meeting, RARELY);
    let view = view_where(&discovery, "live", View::is_live).await;
    assert_eq!((view.members(), view.trouble.as_deref()), (Members::Empty, None));
    observer.create_all(ROOT).await.unwrap();
    add(&observer, [4]).await;
    ports_become(&discovery, &[4]).await;
}

#[tokio::test]
async fn an_audit_does_not_take_an_event_on_its_way_for_a_lost_one() {
    if !test_zookeeper::has_recursive_watches() {
        return;
    }
    let Some(_) = test_zookeeper::require() else { return };
    let server = Server::start().await.unwrap();
    let (proxy, _observer, meeting) = meeting(&server).await;
    let discovery = follow(&proxy, &meeting, OFTEN);
    ports_become(&discovery, &[1, 2, 3]).await;
    *meeting.before_the_look.lock().unwrap() = vec![create(4), delete(1)];
    let view = ports_become(&discovery, &[2, 3, 4]).await;
    assert_eq!(ports(&view).unwrap(), [2, 3, 4]);
    // Some audits more: had the watch been distrusted, there would be another one by now.
    sleep(3 * OFTEN).await;
    assert_eq!(meeting.watches.load(Ordering::Relaxed), 1, "the watch was replaced");
}
