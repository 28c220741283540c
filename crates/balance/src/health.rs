//! What we think of one endpoint: in service, ejected, on probation.
//!
//! All of it is one word in memory, so that no reader ever sees half a transition and a pick needs one
//! load. Each transition is a pure function from one [`State`] to the next; the diagram is in the crate
//! documentation.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use crate::Failure;
use crate::rng::SharedRng;

/// What a balancer currently thinks of an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// It is picked.
    InService,
    /// It failed and is not picked unless all look bad.
    Ejected {
        /// For how much longer.
        remaining: Duration,
    },
    /// Its ejection is over: the next pick of it is a trial, if none is under way.
    OnProbation {
        /// Whether a trial is under way.
        trial: bool,
    },
}

/// What a pick remembers of the state that it was made in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ticket {
    generation: u16,
    trial: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct State {
    /// When the ejection ends, in milliseconds since the balancer's start; 0 means in service.
    until_ms: u64,
    /// Counts ejections and returns, so that late reports are recognised.
    generation: u16,
    /// How many failures in a row, those of late reports not counted.
    failures: u8,
    /// Whether the last failure was a refused connection.
    refused: bool,
    /// Whether a trial is under way.
    trial: bool,
}

/// 40 bits of milliseconds: 34 years.
const MAX_UNTIL: u64 = (1 << 40) - 1;

/// 6 bits. Long before that, the delay is at its cap.
const MAX_FAILURES: u8 = (1 << 6) - 1;

impl State {
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

    /// On probation: one pick becomes the trial.
    fn start_trial(self, now_ms: u64) -> Option<Self> {
        let free = !self.in_service() && self.until_ms <= now_ms && !self.trial;
        free.then_some(Self { trial: true, ..self })
    }

    /// The trial ends without a report; the next pick is one.
    fn end_trial(self, ticket: Ticket) -> Option<Self> {
        let ours = ticket.trial && self.trial && ticket.generation == self.generation;
        ours.then_some(Self { trial: false, ..self })
    }

    /// A call succeeded.
    fn succeed(self, ticket: Ticket) -> Option<Self> {
        // In the common case there is nothing to change, and nothing is written to shared memory.
        let news = ticket.generation == self.generation && !self.in_service();
        news.then(|| Self { generation: self.generation.wrapping_add(1), ..Self::default() })
    }

    /// A call failed; `delay_ms` says for how long so many failures in a row eject.
    fn fail(self, ticket: Ticket, refused: bool, now_ms: u64, delay_ms: impl Fn(u8) -> u64) -> Option<Self> {
        if ticket.generation != self.generation {
            return None;
        }
        if !self.in_service() && !ticket.trial {
            // Picked because all looked bad: we learn how it fails, but it was not its turn.
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

/// What all endpoints of a balancer share: its clock, its rng, and how long to eject.
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

/// The state of one endpoint, shared by all threads.
///
/// Relaxed order suffices: the word carries all there is, nothing else is published through it.
#[derive(Debug, Default)]
pub(crate) struct HealthCell(AtomicU64);

impl HealthCell {
    fn load(&self) -> State {
        State::unpack(self.0.load(Ordering::Relaxed))
    }

    fn change(&self, next: impl Fn(State) -> Option<State>) -> Option<State> {
        let next = |word| next(State::unpack(word)).map(State::pack);
        let before = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next);
        before.ok().map(State::unpack)
    }

    /// Admits a pick: any while in service, one as the trial on probation. `now_ms` is asked if it matters.
    pub(crate) fn admit(&self, now_ms: impl FnOnce() -> u64) -> Option<Ticket> {
        let state = self.load();
        if state.in_service() {
            return Some(Ticket { generation: state.generation, trial: false });
        }
        let now_ms = now_ms();
        let before = self.change(|state| state.start_trial(now_ms))?;
        Some(Ticket { generation: before.generation, trial: true })
    }

    /// Says whether [`admit`](Self::admit) would admit a pick.
    pub(crate) fn would_admit(&self, now_ms: impl FnOnce() -> u64) -> bool {
        let state = self.load();
        state.in_service() || state.start_trial(now_ms()).is_some()
    }

    /// Admits a pick because all look bad.
    pub(crate) fn admit_anyway(&self) -> Ticket {
        Ticket { generation: self.load().generation, trial: false }
    }

    /// When the ejection ends if the last call was refused, in milliseconds since the balancer's start.
    pub(crate) fn refused_until_ms(&self) -> Option<u64> {
        let state = self.load();
        state.refused.then_some(state.until_ms)
    }

    /// Takes note of a success. Returns whether that brought the endpoint back into service.
    pub(crate) fn succeed(&self, ticket: Ticket) -> bool {
        self.change(|state| state.succeed(ticket)).is_some()
    }

    /// Takes note of a failure. Returns whether that ejected the endpoint, for the first time or again.
    pub(crate) fn fail(&self, ticket: Ticket, failure: Failure, rules: &Rules) -> bool {
        let (refused, now_ms) = (failure == Failure::Refused, rules.now_ms());
        let before =
            self.change(|state| state.fail(ticket, refused, now_ms, |failures| rules.delay_ms(failures)));
        before.is_some_and(|before| before.in_service() || ticket.trial)
    }

    pub(crate) fn in_service(&self) -> bool {
        self.load().in_service()
    }

    pub(crate) fn end_trial(&self, ticket: Ticket) {
        if ticket.trial {
            self.change(|state| state.end_trial(ticket));
        }
    }

    /// The health, and how many failures in a row led to it.
    pub(crate) fn health(&self, now_ms: u64) -> (Health, u32) {
        let state = self.load();
        let health = if state.in_service() {
            Health::InService
        } else if state.until_ms > now_ms {
            Health::Ejected { remaining: Duration::from_millis(state.until_ms - now_ms) }
        } else {
            Health::OnProbation { trial: state.trial }
        };
        (health, state.failures.into())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ticket(state: State, trial: bool) -> Ticket {
        Ticket { generation: state.generation, trial }
    }

    const IN_SERVICE: State = State { until_ms: 0, generation: 0, failures: 0, refused: false, trial: false };

    #[test]
    fn calls_that_fail_together_count_as_one_failure() {
        let early = ticket(IN_SERVICE, false);
        let ejected = IN_SERVICE.fail(early, false, 10, |_| 200).unwrap();
        assert_eq!((ejected.until_ms, ejected.failures), (210, 1));
        assert_eq!(ejected.fail(early, true, 11, |_| 200), None);
    }

    #[test]
    fn an_answer_that_was_on_its_way_does_not_end_the_ejection() {
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
        assert_eq!(again, State { refused: true, ..ejected });
        assert!(again.succeed(ticket(ejected, false)).unwrap().in_service());
    }

    #[test]
    fn there_is_one_trial_at_a_time_and_a_dropped_one_makes_room() {
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
        fn packing_loses_nothing(
            until_ms in 0..=MAX_UNTIL,
            generation: u16,
            failures in 0..=MAX_FAILURES,
            refused: bool,
            trial: bool,
        ) {
            let state = State { until_ms, generation, failures, refused, trial };
            prop_assert_eq!(State::unpack(state.pack()), state);
        }

        #[test]
        fn a_failure_never_overflows(word: u64, now_ms: u64, delay: u64) {
            let state = State::unpack(word);
            let next = state.fail(ticket(state, true), true, now_ms, |_| delay).unwrap();
            prop_assert_eq!(State::unpack(next.pack()), next);
            prop_assert!(!next.in_service());
        }
    }
}
