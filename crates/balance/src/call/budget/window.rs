//! Counts over the last steps of time.

/// How many calls and retries there were in the running step and the [`Window::STEPS`] before it.
///
/// Steps forget many events at a time, so memory and work do not grow with the calls. The window is whole without the
/// running step: an event counts for at least so many steps, and at most one more.
#[derive(Debug, Default)]
pub(super) struct Window {
    /// The running step.
    now: u64,
    /// Step `n` is at `n` modulo the length.
    steps: [Counts; Window::STEPS as usize + 1],
    /// The sum of the steps.
    sum: Counts,
}

#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    deposits: u64,
    withdrawals: u64,
}

impl Window {
    /// As in tower: so the time is exact to a tenth.
    pub(super) const STEPS: u64 = 10;

    /// Goes on to a step, and forgets those that are too old; stays where it is if that step is over.
    pub(super) fn advance(&mut self, to: u64) {
        // After a long pause each step is forgotten once.
        let from = self.now.max(to.saturating_sub(Self::STEPS + 1));
        for step in from..to {
            let old = std::mem::take(&mut self.steps[Self::index(step + 1)]);
            self.sum.deposits -= old.deposits;
            self.sum.withdrawals -= old.withdrawals;
        }
        self.now = self.now.max(to);
    }

    pub(super) fn deposit(&mut self) {
        self.steps[Self::index(self.now)].deposits += 1;
        self.sum.deposits += 1;
    }

    pub(super) fn withdraw(&mut self) {
        self.steps[Self::index(self.now)].withdrawals += 1;
        self.sum.withdrawals += 1;
    }

    pub(super) fn deposits(&self) -> u64 {
        self.sum.deposits
    }

    pub(super) fn withdrawals(&self) -> u64 {
        self.sum.withdrawals
    }

    fn index(step: u64) -> usize {
        (step % (Self::STEPS + 1)) as usize
    }
}
