//! The state that all connections of one proxy share.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::recorded::Seen;
use super::rule::Rules;

/// A heartbeat each 100 ms fills this in almost two hours.
const SEEN_KEPT: usize = 65_536;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    Pass,
    Hang,
    Delay(Duration),
}

/// How a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cut {
    Close,
    Reset,
}

#[derive(Debug)]
pub(super) struct Shared {
    upstream: Mutex<SocketAddr>,
    pub(super) rules: Rules,
    mode: watch::Sender<Mode>,
    connections: Mutex<Connections>,
    seen: Mutex<VecDeque<Seen>>,
    accepted: AtomicU64,
    open: AtomicUsize,
}

/// The present connections, and the way to tell all of them at once to end.
#[derive(Debug)]
struct Connections {
    tasks: JoinSet<()>,
    cut: watch::Sender<Option<Cut>>,
    shut: bool,
}

impl Shared {
    pub(super) fn new(upstream: SocketAddr) -> Self {
        let connections = Connections { tasks: JoinSet::new(), cut: watch::Sender::new(None), shut: false };
        Self {
            upstream: Mutex::new(upstream),
            rules: Rules::default(),
            mode: watch::Sender::new(Mode::Pass),
            connections: Mutex::new(connections),
            seen: Mutex::default(),
            accepted: AtomicU64::new(0),
            open: AtomicUsize::new(0),
        }
    }

    pub(super) fn upstream(&self) -> SocketAddr {
        *self.upstream.lock()
    }

    pub(super) fn redirect(&self, upstream: SocketAddr) {
        *self.upstream.lock() = upstream;
    }

    pub(super) fn set_mode(&self, mode: Mode) {
        self.mode.send_replace(mode);
    }

    pub(super) fn delay(&self) -> Duration {
        match *self.mode.borrow() {
            Mode::Delay(delay) => delay,
            Mode::Pass | Mode::Hang => Duration::ZERO,
        }
    }

    /// Waits until the proxy does not hang, and returns whether it did.
    pub(super) async fn not_hung(&self) -> bool {
        let hung = *self.mode.borrow() == Mode::Hang;
        // We hold the sender, so this cannot fail.
        let _ = self.mode.subscribe().wait_for(|mode| *mode != Mode::Hang).await;
        hung
    }

    /// Takes a connection in and serves it by `serve`, which gets its number, its count, and the order to end it.
    ///
    /// The task ends with the connection, by a cut, or with the proxy.
    pub(super) fn admit<F>(self: &Arc<Self>, serve: impl FnOnce(u64, Open, watch::Receiver<Option<Cut>>) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let mut connections = self.connections.lock();
        if connections.shut {
            return;
        }
        while connections.tasks.try_join_next().is_some() {}
        let id = self.accepted.fetch_add(1, Ordering::SeqCst) + 1;
        let cut = connections.cut.subscribe();
        connections.tasks.spawn(serve(id, Open::count(self), cut));
    }

    /// Ends all connections taken in so far, and returns when they are closed.
    pub(super) async fn cut(&self, how: Cut) {
        let tasks = {
            let mut connections = self.connections.lock();
            connections.cut.send_replace(Some(how));
            // Those that come later listen to a new channel.
            connections.cut = watch::Sender::new(None);
            std::mem::take(&mut connections.tasks)
        };
        tasks.join_all().await;
    }

    /// Ends all connections for good.
    pub(super) fn shut(&self) {
        let mut connections = self.connections.lock();
        connections.shut = true;
        connections.tasks.abort_all();
    }

    pub(super) fn record(&self, seen: Seen) {
        let mut all = self.seen.lock();
        if all.len() == SEEN_KEPT {
            all.pop_front();
        }
        all.push_back(seen);
    }

    pub(super) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().iter().cloned().collect()
    }

    pub(super) fn forget_seen(&self) {
        self.seen.lock().clear();
    }

    pub(super) fn accepted(&self) -> u64 {
        self.accepted.load(Ordering::SeqCst)
    }

    pub(super) fn open(&self) -> usize {
        self.open.load(Ordering::SeqCst)
    }
}

/// Counts one open connection while it lives.
pub(super) struct Open(pub(super) Arc<Shared>);

impl Open {
    fn count(shared: &Arc<Shared>) -> Self {
        shared.open.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(shared))
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::SeqCst);
    }
}
