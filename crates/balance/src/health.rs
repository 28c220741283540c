//! The health of one endpoint: in service, ejected, on probation.
//!
//! All of it is one word in memory, so that no reader sees half a transition and a pick needs one load. Each
//! transition is a pure function from one [`HealthBits`] to the next; the crate documentation has the diagram.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use crate::failure::Failure;
use crate::rng::SharedRng;

/// The health of an endpoint, from the calls before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// The endpoint is picked.
    InService,
    /// The endpoint failed, and is not picked as long as another one can be.
    Ejected {
        /// For how much longer.
        remaining: Duration,
    },
    /// The ejection is over: the next pick of the endpoint is a trial, unless one is under way.
    OnProbation {
        /// Whether a trial is under way.
        trial: bool,
    },
}

/// The part of the bits that a pick remembers, to recognise a late report.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ticket {
    generation: u16,
    trial: bool,
}

/// The fields that [`HealthCell`] packs into one word.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct HealthBits {
    /// When the ejection ends, in milliseconds since the balancer's start; 0 means in service.
    until_ms: u64,
    /// Counts ejections and returns to service: a report of an earlier generation is late.
    generation: u16,
    /// How many failures in a row, without those of late reports.
    failures: u8,
    /// Whether the last failure was a refused connection.
    refused: bool,
    /// Whether a trial is under way.
    trial: bool,
}

/// 40 bits of milliseconds: 34 years.
const MAX_UNTIL: u64 = (1 << 40) - 1;

/// 6 bits: the delay reaches its cap long before.
const MAX_FAILURES: u8 = (1 << 6) - 1;

impl HealthBits {
    fn pack(self) -> u64 {
        self.until_ms
            | u64::from(self.generation) << 40
            | u64::from(self.failures) << 56
            | u64::from(self.refused) << 62
            | u64::from(self.trial) << 63
    }

    fn unpack(word: u64) -> Self {
        Self {
            until_ms: word & MAX_UNTIL,
            generation: (word >> 40) as u16,
            failures: (word >> 56) as u8 & MAX_FAILURES,
            refused: word >> 62 & 1 == 1,
            trial: word >> 63 == 1,
        }
    }

    fn in_service(self) -> bool {
        self.until_ms == 0
    }

    /// Starts the trial of an endpoint on probation.
    fn start_trial(self, now_ms: u64) -> Option<Self> {
        let free = !self.in_service() && self.until_ms <= now_ms && !self.trial;
        free.then_some(Self { trial: true, ..self })
    }

    /// Ends a trial without a report; the next pick is a trial.
    fn end_trial(self, ticket: Ticket) -> Option<Self> {
        let ours = ticket.trial && self.trial && ticket.generation == self.generation;
        ours.then_some(Self { trial: false, ..self })
    }

    /// Reports the success of a call.
    fn succeed(self, ticket: Ticket) -> Option<Self> {
        // Usually nothing changes, and nothing is written to shared memory.
        let changes = ticket.generation == self.generation && !self.in_service();
        changes.then(|| Self { generation: self.generation.wrapping_add(1), ..Self::default() })
    }

    /// Reports the failure of a call; `delay_ms` returns for how long so many failures in a row eject.
    fn fail(self, ticket: Ticket, refused: bool, now_ms: u64, delay_ms: impl Fn(u8) -> u64) -> Option<Self> {
        if ticket.generation != self.generation {
            return None;
        }
        if !self.in_service() && !ticket.trial {
            // Picked because all look bad, which is no trial: only the kind of failure is new.
            return Some(Self { refused, ..self });
        }
        let failures = self.failures.saturating_add(1).min(MAX_FAILURES);
        Some(Self {
            until_ms: now_ms.saturating_add(delay_ms(failures)).clamp(1, MAX_UNTIL),
            generation: self.generation.wrapping_add(1),
            failures,
            refused,
            trial: false,
        })
    }
}

/// What all endpoints of a balancer share: the clock, the random numbers, and how long to eject.
#[derive(Debug)]
pub(crate) struct Rules {
    pub(crate) start: Instant,
    pub(crate) base: Duration,
    pub(crate) cap: Duration,
    pub(crate) rng: SharedRng,
}

impl Rules {
    /// Milliseconds since the balancer's start.
    pub(crate) fn now_ms(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// For how long so many failures in a row eject, before jitter.
    fn delay(&self, failures: u8) -> Duration {
        let doublings = u32::from(failures.saturating_sub(1)).min(31);
        self.base.saturating_mul(1 << doublings).min(self.cap)
    }

    fn delay_ms(&self, failures: u8) -> u64 {
        let delay = self.rng.jitter(self.delay(failures));
        u64::try_from(delay.as_millis()).unwrap_or(u64::MAX)
    }
}

/// The health of one endpoint, shared by all threads.
///
/// Relaxed order suffices, as the word publishes no other memory.
#[derive(Debug, Default)]
pub(crate) struct HealthCell(AtomicU64);

impl HealthCell {
    fn load(&self) -> HealthBits {
        HealthBits::unpack(self.0.load(Ordering::Relaxed))
    }

    fn change(&self, next: impl Fn(HealthBits) -> Option<HealthBits>) -> Option<HealthBits> {
        let next = |word| next(HealthBits::unpack(word)).map(HealthBits::pack);
        let before = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next);
        before.ok().map(HealthBits::unpack)
    }

    /// Admits a pick: any in service, and one on probation, as the trial. Calls `now_ms` only when needed.
    pub(crate) fn admit(&self, now_ms: impl FnOnce() -> u64) -> Option<Ticket> {
        let bits = self.load();
        if bits.in_service() {
            return Some(Ticket { generation: bits.generation, trial: false });
        }
        let now_ms = now_ms();
        let before = self.change(|bits| bits.start_trial(now_ms))?;
        Some(Ticket { generation: before.generation, trial: true })
    }

    /// Returns whether [`admit`](Self::admit) would admit a pick.
    pub(crate) fn would_admit(&self, now_ms: impl FnOnce() -> u64) -> bool {
        let bits = self.load();
        bits.in_service() || bits.start_trial(now_ms()).is_some()
    }

    /// Admits a pick because all look bad.
    pub(crate) fn admit_anyway(&self) -> Ticket {
        Ticket { generation: self.load().generation, trial: false }
    }

    /// Returns when the ejection ends, in milliseconds since the balancer's start, if the last call was refused.
    pub(crate) fn refused_until_ms(&self) -> Option<u64> {
        let bits = self.load();
        bits.refused.then_some(bits.until_ms)
    }

    /// Reports a success. Returns whether it brought the endpoint back into service.
    pub(crate) fn succeed(&self, ticket: Ticket) -> bool {
        self.change(|bits| bits.succeed(ticket)).is_some()
    }

    /// Reports a failure. Returns whether it ejected the endpoint, for the first time or again.
    pub(crate) fn fail(&self, ticket: Ticket, failure: Failure, rules: &Rules) -> bool {
        let (refused, now_ms) = (failure == Failure::Refused, rules.now_ms());
        let before =
            self.change(|bits| bits.fail(ticket, refused, now_ms, |failures| rules.delay_ms(failures)));
        before.is_some_and(|before| before.in_service() || ticket.trial)
    }

    pub(crate) fn in_service(&self) -> bool {
        self.load().in_service()
    }

    pub(crate) fn end_trial(&self, ticket: Ticket) {
        if ticket.trial {
            self.change(|bits| bits.end_trial(ticket));
        }
    }

    /// Returns the health, and how many failures in a row led to it.
    pub(crate) fn health(&self, now_ms: u64) -> (Health, u32) {
        let bits = self.load();
        let health = if bits.in_service() {
            Health::InService
        } else if bits.until_ms > now_ms {
            Health::Ejected { remaining: Duration::from_millis(bits.until_ms - now_ms) }
        } else {
            Health::OnProbation { trial: bits.trial }
        };
        (health, bits.failures.into())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ticket(bits: HealthBits, trial: bool) -> Ticket {
        Ticket { generation: bits.generation, trial }
    }

    const IN_SERVICE: HealthBits =
        HealthBits { until_ms: 0, generation: 0, failures: 0, refused: false, trial: false };

    #[test]
    fn concurrent_calls_that_fail_count_as_one_failure() {
        let early = ticket(IN_SERVICE, false);
        let ejected = IN_SERVICE.fail(early, false, 10, |_| 200).unwrap();
        assert_eq!((ejected.until_ms, ejected.failures), (210, 1));
        assert_eq!(ejected.fail(early, true, 11, |_| 200), None);
    }

    #[test]
    fn a_late_success_does_not_end_the_ejection() {
        let early = ticket(IN_SERVICE, false);
        let ejected = IN_SERVICE.fail(early, true, 10, |_| 200).unwrap();
        assert_eq!(ejected.succeed(early), None);
    }

    #[test]
    fn a_late_report_is_recognised_after_a_return_to_service() {
        let early = ticket(IN_SERVICE, false);
        let ejected = IN_SERVICE.fail(early, true, 10, |_| 200).unwrap();
        let trial = ejected.start_trial(210).unwrap();
        let back = trial.succeed(ticket(trial, true)).unwrap();
        assert!(back.in_service());
        assert_eq!(back.fail(early, true, 300, |_| 200), None);
    }

    #[test]
    fn a_pick_made_because_all_look_bad_does_not_extend_the_ejection() {
        let ejected = IN_SERVICE.fail(ticket(IN_SERVICE, false), false, 10, |_| 200).unwrap();
        let again = ejected.fail(ticket(ejected, false), true, 20, |_| 200).unwrap();
        assert_eq!(again, HealthBits { refused: true, ..ejected });
        assert!(again.succeed(ticket(ejected, false)).unwrap().in_service());
    }

    #[test]
    fn one_trial_runs_at_a_time_and_a_dropped_one_allows_the_next() {
        let ejected = IN_SERVICE.fail(ticket(IN_SERVICE, false), false, 10, |_| 200).unwrap();
        assert_eq!(ejected.start_trial(209), None);
        let trial = ejected.start_trial(210).unwrap();
        assert_eq!(trial.start_trial(210), None);
        assert_eq!(trial.end_trial(ticket(trial, false)), None);
        assert_eq!(trial.end_trial(ticket(trial, true)), Some(ejected));
    }

    #[test]
    fn the_delay_doubles_up_to_its_cap() {
        let (base, cap) = (Duration::from_millis(200), Duration::from_secs(10));
        let rules = Rules { start: Instant::now(), base, cap, rng: SharedRng::new(1) };
        let delays: Vec<u128> = (1..=8).map(|failures| rules.delay(failures).as_millis()).collect();
        assert_eq!(delays, [200, 400, 800, 1600, 3200, 6400, 10_000, 10_000]);
        assert_eq!(rules.delay(MAX_FAILURES), cap);
    }

    proptest! {
        #[test]
        fn health_bits_survive_packing(
            until_ms in 0..=MAX_UNTIL,
            generation: u16,
            failures in 0..=MAX_FAILURES,
            refused: bool,
            trial: bool,
        ) {
            let bits = HealthBits { until_ms, generation, failures, refused, trial };
            prop_assert_eq!(HealthBits::unpack(bits.pack()), bits);
        }

        #[test]
        fn a_failure_never_overflows(word: u64, now_ms: u64, delay: u64) {
            let bits = HealthBits::unpack(word);
            let next = bits.fail(ticket(bits, true), true, now_ms, |_| delay).unwrap();
            prop_assert_eq!(HealthBits::unpack(next.pack()), next);
            prop_assert!(!next.in_service());
        }
    }
}
