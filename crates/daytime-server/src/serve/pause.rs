//! The pause after a failed accept or receive.

use std::time::Duration;

use tokio::time::sleep;

const FIRST: Duration = Duration::from_millis(20);
/// The longest pause: accepting resumes at most this long after the problem is solved.
const CAP: Duration = Duration::from_millis(500);

/// Pauses that double, as retrying at once would burn processor time.
#[derive(Debug)]
pub(super) struct Pause(Duration);

impl Default for Pause {
    fn default() -> Self {
        Self(FIRST)
    }
}

impl Pause {
    pub(super) async fn wait(&mut self) {
        sleep(self.0).await;
        self.0 = (self.0 * 2).min(CAP);
    }
}
