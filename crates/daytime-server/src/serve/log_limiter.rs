//! Limits how often a recurring warning is logged.

use std::time::Duration;

use tokio::time::Instant;

/// The time between two log lines about the same problem of one port.
const BETWEEN: Duration = Duration::from_secs(10);

/// Admits one log line in ten seconds, where every call could cause one.
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
