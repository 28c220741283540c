//! How many answers in a row change a verdict: a machine.

/// The verdict of a check, damped.
#[derive(Clone, Debug)]
pub(super) struct Damping {
    rise: u32,
    fall: u32,
    /// `None` before the first answer.
    healthy: Option<bool>,
    /// How many of the last answers in a row were against the verdict.
    against: u32,
}

impl Damping {
    pub(super) fn new(rise: u32, fall: u32) -> Self {
        Self { rise, fall, healthy: None, against: 0 }
    }

    /// Takes an answer, and returns the verdict with it.
    pub(super) fn answer(&mut self, healthy: bool) -> bool {
        let verdict = *self.healthy.get_or_insert(healthy);
        if verdict == healthy {
            self.against = 0;
            return verdict;
        }
        self.against += 1;
        let needed = if healthy { self.rise } else { self.fall };
        if self.against < needed {
            return verdict;
        }
        self.against = 0;
        self.healthy = Some(healthy);
        healthy
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The verdicts after each answer, from the definition: a verdict changes with the answer that ends a run of as many
    /// answers against it as it takes.
    fn model(rise: usize, fall: usize, answers: &[bool]) -> Vec<bool> {
        let mut verdicts: Vec<bool> = Vec::new();
        for at in 0..answers.len() {
            let verdict = *verdicts.last().unwrap_or(&answers[0]);
            let needed = if verdict { fall } else { rise }.max(1);
            let run = answers[..=at].iter().rev().take_while(|answer| **answer != verdict).count();
            verdicts.push(if run >= needed { !verdict } else { verdict });
        }
        verdicts
    }

    proptest! {
        #[test]
        fn a_verdict_changes_after_a_run_of_answers_against_it(
            rise in 0..4u32,
            fall in 0..4u32,
            answers in prop::collection::vec(any::<bool>(), 0..60),
        ) {
            let mut damping = Damping::new(rise, fall);
            let verdicts: Vec<bool> = answers.iter().map(|answer| damping.answer(*answer)).collect();
            prop_assert_eq!(verdicts, model(rise as usize, fall as usize, &answers));
        }
    }

    #[test]
    fn the_first_answer_decides_at_once() {
        for first in [true, false] {
            assert_eq!(Damping::new(5, 5).answer(first), first);
        }
    }

    #[test]
    fn three_answers_make_sick_and_two_make_healthy() {
        let mut damping = Damping::new(2, 3);
        let answers = [true, false, false, true, false, false, false, true, false, true, true];
        let verdicts = [true, true, true, true, true, true, false, false, false, false, true];
        assert_eq!(answers.map(|answer| damping.answer(answer)), verdicts);
    }
}
