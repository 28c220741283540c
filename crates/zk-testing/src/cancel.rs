//! Dropping a future half-way, to see that nothing is lost or left behind.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

/// Polls a future whenever it wakes, but at most so many times, and then drops it. `None` if it was not ready by then.
/// For tests of cancel safety: run them with one poll, with two, and so on.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// assert_eq!(zk_testing::poll_at_most(1, tokio::task::yield_now()).await, None);
/// assert_eq!(zk_testing::poll_at_most(2, tokio::task::yield_now()).await, Some(()));
/// # });
/// ```
pub async fn poll_at_most<T>(polls: usize, future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    let mut left = polls;
    poll_fn(move |context| match future.as_mut().poll(context) {
        Poll::Ready(value) => Poll::Ready(Some(value)),
        Poll::Pending if left <= 1 => Poll::Ready(None),
        Poll::Pending => {
            left -= 1;
            Poll::Pending
        }
    })
    .await
}
