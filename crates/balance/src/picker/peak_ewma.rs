//! Of two endpoints the one that will probably answer first.

use std::time::Duration;

use super::two_choices::cheaper_of_two;
use super::{Context, Picker};
use crate::candidates::Candidates;

/// What a call in flight to an endpoint that never answered counts, in nanoseconds: more than any that did. As in Finagle.
const PENALTY: f32 = (u64::MAX / 4) as f32;

/// Draws two endpoints at random, and picks the one where latency times calls in flight is less, the new call included.
///
/// The latency is a *peak EWMA*, as in Finagle: a slow answer counts at once, and is forgotten little by little. It is that of
/// calls that succeeded: an endpoint that fails is not quick, and to eject it is not the picker's task.
///
/// An endpoint without an answer so far costs nothing, so that it gets its first call, and then more than all others, so that
/// it gets no second one before it has answered.
#[derive(Clone, Copy, Debug)]
pub struct PeakEwma {
    /// In which time the latency of an endpoint without calls falls to 37 %; 10 s by default, as in Finagle. The shorter, the sooner one
    /// that was slow is looked at again. Answers are averaged over 10 s in any case: readers share that average.
    pub decay: Duration,
}

impl Default for PeakEwma {
    fn default() -> Self {
        Self { decay: Duration::from_secs(10) }
    }
}

impl PeakEwma {
    #[inline]
    fn cost<K, V>(self, candidates: &Candidates<'_, K, V>, index: usize, now_ms: u64) -> Option<f32> {
        let latency = candidates.latency(index, now_ms, self.decay)?;
        let in_flight = candidates.in_flight(index)? as f32;
        Some(if latency > 0.0 { latency * (in_flight + 1.0) } else { PENALTY * in_flight })
    }
}

impl<K, V> Picker<K, V> for PeakEwma {
    #[inline]
    fn pick(&mut self, candidates: &Candidates<'_, K, V>, context: &mut Context<'_>) -> Option<usize> {
        let now_ms = context.now_ms;
        cheaper_of_two(candidates, context.rng, |index| self.cost(candidates, index, now_ms))
    }

    #[inline]
    fn measures_latency(&self) -> bool {
        true
    }
}
