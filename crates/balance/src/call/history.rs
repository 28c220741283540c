//! What a call has tried.

use std::collections::VecDeque;
use std::time::Duration;

use super::error::{Attempt, CallError, GaveUp, MAX_LISTED_ATTEMPTS};

/// Collects the attempts of a call, with bounded memory.
pub(super) struct History<K, E> {
    attempts: VecDeque<Attempt<K, E>>,
    count: usize,
}

impl<K, E> History<K, E> {
    pub(super) fn new() -> Self {
        Self { attempts: VecDeque::new(), count: 0 }
    }

    pub(super) fn count(&self) -> usize {
        self.count
    }

    pub(super) fn push(&mut self, attempt: Attempt<K, E>) {
        if self.attempts.len() == MAX_LISTED_ATTEMPTS {
            self.attempts.pop_front();
        }
        self.attempts.push_back(attempt);
        self.count += 1;
    }

    pub(super) fn give_up(self, reason: GaveUp, elapsed: Duration) -> CallError<K, E> {
        CallError { reason, attempts: self.attempts.into(), count: self.count, elapsed }
    }
}
