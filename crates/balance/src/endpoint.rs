//! What all threads share of one endpoint: how its last calls went, how many are in flight, how long they take.
//!
//! Nothing here takes a lock. What is decided from it (ejection, trials, return) is decided by the balancer, under its
//! lock, and seldom: a call that succeeds on an endpoint without failures writes the calls in flight and, if it is
//! measured, the latency.

mod in_flight;
mod latency;
mod outcomes;

#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicBool, AtomicU64};

pub(crate) use in_flight::InFlight;
pub(crate) use latency::Latency;
pub(crate) use outcomes::{History, Outcomes};

/// The shared state of one endpoint, behind an `Arc`. It belongs to the key: it outlives a change of the value.
///
/// It fills a cache line of 64 bytes: its three words change together, at each call, and change with no other
/// endpoint's. The alignment also parts them from the reference counts of the `Arc`, which change whenever a table is
/// made.
#[derive(Debug, Default)]
#[repr(align(64))]
pub(crate) struct State {
    /// The calls in flight.
    pub(crate) in_flight: InFlight,
    /// How the last calls went.
    pub(crate) outcomes: Outcomes,
    /// How long calls take.
    pub(crate) latency: Latency,
    /// When its slow start began, in milliseconds of the balancer's clock; 0 if it has none.
    pub(crate) newcomer_since_ms: AtomicU64,
    /// When its ejection ends, in milliseconds of the balancer's clock; 0 in service.
    pub(crate) until_ms: AtomicU64,
    /// Whether a call or a trial was ever answered.
    pub(crate) has_answered: AtomicBool,
}
