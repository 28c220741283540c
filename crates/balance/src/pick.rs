//! A picked endpoint, and the report of its call.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::failure::Failure;
use crate::health::Ticket;
use crate::metrics;
use crate::table::Entry;

/// A picked endpoint, which counts as one call in flight until this value is dropped.
///
/// `Drop` without a report says nothing about the endpoint; if the pick was a trial, the next pick of the endpoint is
/// the trial. Keep the pick as long as the call lasts, and limit that time: during a trial all other picks avoid the
/// endpoint.
#[must_use = "a pick counts as a call in flight only while it lives"]
pub struct Pick<K> {
    entry: Arc<Entry<K>>,
    ticket: Ticket,
}

impl<K> Pick<K> {
    pub(crate) fn new(entry: &Arc<Entry<K>>, ticket: Ticket) -> Self {
        entry.in_flight.fetch_add(1, Ordering::Relaxed);
        Self { entry: Arc::clone(entry), ticket }
    }

    /// Returns the endpoint to call.
    #[must_use]
    pub fn key(&self) -> &K {
        &self.entry.key
    }

    /// Reports that the call succeeded.
    pub fn succeed(self) {
        if self.entry.health.succeed(self.ticket) {
            self.entry.count();
        }
    }

    /// Reports that the call failed.
    pub fn fail(self, failure: Failure) {
        if self.entry.health.fail(self.ticket, failure, &self.entry.rules) {
            metrics::ejection(failure);
            self.entry.count();
        }
    }
}

impl<K> Drop for Pick<K> {
    fn drop(&mut self) {
        // After a report the generation is another, and this changes nothing.
        self.entry.health.end_trial(self.ticket);
        self.entry.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

impl<K: fmt::Debug> fmt::Debug for Pick<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pick").field("key", self.key()).field("ticket", &self.ticket).finish()
    }
}
