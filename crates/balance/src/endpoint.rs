//! What all threads share of one endpoint: nothing here takes a lock.

mod in_flight;
mod latency;
mod outcomes;

use std::sync::atomic::{AtomicBool, AtomicU64};

pub(crate) use in_flight::InFlight;
pub(crate) use latency::Latency;
pub(crate) use outcomes::{History, Outcomes};

/// The counters of one endpoint, which belong to its key: they outlive a change of its value.
// A cache line of its own.
#[derive(Debug, Default)]
#[repr(align(64))]
pub(crate) struct State {
    pub(crate) outcomes: Outcomes,
    pub(crate) in_flight: InFlight,
    pub(crate) latency: Latency,
    /// When its slow start began, in milliseconds of the balancer's clock; 0 if it has none.
    pub(crate) newcomer_since_ms: AtomicU64,
    /// When its ejection ends, in milliseconds of the balancer's clock; 0 in service.
    pub(crate) until_ms: AtomicU64,
    /// Whether a call or a trial was ever answered.
    pub(crate) has_answered: AtomicBool,
}
