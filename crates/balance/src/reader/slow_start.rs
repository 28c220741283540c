//! How newcomers come to their full share.

use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::entry::Entry;

/// The share of calls with which a newcomer begins its slow start.
const FIRST_SHARE: f64 = 0.1;

/// How newcomers come to their full share.
#[derive(Clone, Copy)]
pub(super) struct SlowStart {
    pub(super) time: Duration,
    pub(super) now_ms: u64,
}

impl SlowStart {
    /// Which share of its calls an endpoint gets: all but newcomers get all.
    pub(super) fn share<K, V>(self, entry: &Entry<K, V>) -> f64 {
        let since_ms = entry.state.newcomer_since_ms.load(Ordering::Relaxed);
        if since_ms == 0 {
            return 1.0;
        }
        let passed = self.now_ms.saturating_sub(since_ms) as f64 / 1000.0;
        (passed / self.time.as_secs_f64()).max(FIRST_SHARE)
    }
}
