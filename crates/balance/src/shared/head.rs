//! What every pick reads.

use std::sync::atomic::{AtomicU64, Ordering};

/// What every pick reads, on a cache line that only a change of the set writes.
#[derive(Debug)]
#[repr(align(64))]
pub(crate) struct Head {
    /// Counts tables.
    version: AtomicU64,
    /// When a pick or a call may start the next trial, in milliseconds of the balancer's clock; `u64::MAX` if nobody is ejected,
    /// or probes do it.
    next_trial_ms: AtomicU64,
}

impl Default for Head {
    fn default() -> Self {
        Self { version: AtomicU64::new(0), next_trial_ms: AtomicU64::new(u64::MAX) }
    }
}

impl Head {
    #[inline]
    pub(crate) fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    #[inline]
    pub(crate) fn next_trial_ms(&self) -> u64 {
        self.next_trial_ms.load(Ordering::Relaxed)
    }

    /// There is another table.
    pub(super) fn next_version(&self) {
        self.version.fetch_add(1, Ordering::Release);
    }

    pub(super) fn set_next_trial_ms(&self, next_ms: u64) {
        self.next_trial_ms.store(next_ms, Ordering::Relaxed);
    }
}
