//! How records are read, as the link sees it: how many at a time, and when.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use common::twist::{Twist, Twisted};
use common::{ROOT, SESSION, SOON, observer, view_where};
use discovery::{Config, Discovery, Records, View};
use test_zookeeper::Server;
use tokio::time::{Instant, sleep};
use zk_core::transport::{Reply, Transport};
use zk_core::{Reading, Zk, ZnodePath};
use zk_testing::proxy::Proxy;
use zk_testing::raw::{CreateMode, MultiOp};

/// Notes every read of records.
#[derive(Clone, Debug, Default)]
struct Notes(Arc<Mutex<Seen>>);

#[derive(Debug, Default)]
struct Seen {
    under_way: usize,
    most_under_way: usize,
    /// When each was sent, and for how many records.
    sent: Vec<(Instant, usize)>,
}

impl Notes {
    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap()
    }

    /// Waits until every one of so many records was asked for.
    async fn all(&self, count: usize) {
        let deadline = Instant::now() + SOON;
        while self.seen().sent.iter().map(|(_, records)| records).sum::<usize>() < count {
            assert!(Instant::now() < deadline, "{:?}", self.seen());
            sleep(Duration::from_millis(5)).await;
        }
    }
}

impl Twist for Notes {
    fn read_many(&self, link: &Arc<dyn Transport>, paths: &[ZnodePath]) -> Reply<Vec<Reading>> {
        let mut seen = self.seen();
        seen.sent.push((Instant::now(), paths.len()));
        seen.under_way += 1;
        seen.most_under_way = seen.most_under_way.max(seen.under_way);
        let (answer, notes) = (link.read_many(paths), self.clone());
        Box::pin(async move {
            // Long enough for all the others that are not waited for.
            sleep(Duration::from_millis(20)).await;
            let answer = answer.await;
            notes.seen().under_way -= 1;
            answer
        })
    }
}

const COUNT: usize = 2_000;

async fn two_thousand(server: &Server) {
    let observer = observer(server).await;
    observer.create_all(ROOT).await.unwrap();
    let numbers: Vec<_> = (1..=COUNT).collect();
    for some in numbers.chunks(500) {
        let create = |port: &usize| {
            MultiOp::create(format!("{ROOT}/127.0.0.1:{port}"), r#"{"Weight":7}"#, CreateMode::Persistent)
        };
        observer.multi(&some.iter().map(create).collect::<Vec<_>>()).await.unwrap();
    }
}

fn follow(proxy: &Proxy, notes: &Notes, audits: Duration) -> (Zk, Discovery) {
    let config = zk_core::Config::new(&proxy.connect_string()).unwrap();
    let config = config.with_session_timeout(SESSION).unwrap();
    let zk = Zk::start_on(Twisted::new(&config, notes.clone()));
    let config = Config::new(ROOT.parse().unwrap()).with_records(Records::Read);
    (zk.clone(), Discovery::start(zk, config.with_audit_interval(audits).unwrap()))
}

async fn all_are_known(discovery: &Discovery) {
    let known = |view: &View| {
        let all = view.snapshot.as_ref().map_or(&[][..], |all| all.instances());
        all.len() == COUNT && all.iter().all(|instance| instance.weight() == 7)
    };
    view_where(discovery, "all records", known).await;
}

#[tokio::test]
async fn at_most_four_requests_for_at_most_256_records_are_under_way() {
    if !test_zookeeper::has_recursive_watches() {
        return;
    }
    let Some(_) = test_zookeeper::require() else { return };
    let server = Server::start().await.unwrap();
    let proxy = Proxy::start(server.addr()).await.unwrap();
    two_thousand(&server).await;
    let notes = Notes::default();
    let (_zk, discovery) = follow(&proxy, &notes, Duration::from_secs(3600));
    all_are_known(&discovery).await;
    let seen = notes.seen();
    assert_eq!(seen.most_under_way, 4, "{seen:?}");
    assert_eq!(seen.sent.iter().map(|(_, records)| *records).max(), Some(256), "{seen:?}");
}

/// Fifty followers that read all they know at once would be a load of their own.
#[tokio::test]
async fn after_a_reconnect_the_records_are_read_again_but_not_all_at_once() {
    if !test_zookeeper::has_recursive_watches() {
        return;
    }
    let Some(_) = test_zookeeper::require() else { return };
    let server = Server::start().await.unwrap();
    let proxy = Proxy::start(server.addr()).await.unwrap();
    two_thousand(&server).await;
    let notes = Notes::default();
    let (zk, discovery) = follow(&proxy, &notes, Duration::from_secs(3600));
    all_are_known(&discovery).await;
    notes.seen().sent.clear();
    let mut states = zk.states();
    proxy.cut().await;
    states.wait_for(|state| state.reconnects == 1).await.unwrap();
    notes.all(COUNT).await;
    assert_spread(&notes, Duration::from_millis(500));
}

#[tokio::test]
async fn an_audit_reads_all_records_over_half_of_its_interval() {
    if !test_zookeeper::has_recursive_watches() {
        return;
    }
    let Some(_) = test_zookeeper::require() else { return };
    let server = Server::start().await.unwrap();
    let proxy = Proxy::start(server.addr()).await.unwrap();
    two_thousand(&server).await;
    let notes = Notes::default();
    let (_zk, discovery) = follow(&proxy, &notes, Duration::from_secs(4));
    all_are_known(&discovery).await;
    notes.seen().sent.clear();
    notes.all(COUNT).await;
    assert_spread(&notes, Duration::from_secs(1));
}

/// From the first to the last of eight; they are in as many parts of the time, each anywhere in its own.
fn assert_spread(notes: &Notes, least: Duration) {
    let seen = notes.seen();
    let (first, last) = (seen.sent.first().unwrap().0, seen.sent.last().unwrap().0);
    assert!(last - first >= least, "{:?}: {seen:?}", last - first);
}
