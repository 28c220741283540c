//! STUB, replaced by the real one.
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
#[derive(Debug, Default)]
pub(crate) struct InFlight(AtomicU32);
impl InFlight {
    pub(crate) fn count(&self) -> u32 {
        self.0.load(Relaxed)
    }
    pub(crate) fn begin(&self) {
        self.0.fetch_add(1, Relaxed);
    }
    pub(crate) fn try_begin(&self, limit: u32) -> bool {
        self.0.fetch_update(Relaxed, Relaxed, |n| (n < limit).then(|| n + 1)).is_ok()
    }
    pub(crate) fn end(&self) {
        self.0.fetch_sub(1, Relaxed);
    }
}
