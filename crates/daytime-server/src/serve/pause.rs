//! How long to wait when the system refuses to hand over callers.

use std::time::Duration;

use tokio::time::sleep;

const FIRST: Duration = Duration::from_millis(20);
/// Accepting goes on this long after the trouble is over, at the latest.
const CAP: Duration = Duration::from_millis(500);

/// Waits that double: at once again would only burn the processor.
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
