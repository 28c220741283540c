//! Waiting for a condition, instead of for a time.

use std::time::Duration;

use tokio::time::{Instant, sleep};

/// The session timeout of most tests: 2 s, ten ticks of a [`Server`](crate::Server). A test that is about expiry waits
/// no longer than it must, and a busy machine keeps its sessions.
pub const SESSION: Duration = Duration::from_secs(2);

/// Longer than anything takes that has no bound of its own, on a busy machine, too: 15 s.
pub const SOON: Duration = Duration::from_secs(15);

/// How long a condition that does not hold is left alone.
const POLL: Duration = Duration::from_millis(5);

/// Waits until a condition holds, for at most [`SOON`].
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// let started = tokio::time::Instant::now();
/// zk_testing::eventually("a millisecond has passed", async || started.elapsed().as_millis() >= 1).await;
/// # });
/// ```
///
/// # Panics
/// With the claim, if it does not hold in time.
pub async fn eventually(claim: &str, holds: impl AsyncFnMut() -> bool) {
    holds_within(claim, SOON, holds).await.unwrap_or_else(|error| panic!("{error}"));
}

/// Waits until a condition holds, for at most `within`. It is asked for every 5 ms, and once more at the end.
///
/// # Errors
/// The claim, if it does not hold in time.
pub async fn holds_within(
    claim: &str,
    within: Duration,
    mut holds: impl AsyncFnMut() -> bool,
) -> Result<(), String> {
    let deadline = Instant::now() + within;
    loop {
        let late = Instant::now() >= deadline;
        if holds().await {
            return Ok(());
        }
        if late {
            return Err(format!("not within {within:?}: {claim}"));
        }
        sleep(POLL).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_condition_has_the_whole_time_and_no_more() {
        let started = Instant::now();
        let second = Duration::from_secs(1);
        holds_within("a second", second, async || started.elapsed() >= second).await.unwrap();
        assert!(started.elapsed() < second + 2 * POLL);
        let error = holds_within("never", second, async || false).await.unwrap_err();
        assert_eq!(error, "not within 1s: never");
        assert!(started.elapsed() < 2 * second + 4 * POLL);
    }
}
