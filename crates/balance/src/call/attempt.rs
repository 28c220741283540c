//! One attempt, and what its end says about the endpoint.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::error::Elapsed;
use tokio::time::{Instant, Timeout, timeout_at};

use super::classify::Classify;
use super::fair_time::Fair;
use super::target::Target;
use crate::entry::Entry;
use crate::failure::Failure;
use crate::metrics::{self, Ended};
use crate::pick::Pick;

/// In which time an attempt is made.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) connect: Duration,
    pub(super) attempt: Duration,
    pub(super) fair: Fair,
}

/// An attempt under way. `Drop` ends it.
pub(super) struct Attempt<K, V, Fut> {
    // In this order: it is in flight until the operation has been dropped.
    future: Pin<Box<Timeout<Fut>>>,
    pub(super) report: Report<K, V>,
}

impl<K, V, Fut: Future> Attempt<K, V, Fut> {
    /// Begins an attempt, which is not polled yet.
    pub(super) fn begin(pick: Pick<K, V>, limits: Limits, op: impl FnOnce(Target<K, V>) -> Fut) -> Self {
        let report = Report::new(pick, limits.fair);
        let deadline = report.began + limits.attempt;
        let target = Target::new(&report.entry, limits.connect, deadline, report.is_trial);
        Self { future: Box::pin(timeout_at(deadline, op(target))), report }
    }

    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Fut::Output, Elapsed>> {
        self.future.as_mut().poll(cx)
    }
}

/// What becomes known of an endpoint by one attempt. `Drop` without a report says that there was no answer, which is a timeout of
/// the endpoint if it had a [fair time](super::fair_time::FairTime).
pub(super) struct Report<K, V> {
    pub(super) entry: Arc<Entry<K, V>>,
    pub(super) began: Instant,
    pub(super) is_trial: bool,
    fair: Fair,
    /// `None` after the report.
    pick: Option<Pick<K, V>>,
}

impl<K, V> Report<K, V> {
    fn new(pick: Pick<K, V>, fair: Fair) -> Self {
        let began = Instant::now();
        let pick = pick.began_at(began);
        Self { entry: Arc::clone(pick.entry()), began, is_trial: pick.is_trial(), fair, pick: Some(pick) }
    }

    /// The endpoint answered.
    pub(super) fn answered(mut self) {
        self.entry.note_answer();
        self.settle(Ended::Answered);
    }

    /// The endpoint failed, or the error says nothing about it.
    pub(super) fn failed(mut self, failure: Option<Failure>) {
        self.settle(failure.map_or(Ended::Error, Ended::Failed));
    }

    /// The time was over. Returns the failure, if the endpoint had a fair time.
    pub(super) fn unanswered(mut self) -> Option<Failure> {
        self.time_over()
    }

    /// An attempt that began later was answered first. That happens; five times in a row it does not. So it counts as the
    /// softest of failures, unless the endpoint had a fair time.
    pub(super) fn overtaken(mut self) {
        if self.began.elapsed() >= self.fair.full {
            self.time_over();
        } else {
            self.settle(Ended::Failed(Failure::Unavailable));
        }
    }

    fn time_over(&mut self) -> Option<Failure> {
        let passed = self.began.elapsed();
        let failure = (passed >= self.fair.full).then_some(Failure::Timeout);
        let is_doubtful = passed >= self.fair.doubtful;
        self.settle(failure.map_or(Ended::CutShort { is_doubtful }, Ended::Failed));
        failure
    }

    fn settle(&mut self, ended: Ended) {
        let Some(pick) = self.pick.take() else { return };
        if !self.is_trial {
            metrics::attempt(ended);
        }
        match ended {
            Ended::Answered => pick.succeed(),
            Ended::Failed(failure) => pick.fail(failure),
            Ended::CutShort { is_doubtful: true } => pick.fail(Failure::Unavailable),
            Ended::Error | Ended::CutShort { is_doubtful: false } => drop(pick),
        }
    }
}

impl<K, V> Drop for Report<K, V> {
    fn drop(&mut self) {
        self.time_over();
    }
}

/// Waits for the end of an attempt whose answer nobody needs, and reports it.
pub(super) async fn settle<K, V, T, E, Fut>(mut attempt: Attempt<K, V, Fut>)
where
    E: Classify,
    Fut: Future<Output = Result<T, E>>,
{
    let result = poll_fn(|cx| attempt.poll(cx)).await;
    let report = attempt.report;
    match result {
        Ok(Ok(_)) => report.answered(),
        Ok(Err(error)) => report.failed(error.failure()),
        Err(_) => drop(report.unanswered()),
    }
}
