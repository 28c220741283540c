//! Writes that the server answers by cutting the connection, and how long to wait with the next one.
//!
//! A request that is larger than the server's `jute.maxbuffer` is not refused: the connection is cut, and with it
//! everything that all others have on their way. Whoever goes on like that takes all registrations of the
//! process down.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use zk_core::time::jittered;
use zk_core::{Error, ErrorKind};

use crate::status::Trouble;

/// One cut may be anybody's fault. After so many in a row, each in answer to the same write of ours, it is
/// taken for ours.
const CHANCE: u32 = 2;
/// The first wait; it doubles with each further cut.
const FIRST: Duration = Duration::from_secs(1);

/// How often, in a row, the server has closed the connection at the latest write.
#[derive(Debug, Default)]
pub(super) struct WriteBackoff {
    /// What was written.
    data: Option<Arc<[u8]>>,
    in_a_row: u32,
    wait: Duration,
    /// Before then nothing is written.
    until: Option<Instant>,
}

impl WriteBackoff {
    /// Asks before a write. A look has shown that the one before was not carried out.
    ///
    /// # Errors
    /// The trouble, where it is too early.
    pub(super) fn admit(&mut self, path: &zk_core::ZnodePath, data: &Arc<[u8]>) -> Result<(), Trouble> {
        if self.data.as_ref() != Some(data) {
            // Other data may fit.
            *self = Self { data: Some(data.clone()), ..Self::default() };
        }
        match self.left() {
            Some(_) => Err(Trouble::cut_off(path)),
            None => Ok(()),
        }
    }

    /// The write has failed: perhaps by a cut. `longest` is how long a wait may become.
    pub(super) fn failed(&mut self, error: &Error, longest: Duration) {
        if !matches!(error.kind(), ErrorKind::ConnectionLost(_)) {
            return self.answered();
        }
        self.in_a_row += 1;
        if self.in_a_row >= CHANCE {
            self.wait = (self.wait * 2).max(FIRST).min(longest.max(FIRST));
            // They that were cut off together do not come back together.
            self.until = Some(Instant::now() + jittered(self.wait));
        }
    }

    /// The server has read the write, or it was found to be carried out.
    pub(super) fn answered(&mut self) {
        *self = Self::default();
    }

    /// How long nothing is to be written yet.
    pub(super) fn left(&self) -> Option<Duration> {
        let left = self.until?.saturating_duration_since(Instant::now());
        (!left.is_zero()).then_some(left)
    }
}
