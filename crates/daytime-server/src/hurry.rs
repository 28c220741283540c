//! An end that can be cut short.

use std::future::Future;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::Shared;
use tokio::time::{Instant, sleep_until};

/// How long the rest of the end may take, from the word to hurry on.
pub(crate) const HURRIED: Duration = Duration::from_millis(500);

/// The word to hurry, which may come at any time, or never.
#[derive(Debug)]
pub(crate) struct Hurry<F: Future<Output = Instant>>(Shared<F>);

impl Hurry<std::future::Pending<Instant>> {
    /// Hurries when `word` resolves.
    pub(crate) fn on(word: impl Future<Output = ()>) -> Hurry<impl Future<Output = Instant>> {
        // When everything has to be done.
        Hurry(word.map(|()| Instant::now() + HURRIED).shared())
    }
}

impl<F: Future<Output = Instant>> Hurry<F> {
    /// Does `work` to its end; or, in a hurry, as much of it as leaves time for `others` until everything has to be
    /// done: then it returns `None`, and has dropped it.
    ///
    /// # Cancel safety
    /// That of `work`; the word is not lost.
    pub(crate) async fn leaving<T>(&self, others: Duration, work: impl Future<Output = T>) -> Option<T> {
        let cut = async { sleep_until(self.0.clone().await - others).await };
        tokio::select! {
            biased;
            done = work => Some(done),
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
    async fn without_a_hurry_everything_takes_its_time() {
        let hurry = Hurry::on(pending());
        let begun = Instant::now();
        assert_eq!(hurry.leaving(HURRIED, sleep(10 * HURRIED)).await, Some(()));
        assert_eq!(begun.elapsed(), 10 * HURRIED);
    }

    #[tokio::test(start_paused = true)]
    async fn in_a_hurry_all_that_hangs_takes_half_a_second_together() {
        let begun = Instant::now();
        let hurry = Hurry::on(sleep(3 * HURRIED));
        let hangs = pending::<()>;
        assert_eq!(hurry.leaving(HURRIED / 2, hangs()).await, None);
        assert_eq!(begun.elapsed(), 3 * HURRIED + HURRIED / 2);
        assert_eq!(hurry.leaving(HURRIED, hangs()).await, None, "there is no time for this one");
        assert_eq!(begun.elapsed(), 3 * HURRIED + HURRIED / 2);
        assert_eq!(hurry.leaving(Duration::ZERO, hangs()).await, None);
        assert_eq!(begun.elapsed(), 4 * HURRIED);
        assert_eq!(
            hurry.leaving(Duration::ZERO, ready(7)).await,
            Some(7),
            "what takes no time is always done"
        );
    }
}
