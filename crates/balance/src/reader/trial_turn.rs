//! Which picks of a reader may be trials.

use crate::members::QueuePlace;
use crate::rng::Rng;

/// One pick in so many may be a trial, while anybody is in service.
const PICKS_PER_TRIAL: u32 = 20;

/// Which picks of a reader may be trials: one in 20 on average, the first of them any.
///
/// A reader may live for a few picks only. If all of them had to make 20 before a trial, those would make none.
#[derive(Clone, Debug)]
pub(super) struct TrialTurn {
    /// How many picks there are until the next look at the clock.
    left: u32,
    /// After how many it came.
    step: u32,
    looked_ms: u64,
    /// How far the search for an endpoint that a pick wants has come.
    pub(super) place: Option<QueuePlace>,
}

impl TrialTurn {
    pub(super) fn new(rng: &mut Rng) -> Self {
        let left = 1 + rng.below(PICKS_PER_TRIAL as usize) as u32;
        Self { left, step: PICKS_PER_TRIAL, looked_ms: 0, place: None }
    }

    /// Counts a pick while anybody is ejected. Returns whether it may be a trial if one is due.
    #[inline]
    pub(super) fn comes(&mut self) -> bool {
        self.left -= 1;
        self.left == 0
    }

    /// Sets when the next look is, after one in vain: at the next pick if a look is nothing to the time between two picks, 1 ms or more; else after
    /// 20 more.
    pub(super) fn wait(&mut self, now_ms: u64) {
        let is_seldom = now_ms.saturating_sub(self.looked_ms) >= u64::from(self.step);
        self.next(if is_seldom { 1 } else { PICKS_PER_TRIAL }, now_ms);
    }

    /// Sets when the next look is, after a trial.
    pub(super) fn taken(&mut self, now_ms: u64) {
        self.next(PICKS_PER_TRIAL, now_ms);
    }

    fn next(&mut self, step: u32, now_ms: u64) {
        (self.left, self.step, self.looked_ms) = (step, step, now_ms);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The picks, of so many that are so far apart, that look at the clock; nothing is due.
    fn looks(turn: &mut TrialTurn, picks: u64, apart_ms: u64) -> Vec<u64> {
        let mut looks = vec![];
        for pick in 1..=picks {
            if turn.comes() {
                looks.push(pick);
                turn.wait(pick * apart_ms);
            }
        }
        looks
    }

    #[test]
    fn a_reader_that_picks_often_looks_at_the_clock_at_every_20th_pick_and_one_that_does_not_at_every_one() {
        let mut turn = TrialTurn::new(&mut Rng::new(1));
        turn.taken(0);
        assert_eq!(looks(&mut turn, 90, 0), [20, 40, 60, 80]);
        turn.taken(0);
        assert_eq!(looks(&mut turn, 24, 1), [20, 21, 22, 23, 24]);
        // It picks often again.
        turn.looked_ms = 1_000_000;
        assert_eq!(looks(&mut turn, 41, 0), [1, 21, 41]);
    }

    #[test]
    fn the_first_turn_of_a_reader_is_any_of_20() {
        let mut rng = Rng::new(1);
        let mut firsts: Vec<u32> = (0..1000).map(|_| TrialTurn::new(&mut rng).left).collect();
        firsts.sort_unstable();
        firsts.dedup();
        assert_eq!(firsts, (1..=20).collect::<Vec<_>>());
    }
}
