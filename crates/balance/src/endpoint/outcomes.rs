//! How the last calls of one endpoint went.

use crate::sync::{AtomicU64, Ordering};

/// How many outcomes are remembered: the bits that are left in a word.
///
/// With so many a share of failures is known to 3 %. A count does for calls what Envoy's `interval` and gRPC's
/// `interval` (10 s each) do for time, without a clock and without a minimum of requests: an endpoint with few calls is
/// judged by as many of them as one with thousands, only later.
pub(crate) const WINDOW: u32 = u32::BITS;

/// How the last [`WINDOW`] calls of one endpoint went, and since when that counts.
///
/// The *generation* counts ejections and returns. A pick notes it, and the report of the call brings it along: a report
/// of another generation is late, and changes nothing. So a hundred concurrent failures count as one, and an answer
/// that was on its way does not bring a dying process back. (A report that is late by a multiple of
/// 65,536 generations would count: with ejections of 200 ms, two generations each, its call has been under way for an
/// hour at the least.)
///
/// All of it is one word, so that an outcome cannot be written into a generation it does not belong to. Nothing else is
/// read because of it, hence the relaxed operations.
#[derive(Debug, Default)]
pub(crate) struct Outcomes(AtomicU64);

impl Outcomes {
    /// Returns the generation, for the report of a call that begins now.
    #[inline]
    pub(crate) fn generation(&self) -> u16 {
        self.read().generation
    }

    /// Returns how the last calls of the present generation went.
    #[cfg(test)]
    pub(crate) fn history(&self) -> History {
        self.read().history()
    }

    /// Notes that a call of a generation succeeded.
    ///
    /// Nothing is written where it would change nothing: the report is late, or none of the remembered calls failed. So
    /// the threads that call a healthy endpoint do not take this word from one another.
    #[inline]
    pub(crate) fn record_success(&self, generation: u16) {
        self.change(|bits| bits.succeeded(generation));
    }

    /// Notes that a call of a generation failed.
    ///
    /// Returns what is known with this failure; `None` if the report is late.
    pub(crate) fn record_failure(&self, generation: u16) -> Option<History> {
        self.change(|bits| bits.failed(generation)).map(Bits::history)
    }

    /// Ends a generation, and forgets its outcomes.
    ///
    /// Returns whether this call ended it: of several callers whose failures are each one too many, one ejects.
    #[must_use]
    pub(crate) fn close(&self, generation: u16) -> bool {
        self.change(|bits| bits.closed(generation)).is_some()
    }

    /// Ends the present generation, whichever it is, and forgets its outcomes.
    ///
    /// For the balancer, under its lock: what it ejects, or takes back into service, without a failure of a call.
    pub(crate) fn next_generation(&self) {
        self.change(|bits| Some(bits.next()));
    }

    #[inline]
    fn read(&self) -> Bits {
        Bits::unpack(self.0.load(Ordering::Relaxed))
    }

    /// Makes a transition, unless it is `None`. Returns what it led to.
    #[inline]
    fn change(&self, transition: impl Fn(Bits) -> Option<Bits>) -> Option<Bits> {
        let mut word = self.0.load(Ordering::Relaxed);
        loop {
            let next = transition(Bits::unpack(word))?;
            match self.0.compare_exchange_weak(word, next.pack(), Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return Some(next),
                Err(now) => word = now,
            }
        }
    }
}

/// What is known of an endpoint from its last calls.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct History {
    /// How many calls have failed since the last that succeeded, at most [`WINDOW`].
    pub(crate) consecutive: u32,
    /// The share of the last [`WINDOW`] calls that failed, 0 to 1.
    ///
    /// The window begins with successes: one failure of a newcomer is one in 32, not all of its calls.
    pub(crate) share: f32,
}

/// The fields that [`Outcomes`] packs into one word.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Bits {
    /// Counts ejections and returns.
    pub(super) generation: u16,
    /// The last outcomes; a 1 is a failure, the newest is bit 0.
    pub(super) window: u32,
}

impl Bits {
    pub(super) fn pack(self) -> u64 {
        u64::from(self.generation) << WINDOW | u64::from(self.window)
    }

    #[inline]
    pub(super) fn unpack(word: u64) -> Self {
        Self { generation: (word >> WINDOW) as u16, window: word as u32 }
    }

    /// A success; `None` if it changes nothing.
    #[inline]
    pub(super) fn succeeded(self, generation: u16) -> Option<Self> {
        (self.generation == generation && self.window != 0)
            .then_some(Self { window: self.window << 1, ..self })
    }

    /// A failure; `None` if it is late.
    pub(super) fn failed(self, generation: u16) -> Option<Self> {
        (self.generation == generation).then_some(Self { window: self.window << 1 | 1, ..self })
    }

    /// The end of one generation; `None` if it has ended before.
    pub(super) fn closed(self, generation: u16) -> Option<Self> {
        (self.generation == generation).then(|| self.next())
    }

    /// The next generation, of which nothing is known yet.
    pub(super) fn next(self) -> Self {
        Self { generation: self.generation.wrapping_add(1), window: 0 }
    }

    pub(super) fn history(self) -> History {
        let share = self.window.count_ones() as f32 / WINDOW as f32;
        History { consecutive: self.window.trailing_ones(), share }
    }
}
