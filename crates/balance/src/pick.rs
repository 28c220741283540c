//! A picked endpoint, and the report of its call.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::Instant;

use crate::endpoint::State;
use crate::entry::{DECAY, Entry, Ticket};
use crate::failure::Failure;
use crate::metrics;
use crate::table::Slot;

/// A picked endpoint, which counts as one call in flight until this value is dropped.
///
/// `Drop` without a report says nothing about the endpoint; if the pick was a trial, another one may start. Keep the pick as long as
/// the call lasts.
#[must_use = "a pick counts as a call in flight only while it lives"]
pub struct Pick<K, V> {
    entry: Arc<Entry<K, V>>,
    ticket: Ticket,
    began: Option<Began>,
}

/// When a call began, if somebody looked.
#[derive(Clone, Copy)]
pub(crate) struct Began {
    pub(crate) at: Instant,
    /// The same in milliseconds of the balancer's clock. Kept, as to ask the balancer at the end of each call would write to
    /// its reference count, and so would all other threads.
    pub(crate) ms: u64,
}

impl Began {
    fn elapsed(self) -> Duration {
        self.at.elapsed()
    }

    /// Notes how long the call took, which ends now.
    #[inline(never)]
    fn record(self, state: &State) {
        let took = self.elapsed();
        state.latency.record(took, self.ms.saturating_add(took.as_millis() as u64), DECAY);
    }
}

/// A call that counts as in flight, and why its endpoint was picked.
pub(crate) type Counted<K, V> = (Arc<Entry<K, V>>, Ticket);

impl<K, V> Pick<K, V> {
    /// Counts a call in flight.
    #[inline]
    pub(crate) fn count(slot: Slot<'_, K, V>) -> Counted<K, V> {
        let ticket = Self::ticket_of(slot);
        slot.entry.state.in_flight.begin();
        (Arc::clone(slot.entry), ticket)
    }

    /// Counts a call in flight; `None` if the limit is reached.
    pub(crate) fn count_within(limit: Option<u32>, slot: Slot<'_, K, V>) -> Option<Counted<K, V>> {
        let Some(limit) = limit else { return Some(Self::count(slot)) };
        let ticket = Self::ticket_of(slot);
        slot.state.in_flight.try_begin(limit).then(|| (Arc::clone(slot.entry), ticket))
    }

    /// The pick of a call that was counted.
    #[inline]
    pub(crate) fn of((entry, ticket): Counted<K, V>, began: Option<Began>) -> Self {
        Self { entry, ticket, began }
    }

    // Before anything is written: the processor waits at a write that threads share, but not at reads. So what is read of the
    // state here and of the entry after it comes from far at the same time.
    #[inline]
    fn ticket_of(slot: Slot<'_, K, V>) -> Ticket {
        let generation = slot.state.outcomes.generation();
        match slot.state.until_ms.load(Ordering::Relaxed) {
            0 => Ticket::InService { generation },
            _ => Ticket::LastResort { generation },
        }
    }

    pub(crate) fn trial(entry: Arc<Entry<K, V>>, ticket: Ticket) -> Self {
        entry.state.in_flight.begin();
        Self { entry, ticket, began: None }
    }

    /// Measures the latency from this moment on; by default it is measured only for pickers that look at it.
    pub fn began_at(mut self, at: Instant) -> Self {
        self.began = self.entry.reports.upgrade().map(|reports| Began { at, ms: reports.ms_at(at) });
        self
    }

    /// Returns the endpoint to call.
    #[must_use]
    pub fn key(&self) -> &K {
        self.entry.key()
    }

    /// Returns what is known about it.
    #[must_use]
    pub fn value(&self) -> &V {
        self.entry.value()
    }

    /// Returns key, value and load.
    #[must_use]
    pub fn entry(&self) -> &Arc<Entry<K, V>> {
        &self.entry
    }

    /// Returns whether the endpoint is ejected, and this pick decides whether it comes back into service.
    #[must_use]
    pub fn is_trial(&self) -> bool {
        matches!(self.ticket, Ticket::Trial { .. })
    }

    /// Reports that the call succeeded.
    #[inline]
    pub fn succeed(mut self) {
        match self.ticket {
            Ticket::InService { generation } => self.entry.state.outcomes.record_success(generation),
            ticket => self.recover(ticket),
        }
        if let Some(began) = self.began {
            began.record(&self.entry.state);
        }
    }

    /// Reports that the call failed.
    ///
    /// How long it took is known only if [`began_at`](Self::began_at) was called or the picker looks at latencies: an ejection is
    /// never shorter than that.
    pub fn fail(mut self, failure: Failure) {
        let took = self.began.map_or(Duration::ZERO, |began| began.elapsed());
        let entry = &self.entry;
        if let Some(reports) = entry.reports.upgrade() {
            match self.ticket {
                Ticket::InService { generation } => {
                    reports.failed(entry.key(), &entry.state, generation, failure, took);
                }
                ticket => reports.failed_again(entry.key(), &entry.state, ticket, failure, took),
            }
        }
        self.settled(Err(failure));
    }

    /// An endpoint that is out of service has answered.
    #[cold]
    fn recover(&mut self, ticket: Ticket) {
        if let Some(reports) = self.entry.reports.upgrade() {
            reports.recovered(self.entry.key(), &self.entry.state, ticket);
        }
        self.entry.note_answer();
        self.settled(Ok(()));
    }

    /// A trial has ended without a report.
    #[cold]
    fn give_up(&self) {
        metrics::trial(None);
        if let Some(reports) = self.entry.reports.upgrade() {
            reports.gave_up(self.entry.key(), &self.entry.state, self.ticket);
        }
    }

    /// Notes that a trial, if it is one, has been decided: its end says nothing more.
    fn settled(&mut self, outcome: Result<(), Failure>) {
        if let Ticket::Trial { .. } = self.ticket {
            metrics::trial(Some(outcome));
            self.ticket = Ticket::LastResort { generation: 0 };
        }
    }
}

#[cfg(test)]
impl<K, V> Pick<K, V> {
    pub(crate) fn ticket(&self) -> Ticket {
        self.ticket
    }
}

impl<K, V> Drop for Pick<K, V> {
    #[inline]
    fn drop(&mut self) {
        if let Ticket::Trial { .. } = self.ticket {
            self.give_up();
        }
        self.entry.state.in_flight.end();
    }
}

impl<K: fmt::Debug, V> fmt::Debug for Pick<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pick").field("key", self.key()).field("ticket", &self.ticket).finish()
    }
}
