//! Attempts that are under way at the same time.

use std::future::poll_fn;
use std::pin::pin;
use std::task::{Context, Poll};

use tokio::time::error::Elapsed;
use tokio::time::{Instant, sleep_until};

use super::attempt::{Attempt, Report};

/// Attempts that are under way at the same time, which makes no tasks of them: one or two of a call, up to eight of a driver of
/// probes. `Drop` ends them.
pub(super) struct Race<K, V, Fut> {
    /// In the order of their beginning.
    attempts: Vec<Attempt<K, V, Fut>>,
}

/// An attempt has ended; its report is due.
pub(super) type Finish<K, V, Output> = (Report<K, V>, Result<Output, Elapsed>);

impl<K, V, Fut: Future> Race<K, V, Fut> {
    pub(super) fn new() -> Self {
        Self { attempts: Vec::new() }
    }

    pub(super) fn add(&mut self, attempt: Attempt<K, V, Fut>) {
        self.attempts.push(attempt);
    }

    pub(super) fn len(&self) -> usize {
        self.attempts.len()
    }

    /// Takes what is still under way.
    pub(super) fn take(&mut self) -> impl Iterator<Item = Report<K, V>> {
        std::mem::take(&mut self.attempts).into_iter().map(|attempt| attempt.report)
    }

    /// The first attempt that has ended, those that began earlier before later ones. Pending without attempts.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Finish<K, V, Fut::Output>> {
        for index in 0..self.attempts.len() {
            if let Poll::Ready(result) = self.attempts[index].poll(cx) {
                return Poll::Ready((self.attempts.remove(index).report, result));
            }
        }
        Poll::Pending
    }

    /// Waits for the end of an attempt; `None` if that takes longer than `until`.
    pub(super) async fn next(&mut self, until: Option<Instant>) -> Option<Finish<K, V, Fut::Output>> {
        let Some(until) = until else { return Some(poll_fn(|cx| self.poll(cx)).await) };
        let mut over = pin!(sleep_until(until));
        poll_fn(|cx| match self.poll(cx) {
            Poll::Ready(finish) => Poll::Ready(Some(finish)),
            Poll::Pending => over.as_mut().poll(cx).map(|()| None),
        })
        .await
    }
}
