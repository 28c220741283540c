//! Which requests the servers of a session understand.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::config::ServerVersion;
use crate::error::ErrorKind;

/// Which requests the servers of one session are assumed to understand: all, until one refuses, which the session
/// remembers. An old server replies to an unknown request with an error and closes the connection, so each refusal
/// costs a connection.
#[derive(Debug)]
pub(super) struct Capabilities {
    /// Recursive watches, reads of several znodes, and everything else that 3.6 added to 3.4.
    modern: AtomicBool,
    /// Recursive watches. A server with ZooKeeper's `WatchManagerOptimized` knows them, but refuses them.
    recursive_watches: AtomicBool,
    /// The list of our identities (3.7, ZOOKEEPER-3969).
    who_am_i: AtomicBool,
}

impl Capabilities {
    pub(super) fn new(version: ServerVersion) -> Self {
        let detect = version == ServerVersion::Detect;
        let assumed = || AtomicBool::new(detect);
        Self { modern: assumed(), recursive_watches: assumed(), who_am_i: assumed() }
    }

    pub(super) fn modern(&self) -> bool {
        self.modern.load(Ordering::Relaxed)
    }

    pub(super) fn recursive_watches(&self) -> bool {
        self.modern() && self.recursive_watches.load(Ordering::Relaxed)
    }

    pub(super) fn who_am_i(&self) -> bool {
        self.who_am_i.load(Ordering::Relaxed)
    }

    /// The server does not know a request of 3.6.
    pub(super) fn not_modern(&self) {
        if self.modern.swap(false, Ordering::Relaxed) {
            tracing::warn!(
                "server is older than ZooKeeper 3.6, using one-shot watches and one read request for each znode"
            );
        }
        self.no_who_am_i();
    }

    /// The server knows recursive watches, but refuses them.
    pub(super) fn no_recursive_watches(&self, refusal: &ErrorKind) {
        if self.recursive_watches.swap(false, Ordering::Relaxed) {
            tracing::warn!(%refusal, "server refuses recursive watches, using one-shot watches");
        }
    }

    /// The server does not know the request of 3.7.
    pub(super) fn no_who_am_i(&self) {
        self.who_am_i.store(false, Ordering::Relaxed);
    }
}
