//! A shutdown that can be forced: then all that is left of it has one deadline.

use std::future::Future;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::Shared;
use tokio::time::{Instant, sleep_until};

/// How long the rest of the shutdown may take once it is forced.
pub(crate) const FORCED_SHUTDOWN: Duration = Duration::from_millis(500);

/// When the shutdown has to be over. It may be forced at any time, or never.
#[derive(Debug)]
pub(crate) struct Forced<F: Future<Output = Instant>>(Shared<F>);

impl Forced<std::future::Pending<Instant>> {
    /// Is forced when `force` resolves.
    pub(crate) fn on(force: impl Future<Output = ()>) -> Forced<impl Future<Output = Instant>> {
        Forced(force.map(|()| Instant::now() + FORCED_SHUTDOWN).shared())
    }
}

impl<F: Future<Output = Instant>> Forced<F> {
    /// Does `step` to its end, or, once the shutdown is forced, until `reserved` before its deadline: then it drops the
    /// step and returns `None`.
    ///
    /// # Cancel safety
    /// That of `step`; the deadline stands.
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
    async fn unless_forced_every_step_takes_its_time() {
        let forced = Forced::on(pending());
        let begun = Instant::now();
        assert_eq!(forced.run(FORCED_SHUTDOWN, sleep(10 * FORCED_SHUTDOWN)).await, Some(()));
        assert_eq!(begun.elapsed(), 10 * FORCED_SHUTDOWN);
    }

    #[tokio::test(start_paused = true)]
    async fn once_forced_all_that_hangs_takes_half_a_second_together() {
        let begun = Instant::now();
        let forced = Forced::on(sleep(3 * FORCED_SHUTDOWN));
        let hangs = pending::<()>;
        assert_eq!(forced.run(FORCED_SHUTDOWN / 2, hangs()).await, None);
        assert_eq!(begun.elapsed(), 3 * FORCED_SHUTDOWN + FORCED_SHUTDOWN / 2);
        assert_eq!(forced.run(FORCED_SHUTDOWN, hangs()).await, None, "there is no time for this one");
        assert_eq!(begun.elapsed(), 3 * FORCED_SHUTDOWN + FORCED_SHUTDOWN / 2);
        assert_eq!(forced.run(Duration::ZERO, hangs()).await, None);
        assert_eq!(begun.elapsed(), 4 * FORCED_SHUTDOWN);
        assert_eq!(forced.run(Duration::ZERO, ready(7)).await, Some(7), "what takes no time is always done");
    }
}
