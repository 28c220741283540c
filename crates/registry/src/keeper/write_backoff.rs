//! Delays writes on which the server closes the connection.
//!
//! A server does not refuse a request that is larger than its `jute.maxbuffer`: it closes the connection, and with it
//! goes every request that is under way on the link. A keeper that went on writing would take down all registrations of
//! the process.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use zk_core::time::jittered;
use zk_core::{Error, ErrorKind};

use crate::status::Trouble;

/// A connection that ends once may have any cause. After so many in a row during the same write, the write is taken for
/// the cause.
const SUSPECT_AFTER: u32 = 2;
/// The first wait; it doubles with each further connection.
const FIRST_WAIT: Duration = Duration::from_secs(1);

/// How often in a row the connection has ended during the latest write, and the wait that follows from it.
#[derive(Debug, Default)]
pub(super) struct WriteBackoff {
    /// The data of that write.
    data: Option<Arc<[u8]>>,
    in_a_row: u32,
    wait: Duration,
    /// Nothing is written before this moment.
    until: Option<Instant>,
}

impl WriteBackoff {
    /// Admits a write, after a read has found that the previous one was not carried out.
    ///
    /// # Errors
    /// [`Trouble::cut_off`], if it is too early.
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

    /// The write has failed, and may have ended the connection. `longest` bounds the wait.
    pub(super) fn failed(&mut self, error: &Error, longest: Duration) {
        if !matches!(error.kind(), ErrorKind::ConnectionLost(_)) {
            return self.reset();
        }
        self.in_a_row += 1;
        if self.in_a_row >= SUSPECT_AFTER {
            self.wait = (self.wait * 2).max(FIRST_WAIT).min(longest.max(FIRST_WAIT));
            // Keepers that lost the same connection write again at different times.
            self.until = Some(Instant::now() + jittered(self.wait, &mut rand::rng()));
        }
    }

    /// The server has replied to the write, or a read has found it carried out.
    pub(super) fn reset(&mut self) {
        *self = Self::default();
    }

    /// The time until the next write, if there is a wait.
    pub(super) fn left(&self) -> Option<Duration> {
        let left = self.until?.saturating_duration_since(Instant::now());
        (!left.is_zero()).then_some(left)
    }
}
