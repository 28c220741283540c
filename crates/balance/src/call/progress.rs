//! What a call does next: a machine without clock, endpoints and budget.

use std::time::Duration;

use tracing::trace;

use super::error::GaveUp;
use crate::failure::Failure;
use crate::reader::PickError;

/// The pause before the second round; it doubles with each further one. A process that restarts takes about as long to listen.
pub(super) const FIRST_PAUSE: Duration = Duration::from_millis(50);

/// The longest pause between two rounds: so late may a call learn at most that somebody is back.
///
/// A pause that would last until the end of the call lasts for half of what is left, as long as that is more than the first pause.
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

/// A round that is not the first takes one in so many of the refused attempts that are left: then a call survives the restart of a
/// set of any size, and its attempts stay bounded.
const ROUNDS_LEFT: u32 = 8;

/// What a call may do.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules {
    pub(super) max_attempts: u32,
    pub(super) max_refused: u32,
    pub(super) is_idempotent: bool,
}

/// How an attempt failed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Failed {
    pub(super) failure: Option<Failure>,
    pub(super) may_retry: bool,
    pub(super) had_no_effect: bool,
}

/// What is next after a failed attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Another attempt has already been started, in a race.
    Wait,
    /// One more attempt, after a withdrawal from the budget if it costs one.
    Retry { costs: bool },
    /// The end.
    GiveUp(GaveUp),
}

impl Failed {
    /// The name of the failure, for those who follow the arrows of calls.
    fn name(self) -> &'static str {
        match self {
            Self { may_retry: false, .. } => "final",
            Self { failure: Some(failure), .. } => failure.name(),
            Self { failure: None, .. } => "no_failure",
        }
    }
}

impl Next {
    /// Where a call is then: it may have to pay for the attempt that it makes next.
    fn name(self) -> &'static str {
        match self {
            Self::Wait => "calling",
            Self::Retry { costs: false } => "picking",
            Self::Retry { costs: true } => "paying",
            Self::GiveUp(reason) => reason.name(),
        }
    }
}

/// How far a call has come.
#[derive(Debug)]
pub(super) struct Progress {
    rules: Rules,
    /// How many attempts were made, without those that were refused.
    attempts: u32,
    refused: u32,
    /// How many of this round may yet be refused.
    round_left: u32,
    /// What the last look for an endpoint found, if nothing was attempted since.
    nobody: Option<GaveUp>,
    pause: Duration,
}

impl Progress {
    pub(super) fn new(rules: Rules) -> Self {
        Self {
            rules,
            attempts: 0,
            refused: 0,
            round_left: rules.max_refused,
            nobody: None,
            pause: FIRST_PAUSE,
        }
    }

    /// An attempt begins.
    pub(super) fn started(&mut self) {
        self.attempts += 1;
        self.nobody = None;
    }

    /// Whether an attempt may be followed by another one in a race.
    pub(super) fn may_hedge(&self) -> bool {
        self.rules.is_idempotent && self.attempts < self.rules.max_attempts
    }

    /// Whether the round has attempts left.
    pub(super) fn is_round_over(&self) -> bool {
        self.round_left == 0
    }

    /// An attempt failed, while another one is `in_race` or not.
    pub(super) fn failed(&mut self, failed: Failed, in_race: bool) -> Next {
        let next = self.after(failed, in_race);
        let from = if in_race { "racing" } else { "calling" };
        trace!(target: "arrow", machine = "call", from, on = failed.name(), to = next.name());
        next
    }

    fn after(&mut self, failed: Failed, in_race: bool) -> Next {
        let is_refused = failed.failure == Some(Failure::Refused);
        if is_refused {
            // Nothing was sent: it is counted apart.
            self.attempts -= 1;
            self.refused += 1;
            self.round_left = self.round_left.saturating_sub(1);
        }
        if in_race && failed.had_no_effect {
            // Though it be the last: the other attempt may have what this one had not, such as a request that cannot be copied.
            return Next::Wait;
        }
        if !failed.may_retry || !(self.rules.is_idempotent || failed.had_no_effect) {
            return Next::GiveUp(GaveUp::Final);
        }
        if in_race {
            return Next::Wait;
        }
        if self.attempts >= self.rules.max_attempts || self.refused >= self.rules.max_refused {
            return Next::GiveUp(GaveUp::AttemptsSpent);
        }
        // The budget keeps retries from being load. What was not sent was none.
        Next::Retry { costs: !failed.failure.is_some_and(Failure::was_not_sent) }
    }

    /// Nobody is left to try in this round. Returns how long to pause before the next one, before jitter.
    pub(super) fn nobody(&mut self, reason: PickError) -> Duration {
        trace!(target: "arrow", machine = "call", from = "picking", on = reason.name(), to = "pausing");
        self.nobody = match reason {
            PickError::NotSynced => Some(GaveUp::NobodyKnown),
            PickError::NoInstances => Some(GaveUp::NobodyRegistered),
            PickError::NoMatch => Some(GaveUp::NoMatch),
            PickError::AllClosed => Some(GaveUp::AllClosed),
            PickError::Saturated => Some(GaveUp::Saturated),
            // All have been tried.
            PickError::AllExcluded => self.nobody,
        };
        let left = self.rules.max_refused.saturating_sub(self.refused);
        self.round_left = left.div_ceil(ROUNDS_LEFT);
        if self.nobody.is_some() {
            // To look for somebody is no load on anybody.
            return FIRST_PAUSE;
        }
        let pause = self.pause;
        self.pause = LONGEST_PAUSE.min(pause * 2);
        pause
    }

    /// How much of a pause fits into what is `left` of the call's time: all of it, or so much that there is a round after it.
    pub(super) fn fit(pause: Duration, left: Duration) -> Duration {
        match pause >= left {
            true if left > FIRST_PAUSE => left / 2,
            true => left,
            false => pause,
        }
    }

    /// Why a call ends when its time is over.
    pub(super) fn out_of_time(&self) -> GaveUp {
        let reason = match self.nobody {
            Some(nobody) => nobody,
            None if self.refused > 0 && self.attempts == 0 => GaveUp::AllRefused,
            None => GaveUp::OutOfTime,
        };
        trace!(target: "arrow", machine = "call", from = "picking", on = "deadline", to = reason.name());
        reason
    }

    /// Why a call ends that may not pay for another attempt.
    pub(super) fn budget_spent(&self) -> GaveUp {
        let reason = GaveUp::BudgetSpent;
        trace!(target: "arrow", machine = "call", from = "paying", on = "budget_spent", to = reason.name());
        reason
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const IDEMPOTENT: Rules = Rules { max_attempts: 16, max_refused: 1024, is_idempotent: true };

    fn failed(failure: Failure) -> Failed {
        Failed { failure: Some(failure), may_retry: true, had_no_effect: failure.had_no_effect() }
    }

    #[test]
    fn each_failure_but_a_refusal_costs_one_of_the_attempts() {
        for failure in Failure::ALL {
            let mut progress = Progress::new(IDEMPOTENT);
            let expected = if failure == Failure::Refused { 1024 } else { 16 };
            let mut count = 0;
            loop {
                progress.started();
                count += 1;
                match progress.failed(failed(failure), false) {
                    Next::Retry { costs } => assert_eq!(costs, !failure.was_not_sent()),
                    next => break assert_eq!(next, Next::GiveUp(GaveUp::AttemptsSpent)),
                }
            }
            assert_eq!(count, expected, "{failure}");
        }
    }

    #[test]
    fn only_what_had_no_effect_is_retried_unless_it_is_idempotent() {
        for failure in Failure::ALL {
            let mut progress = Progress::new(Rules { is_idempotent: false, ..IDEMPOTENT });
            progress.started();
            let next = progress.failed(failed(failure), false);
            assert_eq!(next == Next::GiveUp(GaveUp::Final), !failure.had_no_effect(), "{failure}");
        }
    }

    #[test]
    fn a_final_error_ends_a_race_and_another_failure_does_not() {
        let mut progress = Progress::new(IDEMPOTENT);
        progress.started();
        progress.started();
        assert_eq!(progress.failed(failed(Failure::Reset), true), Next::Wait);
        let last = Failed { may_retry: false, ..failed(Failure::Unavailable) };
        assert_eq!(progress.failed(last, true), Next::GiveUp(GaveUp::Final));
    }

    #[test]
    fn an_attempt_that_had_nothing_to_send_ends_no_race() {
        let mut progress = Progress::new(IDEMPOTENT);
        progress.started();
        progress.started();
        let nothing = Failed { failure: None, may_retry: false, had_no_effect: true };
        assert_eq!(progress.failed(nothing, true), Next::Wait);
        assert_eq!(progress.failed(nothing, false), Next::GiveUp(GaveUp::Final));
    }

    #[test]
    fn the_last_look_says_why_the_time_was_over() {
        let mut progress = Progress::new(IDEMPOTENT);
        assert_eq!(progress.out_of_time(), GaveUp::OutOfTime);
        progress.nobody(PickError::NotSynced);
        assert_eq!(progress.out_of_time(), GaveUp::NobodyKnown);
        progress.started();
        progress.failed(failed(Failure::Refused), false);
        progress.nobody(PickError::AllExcluded);
        assert_eq!(progress.out_of_time(), GaveUp::AllRefused);
        progress.nobody(PickError::NoInstances);
        assert_eq!(progress.out_of_time(), GaveUp::NobodyRegistered);
        progress.started();
        progress.failed(failed(Failure::Timeout), false);
        assert_eq!(progress.out_of_time(), GaveUp::OutOfTime);
    }

    #[test]
    fn the_refused_attempts_are_enough_for_every_round_of_a_call() {
        // A set of 900 in which everybody refuses.
        let (mut progress, mut count, mut passed) = (Progress::new(IDEMPOTENT), 0, Duration::ZERO);
        while passed < Duration::from_secs(5) {
            let mut tried = 0;
            while tried < 900 && !progress.is_round_over() {
                progress.started();
                assert_eq!(progress.failed(failed(Failure::Refused), false), Next::Retry { costs: false });
                (count, tried) = (count + 1, tried + 1);
            }
            assert!(tried > 0, "every round tries somebody");
            passed += progress.nobody(PickError::AllExcluded);
        }
        assert!(count < 1024, "{count}");
    }

    proptest! {
        #[test]
        fn no_call_exceeds_its_bounds_whatever_happens(
            (max_attempts, max_refused) in (1..20_u32, 1..40_u32),
            is_idempotent: bool,
            events in prop::collection::vec((0..8_usize, any::<bool>(), any::<bool>()), 1..200),
        ) {
            let mut progress = Progress::new(Rules { max_attempts, max_refused, is_idempotent });
            let (mut sent, mut refused, mut paid, mut had_effect) = (0_u32, 0, 0, false);
            for (failure, hedges, pauses) in events {
                prop_assert!(!had_effect || is_idempotent, "nothing follows what may have had an effect");
                if pauses {
                    progress.nobody(PickError::AllExcluded);
                }
                prop_assert!(!(pauses && progress.is_round_over()), "a round has at least one attempt");
                progress.started();
                let in_race = hedges && progress.may_hedge();
                if in_race {
                    progress.started();
                    paid += 1;
                }
                // The last one is an error without a failure.
                let failure = Failure::ALL.get(failure).copied();
                let had_no_effect = failure.is_some_and(Failure::had_no_effect);
                let failed = Failed { failure, may_retry: true, had_no_effect };
                had_effect |= !had_no_effect;
                let mut next = progress.failed(failed, in_race);
                for _ in 0..=u32::from(in_race) {
                    refused += u32::from(failure == Some(Failure::Refused));
                    sent += u32::from(!failure.is_some_and(Failure::was_not_sent));
                }
                if in_race {
                    prop_assert_eq!(next, Next::Wait);
                    next = progress.failed(failed, false);
                }
                prop_assert!(sent <= 1 + paid, "{sent} attempts for {paid} retries of the budget");
                prop_assert!(sent <= max_attempts && refused <= max_refused + 1);
                match next {
                    Next::Retry { costs } => paid += u32::from(costs),
                    Next::GiveUp(_) => break,
                    Next::Wait => prop_assert!(false, "for nobody"),
                }
            }
        }
    }
}
