//! STUB, replaced by the real one.
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
#[derive(Debug, Default)]
pub(crate) struct Outcomes(AtomicU64);
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct History {
    pub(crate) consecutive: u32,
    pub(crate) share: f32,
}
impl Outcomes {
    pub(crate) fn generation(&self) -> u16 {
        (self.0.load(SeqCst) >> 32) as u16
    }
    pub(crate) fn record_success(&self, generation: u16) {
        let _ = self.0.fetch_update(SeqCst, SeqCst, |word| {
            ((word >> 32) as u16 == generation && word as u32 != 0)
                .then(|| (word & !0xffff_ffff) | u64::from((word as u32) << 1))
        });
    }
    pub(crate) fn record_failure(&self, generation: u16) -> Option<History> {
        let old = self
            .0
            .fetch_update(SeqCst, SeqCst, |word| {
                ((word >> 32) as u16 == generation)
                    .then(|| (word & !0xffff_ffff) | u64::from((word as u32) << 1 | 1))
            })
            .ok()?;
        let bits = (old as u32) << 1 | 1;
        Some(History { consecutive: bits.trailing_ones(), share: bits.count_ones() as f32 / 32.0 })
    }
    pub(crate) fn close(&self, generation: u16) -> bool {
        self.0
            .fetch_update(SeqCst, SeqCst, |word| {
                ((word >> 32) as u16 == generation).then(|| u64::from(generation.wrapping_add(1)) << 32)
            })
            .is_ok()
    }
}
