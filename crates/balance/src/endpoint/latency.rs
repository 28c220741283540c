//! How long the calls of one endpoint take.

use std::time::Duration;

use crate::sync::{AtomicU64, Ordering};

/// The latency of one endpoint: an average that follows peaks at once, and forgets them with time.
///
/// It is Finagle's *peak EWMA* (`PeakEwma.scala`), which tower and linkerd have, too: a sample above the average
/// replaces it, one below moves it by the share `1 - exp(-age / decay)`, where `age` is the time since the last sample.
/// So a slow endpoint is avoided from its first slow answer on, and trusted again little by little; and how much a
/// sample counts does not depend on how many there are in a second.
///
/// Without samples the value falls towards 0, by `exp(-age / decay)`. An endpoint that was slow once gets no calls, and
/// so no samples: it has to become attractive by itself, to be tried again. Finagle and tower write that fall into the
/// average each time they read it. Here a read writes nothing: a pick that looks at two endpoints takes neither's cache
/// line from other threads, and what is known does not depend on how often it was looked at.
///
/// One word holds an `f32` of nanoseconds and the time of the last sample, in milliseconds modulo 2^32. The time is
/// that of the callers, and should not go backwards; that of a thread that read the clock and was then interrupted may
/// be up to 65 s behind, and counts as the time of the last sample. An endpoint without a call for 49.7 days may look
/// as if its last one had been a moment ago, from where the value falls as it always does.
#[derive(Debug, Default)]
pub(crate) struct Latency(AtomicU64);

impl Latency {
    /// Notes that a call took so long.
    ///
    /// `now_ms` counts from any moment that is the same for all callers. Nothing is written where it would change
    /// nothing: a sample below the average in the same millisecond as the last one has no weight. So the word of a busy
    /// endpoint is written once in a millisecond, and at peaks.
    pub(crate) fn record(&self, took: Duration, now_ms: u64, decay: Duration) {
        let sample = nanos(took);
        let mut word = self.0.load(Ordering::Relaxed);
        while let Some(next) = Average::unpack(word).with(sample, now_ms as u32, decay) {
            match self.0.compare_exchange_weak(word, next.pack(), Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return,
                Err(now) => word = now,
            }
        }
    }

    /// Returns the latency in nanoseconds; 0 if no call was measured yet.
    pub(crate) fn value(&self, now_ms: u64, decay: Duration) -> f32 {
        self.read().at(now_ms as u32, decay)
    }

    /// Returns whether a call was measured: to tell an endpoint of which nothing is known from a fast one.
    #[cfg(test)]
    pub(crate) fn is_known(&self) -> bool {
        self.read().is_known()
    }

    fn read(&self) -> Average {
        Average::unpack(self.0.load(Ordering::Relaxed))
    }
}

/// By how much a time may be behind that of the last sample. Further behind, it has gone once around 2^32.
const BEHIND_MS: u32 = 1 << 16;

/// At least 1 ns, because 0 means that nothing is known.
fn nanos(took: Duration) -> f32 {
    ((took.as_secs_f64() * 1e9) as f32).max(1.0)
}

/// The fields that [`Latency`] packs into one word.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Average {
    /// The average at the time of the last sample; 0 if there was none.
    pub(super) nanos: f32,
    /// When the last sample came, modulo 2^32.
    pub(super) at_ms: u32,
}

impl Average {
    pub(super) fn pack(self) -> u64 {
        u64::from(self.nanos.to_bits()) << 32 | u64::from(self.at_ms)
    }

    pub(super) fn unpack(word: u64) -> Self {
        Self { nanos: f32::from_bits((word >> 32) as u32), at_ms: word as u32 }
    }

    pub(super) fn is_known(self) -> bool {
        self.nanos > 0.0
    }

    /// The average with one more sample; `None` if that changes nothing.
    pub(super) fn with(self, sample: f32, now_ms: u32, decay: Duration) -> Option<Self> {
        if !self.is_known() {
            return Some(Self { nanos: sample, at_ms: now_ms });
        }
        let age = self.age(now_ms);
        let nanos = if sample > self.nanos {
            sample
        } else if age == 0 {
            return None;
        } else {
            self.toward(sample, age, decay)
        };
        // Not `now_ms`: it may be behind.
        Some(Self { nanos, at_ms: self.at_ms.wrapping_add(age) })
    }

    /// The average with a lower sample, at least 1 ms after the last one.
    ///
    /// In `f64`: where samples are dense one of them moves the average by less than an `f32` can tell `exp` from 1.
    fn toward(self, sample: f32, age_ms: u32, decay: Duration) -> f32 {
        let kept = (-f64::from(age_ms) / (decay.as_secs_f64() * 1e3)).exp();
        (f64::from(sample) + (f64::from(self.nanos) - f64::from(sample)) * kept) as f32
    }

    /// The value at a time.
    pub(super) fn at(self, now_ms: u32, decay: Duration) -> f32 {
        match self.age(now_ms) {
            0 => self.nanos,
            // Not for an age of 0: without a decay it would be 0 / 0.
            age => self.nanos * (-(age as f32) / (decay.as_secs_f32() * 1e3)).exp(),
        }
    }

    /// How many milliseconds ago the last sample came.
    fn age(self, now_ms: u32) -> u32 {
        let age = now_ms.wrapping_sub(self.at_ms);
        if age > u32::MAX - BEHIND_MS { 0 } else { age }
    }
}
