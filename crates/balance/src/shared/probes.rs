//! What the drivers of probes and the balancer share.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Notify;

use super::head::Head;

/// What the drivers of probes and the balancer share. All of it changes under the lock of the members.
#[derive(Debug)]
pub(crate) struct Probes {
    /// How many drivers there are: with one, neither picks nor calls start trials.
    drivers: AtomicU64,
    /// When the next trial is due, whoever starts it; `u64::MAX` if nobody is ejected.
    next_due_ms: AtomicU64,
    /// Told of each change while there are drivers, and of the end. Apart, as a driver does not keep the balancer.
    pub(crate) changed: Arc<Notify>,
}

impl Default for Probes {
    fn default() -> Self {
        Self { drivers: AtomicU64::new(0), next_due_ms: AtomicU64::new(u64::MAX), changed: Arc::default() }
    }
}

impl Probes {
    pub(super) fn next_due_ms(&self) -> Option<u64> {
        Some(self.next_due_ms.load(Ordering::Relaxed)).filter(|next_ms| *next_ms < u64::MAX)
    }

    pub(super) fn begin(&self, head: &Head) {
        self.drivers.fetch_add(1, Ordering::Relaxed);
        self.publish_to_picks(head);
    }

    pub(super) fn end(&self, head: &Head) {
        self.drivers.fetch_sub(1, Ordering::Relaxed);
        self.publish_to_picks(head);
    }

    /// Sets when the next trial is due.
    pub(super) fn publish(&self, head: &Head, next_ms: Option<u64>) {
        self.next_due_ms.store(next_ms.unwrap_or(u64::MAX), Ordering::Relaxed);
        self.publish_to_picks(head);
    }

    fn publish_to_picks(&self, head: &Head) {
        let is_left_to_picks = self.drivers.load(Ordering::Relaxed) == 0;
        let next_ms = self.next_due_ms().filter(|_| is_left_to_picks);
        head.set_next_trial_ms(next_ms.unwrap_or(u64::MAX));
    }

    /// Tells the drivers, if there are any, of a change. It needs no lock.
    pub(super) fn tell(&self) {
        if self.drivers.load(Ordering::Relaxed) > 0 {
            self.changed.notify_waiters();
        }
    }
}
