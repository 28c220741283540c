//! What the servers are known to understand.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::config::ServerVersion;
use crate::error::ErrorKind;

/// What the servers of one session are taken to understand. Every session begins with trust, and a refusal
/// is remembered for its life: old servers answer a request that they do not know with an error and cut the
/// connection, so each question costs one.
#[derive(Debug)]
pub(super) struct Abilities {
    /// Recursive watches, reads of several znodes, and everything else that 3.6 added to 3.4.
    modern: AtomicBool,
    /// Recursive watches. A server may know them and refuse them all the same: with ZooKeeper's
    /// `WatchManagerOptimized` it does.
    recursive_watches: AtomicBool,
    /// To say whom they take us for (3.7, ZOOKEEPER-3969).
    who_am_i: AtomicBool,
}

impl Abilities {
    pub(super) fn new(version: ServerVersion) -> Self {
        let detect = version == ServerVersion::Detect;
        let trusted = || AtomicBool::new(detect);
        Self { modern: trusted(), recursive_watches: trusted(), who_am_i: trusted() }
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

    /// A request of 3.6 was refused.
    pub(super) fn not_modern(&self) {
        if self.modern.swap(false, Ordering::Relaxed) {
            tracing::warn!(
                "the server is older than 3.6: one-shot watches are used, and one request a znode"
            );
        }
        self.no_who_am_i();
    }

    /// A recursive watch was refused, and not because the request is unknown.
    pub(super) fn no_recursive_watches(&self, refusal: &ErrorKind) {
        if self.recursive_watches.swap(false, Ordering::Relaxed) {
            tracing::warn!(%refusal, "the server refuses recursive watches: one-shot watches are used");
        }
    }

    /// The request of 3.7 was refused.
    pub(super) fn no_who_am_i(&self) {
        self.who_am_i.store(false, Ordering::Relaxed);
    }
}
