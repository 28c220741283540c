//! An ensemble of several versions: the next connection may be to a server without recursive watches.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use common::intercept::{Intercept, start_intercepted};
use common::{add, eventually, ports_become, require_recursive_watches, serve_with_proxy};
use discovery::Records;
use tokio::sync::mpsc;
use zk_core::transport::{Reply, Transport, Turn};
use zk_core::{ErrorKind, Event, ZnodePath};
use zk_testing::proxy::Op;

/// Servers that from some moment on refuse recursive watches.
#[derive(Clone, Debug, Default)]
struct Older {
    refuses: Arc<AtomicBool>,
    /// Whether a watch was refused, so that the link knows.
    refused: Arc<AtomicBool>,
}

impl Intercept for Older {
    fn has_recursive_watches(&self, _: &dyn Transport) -> bool {
        !self.refused.load(Ordering::Relaxed)
    }

    fn watch_recursive(
        &self,
        transport: &dyn Transport,
        turn: Turn,
        path: &ZnodePath,
    ) -> Reply<mpsc::Receiver<Event>> {
        if self.refuses.load(Ordering::Relaxed) {
            self.refused.store(true, Ordering::Relaxed);
            return Box::pin(async { Err(ErrorKind::Unsupported) });
        }
        transport.watch_recursive(turn, path)
    }
}

#[tokio::test]
async fn a_view_continues_with_one_shot_watches_when_the_next_server_is_older() {
    let Some(_) = require_recursive_watches() else { return };
    let (_server, proxy, observer) = serve_with_proxy([1, 2]).await;
    let older = Older::default();
    let (_zk, discovery) =
        start_intercepted(&proxy.connect_string(), &older, |config| config.with_records(Records::Read));
    let before = ports_become(&discovery, &[1, 2]).await;
    let used = |op| proxy.requests().iter().any(|seen| seen.op == op);
    assert!(used(Op::AddWatch) && !used(Op::GetData));

    older.refuses.store(true, Ordering::Relaxed);
    proxy.cut().await;
    eventually("a watch is refused", async || older.refused.load(Ordering::Relaxed)).await;
    assert_eq!(discovery.view().snapshot, before.snapshot, "the last set stays");
    // An old server closes the connection at an op code that it does not know.
    proxy.cut().await;
    let after = ports_become(&discovery, &[1, 2]).await;
    assert_eq!(after.snapshot, before.snapshot);
    add(&observer, [3]).await;
    ports_become(&discovery, &[1, 2, 3]).await;
    assert!(used(Op::GetData), "{:?}", proxy.requests());
}
