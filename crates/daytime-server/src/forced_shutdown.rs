//! A shutdown that can be forced: then one deadline bounds all of its remaining steps.

use std::future::Future;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::Shared;
use tokio::time::{Instant, sleep_until};

/// How long the remaining steps may take once the shutdown is forced.
pub(crate) const FORCED_SHUTDOWN: Duration = Duration::from_millis(500);

/// The deadline of a forced shutdown. The shutdown may be forced at any time, or never.
#[derive(Debug)]
pub(crate) struct Forced<F: Future<Output = Instant>>(Shared<F>);

impl Forced<std::future::Pending<Instant>> {
    /// The shutdown is forced when `force` resolves.
    pub(crate) fn on(force: impl Future<Output = ()>) -> Forced<impl Future<Output = Instant>> {
        Forced(force.map(|()| Instant::now() + FORCED_SHUTDOWN).shared())
    }
}

impl<F: Future<Output = Instant>> Forced<F> {
    /// Runs `step` to its end. In a forced shutdown it drops the step at `reserved` before the deadline, and returns
    /// `None`.
    ///
    /// # Cancel safety
    /// As that of `step`; the deadline does not move.
    pub(crate) async fn run<T>(&self, reserved: Duration, step: impl Future<Output = T>) -> Option<T> {
        let cut = async { sleep_until(self.0.clone().await - reserved).await };
        tokio::select! {
            biased;
            done = step => Some(done),
            () = cut => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use tokio::time::sleep;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn shutdown_steps_have_a_deadline_only_when_forced() {
        let forced = Forced::on(pending());
        let begun = Instant::now();
        assert_eq!(forced.run(FORCED_SHUTDOWN, sleep(10 * FORCED_SHUTDOWN)).await, Some(()));
        assert_eq!(begun.elapsed(), 10 * FORCED_SHUTDOWN);
    }

    #[tokio::test(start_paused = true)]
    async fn all_hanging_steps_of_a_forced_shutdown_take_half_a_second() {
        let begun = Instant::now();
        let forced = Forced::on(sleep(3 * FORCED_SHUTDOWN));
        let hangs = pending::<()>;
        assert_eq!(forced.run(FORCED_SHUTDOWN / 2, hangs()).await, None);
        assert_eq!(begun.elapsed(), 3 * FORCED_SHUTDOWN + FORCED_SHUTDOWN / 2);
        assert_eq!(forced.run(FORCED_SHUTDOWN, hangs()).await, None, "no time is left for this step");
        assert_eq!(begun.elapsed(), 3 * FORCED_SHUTDOWN + FORCED_SHUTDOWN / 2);
        assert_eq!(forced.run(Duration::ZERO, hangs()).await, None);
        assert_eq!(begun.elapsed(), 4 * FORCED_SHUTDOWN);
        assert_eq!(
            forced.run(Duration::ZERO, ready(7)).await,
            Some(7),
            "a step that is ready is always done"
        );
    }
}
