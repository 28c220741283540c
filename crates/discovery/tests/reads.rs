//! How many records are read at a time, and when, counted in an intercepted transport.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use common::intercept::{Intercept, start_intercepted};
use common::{
    RARELY, ROOT, create_many, eventually, require_recursive_watches, serve_with_proxy, view_where,
};
use discovery::{Discovery, Records, View};
use test_zookeeper::Server;
use tokio::time::{Instant, sleep};
use zk_core::transport::{Reply, Transport, Turn};
use zk_core::{Reading, Zk, ZnodePath};
use zk_testing::proxy::Proxy;
use zk_testing::raw;

/// Records every read.
#[derive(Clone, Debug, Default)]
struct Reads(Arc<Mutex<Seen>>);

#[derive(Debug, Default)]
struct Seen {
    under_way: usize,
    most_under_way: usize,
    /// When each request was sent, and for how many records.
    sent: Vec<(Instant, usize)>,
}

impl Reads {
    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap()
    }

    /// Waits until so many records were read.
    async fn reach(&self, count: usize) {
        let records = || self.seen().sent.iter().map(|(_, records)| records).sum::<usize>();
        eventually("all records are read again", async || records() >= count).await;
    }
}

impl Intercept for Reads {
    fn read_many(
        &self,
        transport: &Arc<dyn Transport>,
        turn: Turn,
        paths: &[ZnodePath],
    ) -> Reply<Vec<Reading>> {
        let mut seen = self.seen();
        seen.sent.push((Instant::now(), paths.len()));
        seen.under_way += 1;
        seen.most_under_way = seen.most_under_way.max(seen.under_way);
        let (reply, reads) = (transport.read_many(turn, paths), self.clone());
        Box::pin(async move {
            // Long enough for all other requests that do not wait for this one.
            sleep(Duration::from_millis(20)).await;
            let reply = reply.await;
            reads.seen().under_way -= 1;
            reply
        })
    }
}

const COUNT: usize = 2_000;

/// A server with so many instances, which have records.
async fn serve_records() -> (Server, Proxy, raw::Client) {
    let (server, proxy, observer) = serve_with_proxy([]).await;
    let record = |port| (format!("{ROOT}/127.0.0.1:{port}"), br#"{"Weight":7}"#.to_vec());
    create_many(&observer, (1..=COUNT).map(record)).await;
    (server, proxy, observer)
}

fn follow(proxy: &Proxy, reads: &Reads, audits: Duration) -> (Zk, Discovery) {
    start_intercepted(&proxy.connect_string(), reads, |config| {
        config.with_records(Records::Read).with_audit_interval(audits).unwrap()
    })
}

async fn all_are_known(discovery: &Discovery) {
    let known = |view: &View| {
        let Some(all) = &view.snapshot else { return false };
        all.len() == COUNT && all.instances().all(|instance| instance.weight() == 7)
    };
    view_where(discovery, "all records", known).await;
}

#[tokio::test]
async fn at_most_four_requests_for_at_most_256_records_are_under_way() {
    let Some(_) = require_recursive_watches() else { return };
    let (_server, proxy, _observer) = serve_records().await;
    let reads = Reads::default();
    let (_zk, discovery) = follow(&proxy, &reads, RARELY);
    all_are_known(&discovery).await;
    let seen = reads.seen();
    assert_eq!(seen.most_under_way, 4, "{seen:?}");
    assert_eq!(seen.sent.iter().map(|(_, records)| *records).max(), Some(256), "{seen:?}");
}

/// Many readers that read all records at once would overload a server.
#[tokio::test]
async fn after_a_reconnect_the_records_are_read_again_over_time() {
    let Some(_) = require_recursive_watches() else { return };
    let (_server, proxy, _observer) = serve_records().await;
    let reads = Reads::default();
    let (zk, discovery) = follow(&proxy, &reads, RARELY);
    all_are_known(&discovery).await;
    reads.seen().sent.clear();
    let mut states = zk.states();
    proxy.cut().await;
    states.wait_for(|state| state.reconnects == 1).await.unwrap();
    reads.reach(COUNT).await;
    assert_spread(&reads, Duration::from_millis(500));
}

#[tokio::test]
async fn an_audit_reads_all_records_over_half_of_its_interval() {
    let Some(_) = require_recursive_watches() else { return };
    let (_server, proxy, _observer) = serve_records().await;
    let reads = Reads::default();
    let (_zk, discovery) = follow(&proxy, &reads, Duration::from_secs(4));
    all_are_known(&discovery).await;
    reads.seen().sent.clear();
    reads.reach(COUNT).await;
    assert_spread(&reads, Duration::from_secs(1));
}

/// Asserts the time from the first of eight requests to the last; each is at a random moment of its eighth.
fn assert_spread(reads: &Reads, min: Duration) {
    let seen = reads.seen();
    let (first, last) = (seen.sent.first().unwrap().0, seen.sent.last().unwrap().0);
    assert!(last - first >= min, "{:?}: {seen:?}", last - first);
}
