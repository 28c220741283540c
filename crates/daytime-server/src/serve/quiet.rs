//! Complaints that do not fill the log.

use std::time::Duration;

use tokio::time::Instant;

/// The time between two log lines about the same trouble of one port.
const QUIET: Duration = Duration::from_secs(10);

/// Keeps a complaint that could be made with every caller down to one in a while.
#[derive(Debug, Default)]
pub(super) struct Quiet {
    spoke: Option<Instant>,
}

impl Quiet {
    pub(super) fn may_speak(&mut self) -> bool {
        let may = self.spoke.is_none_or(|spoke| spoke.elapsed() >= QUIET);
        if may {
            self.spoke = Some(Instant::now());
        }
        may
    }
}
