//! The calls in flight to one endpoint.

use crate::sync::{AtomicU32, Ordering};

/// Counts the calls in flight to one endpoint.
///
/// The number stands for nothing but itself, no other memory is read because of it, so relaxed operations do.
#[derive(Debug, Default)]
pub(crate) struct InFlight(AtomicU32);

impl InFlight {
    /// Returns how many calls are in flight.
    #[inline]
    pub(crate) fn count(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }

    /// Begins a call, whatever the number of others: one addition.
    #[inline]
    pub(crate) fn begin(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// Begins a call, unless `limit` or more are in flight.
    ///
    /// Returns whether the call may be made. The limit holds among concurrent callers as well, as long as all of them
    /// ask: to add first and take back what is too much would refuse callers for which there is room.
    #[inline]
    #[must_use]
    pub(crate) fn try_begin(&self, limit: u32) -> bool {
        let mut count = self.0.load(Ordering::Relaxed);
        while count < limit {
            match self.0.compare_exchange_weak(count, count + 1, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return true,
                Err(now) => count = now,
            }
        }
        false
    }

    /// Ends a call that was begun.
    #[inline]
    pub(crate) fn end(&self) {
        let before = self.0.fetch_sub(1, Ordering::Relaxed);
        debug_assert_ne!(before, 0, "only a call that was begun ends");
    }
}
