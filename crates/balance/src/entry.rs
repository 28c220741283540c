//! One endpoint of a set.

use std::fmt;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::time::Instant;

use crate::endpoint::State;
use crate::failure::Failure;
use crate::info::EndpointInfo;

/// One endpoint of a set: its key, its value, and the load that this balancer puts on it.
///
/// The key is its identity; health and load belong to it. The value may change, which makes another entry.
// In this order, as a pick writes the reference counts of the `Arc` in front of it and reads the state: on one cache line.
#[repr(C)]
pub struct Entry<K, V> {
    pub(crate) state: Arc<State>,
    key: K,
    value: V,
    hash: u64,
    weight: u32,
    pub(crate) reports: Weak<dyn Reports<K>>,
    /// The reference counts of what follows in memory are on another cache line than the fields above. (An alignment would do that,
    /// too, but part the state from the reference counts, for a third more memory.)
    _apart: [u64; 6],
}

/// For how long a latency counts: within it, a sample loses two thirds of its weight. As in Finagle.
pub(crate) const DECAY: Duration = Duration::from_secs(10);

/// Where the reports of calls go that change more than the endpoint's own counters.
pub(crate) trait Reports<K>: Send + Sync {
    /// Milliseconds from the balancer's start to a moment.
    fn ms_at(&self, at: Instant) -> u64;
    /// A call in service failed.
    fn failed(&self, key: &K, state: &Arc<State>, generation: u16, failure: Failure, took: Duration);
    /// A trial, or a call because all look bad, succeeded.
    fn recovered(&self, key: &K, state: &Arc<State>, ticket: Ticket);
    /// A trial, or a call because all look bad, failed.
    fn failed_again(&self, key: &K, state: &Arc<State>, ticket: Ticket, failure: Failure, took: Duration);
    /// A trial ended without a report.
    fn gave_up(&self, key: &K, state: &Arc<State>, ticket: Ticket);
}

/// Why an endpoint was picked, to tell a report that is late.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ticket {
    /// It was in service.
    InService { generation: u16 },
    /// All look bad.
    LastResort { generation: u16 },
    /// It is the trial of that number.
    Trial { number: u64 },
}

impl<K, V: EndpointInfo> Entry<K, V> {
    pub(crate) fn new(key: K, value: V, hash: u64, state: Arc<State>, reports: Weak<dyn Reports<K>>) -> Self {
        let weight = value.weight();
        Self { key, value, hash, weight, state, reports, _apart: [0; 6] }
    }
}

impl<K, V> Entry<K, V> {
    /// Returns the key.
    #[inline]
    #[must_use]
    pub fn key(&self) -> &K {
        &self.key
    }

    /// Returns the value.
    #[inline]
    #[must_use]
    pub fn value(&self) -> &V {
        &self.value
    }

    /// Returns the weight that the value had when it was given.
    #[inline]
    #[must_use]
    pub fn weight(&self) -> u32 {
        self.weight
    }

    /// Returns the [`stable_hash`](crate::stable_hash) of the key.
    #[inline]
    #[must_use]
    pub fn hash(&self) -> u64 {
        self.hash
    }

    /// Returns how many calls of this balancer are in flight there.
    #[inline]
    #[must_use]
    pub fn in_flight(&self) -> u32 {
        self.state.in_flight.count()
    }

    /// Returns the peak EWMA of the latency in nanoseconds, 0 if there is none: see [`PeakEwma`](crate::PeakEwma). `now_ms` is
    /// [`Context::now_ms`](crate::Context::now_ms).
    #[inline]
    #[must_use]
    pub fn latency(&self, now_ms: u64, decay: Duration) -> f32 {
        self.state.latency.value(now_ms, decay)
    }
}

impl<K, V: EndpointInfo> Entry<K, V> {
    /// Whether it is in service, and known to answer: not only not known to fail.
    pub(crate) fn is_proven(&self) -> bool {
        let state = &self.state;
        state.has_answered.load(Ordering::Relaxed)
            && state.until_ms.load(Ordering::Relaxed) == 0
            && !self.value.is_held()
    }
}

impl<K, V> Entry<K, V> {
    pub(crate) fn note_answer(&self) {
        // Written once: the line is every caller's.
        if !self.state.has_answered.load(Ordering::Relaxed) {
            self.state.has_answered.store(true, Ordering::Relaxed);
        }
    }
}

impl<K: fmt::Debug, V: fmt::Debug> fmt::Debug for Entry<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry")
            .field("key", &self.key)
            .field("value", &self.value)
            .field("in_flight", &self.in_flight())
            .finish_non_exhaustive()
    }
}
