//! Complaints that do not fill the log.

use std::time::Duration;

use tokio::time::Instant;

/// The time between two log lines about the same trouble of one port.
const BETWEEN: Duration = Duration::from_secs(10);

/// Keeps a complaint that could be made with every caller down to one in a while.
#[derive(Debug, Default)]
pub(super) struct LogLimiter {
    last: Option<Instant>,
}

impl LogLimiter {
    pub(super) fn admits(&mut self) -> bool {
        let may = self.last.is_none_or(|last| last.elapsed() >= BETWEEN);
        if may {
            self.last = Some(Instant::now());
        }
        may
    }
}
