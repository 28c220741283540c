//! Limits the log lines about single registrations, so that thousands of them leave a log that can be read.

use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep};
use tracing::info;

use crate::metrics::Metrics;

/// How many lines about single registrations a registrar writes within a [`WINDOW`]. More go to level debug, and one
/// line counts them.
const LINES: u32 = 10;
const WINDOW: Duration = Duration::from_secs(1);

/// Writes a line about one registration: at its level if the limit admits it, else at debug.
macro_rules! limited {
    ($log:expr, $level:ident, $($line:tt)+) => {
        if $log.admits() {
            tracing::$level!($($line)+)
        } else {
            tracing::debug!($($line)+)
        }
    };
}
pub(crate) use limited;

#[derive(Debug, Default)]
pub(crate) struct LogLimiter {
    window: Mutex<Window>,
    overflow: Notify,
}

#[derive(Debug, Default)]
struct Window {
    began: Option<Instant>,
    lines: u32,
    withheld: u64,
}

impl LogLimiter {
    /// Whether the limit admits another line; counts it if not.
    pub(crate) fn admits(&self) -> bool {
        let now = Instant::now();
        let mut window = self.window.lock();
        if window.began.is_none_or(|began| now.duration_since(began) >= WINDOW) {
            (window.began, window.lines) = (Some(now), 0);
        }
        if window.lines < LINES {
            window.lines += 1;
            return true;
        }
        window.withheld += 1;
        if window.withheld == 1 {
            self.overflow.notify_one();
        }
        false
    }

    /// Writes a summary after each window that had lines withheld. Never returns.
    pub(crate) async fn summaries(&self, metrics: &Metrics) {
        loop {
            self.overflow.notified().await;
            sleep(WINDOW).await;
            self.summary(metrics);
        }
    }

    /// Logs how many lines were withheld since the last summary, if any.
    pub(crate) fn summary(&self, metrics: &Metrics) {
        let withheld = std::mem::take(&mut self.window.lock().withheld);
        if withheld > 0 {
            info!(withheld, "registrations by status: {metrics}; withheld lines are at level debug");
        }
    }
}

#[cfg(test)]
mod tests;
