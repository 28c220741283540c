//! STUB, replaced by the real one.
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;
#[derive(Debug, Default)]
pub(crate) struct Latency(AtomicU64);
impl Latency {
    pub(crate) fn record(&self, took: Duration, _now_ms: u64, _decay: Duration) {
        self.0.store(took.as_nanos() as u64, Relaxed);
    }
    pub(crate) fn value(&self, _now_ms: u64, _decay: Duration) -> f32 {
        self.0.load(Relaxed) as f32
    }
}
