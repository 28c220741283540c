//! Says in the records that the instances are about to leave.

use std::time::Duration;

use futures_util::future::join_all;
use instance::Instance;
use registry::Registration;
use tokio::time::{Instant, sleep_until, timeout_at};
use tracing::debug;

/// How long all of it may take, whatever ZooKeeper does.
const ANNOUNCE_TIMEOUT: Duration = Duration::from_millis(500);

/// Readers have this part of the settling time for the records once they are written, before the instances leave: nobody
/// can read the record of a deleted znode. With the default that is 100 ms; `discovery` waits 5 ms for others, and then
/// reads them with one request.
const NOTICE_SHARE: u32 = 3;

/// An instance that this server keeps registered.
#[derive(Debug)]
pub(crate) struct Kept {
    pub(crate) instance: Instance,
    pub(crate) registration: Registration,
}

/// Updates the record of every instance that is registered, all at the same time, and gives readers a moment to notice: a
/// third of `settle`, the time that the user grants to callers.
///
/// Takes half a second at most, and none where nothing is registered: the deregistration that follows tells more.
///
/// # Cancel safety
/// What was sent is written.
pub(crate) async fn announce(kept: &[Kept], settle: Duration) {
    let deadline = Instant::now() + ANNOUNCE_TIMEOUT;
    let written = timeout_at(deadline, join_all(kept.iter().map(Kept::say_draining))).await;
    let Ok(written) = written else {
        debug!(timeout = ?ANNOUNCE_TIMEOUT, "leave not announced in the records: no reply in time");
        return;
    };
    let written = written.into_iter().filter(|written| *written).count();
    debug!(written, instances = kept.len(), "leave announced in the records");
    if written > 0 {
        sleep_until(deadline.min(Instant::now() + settle / NOTICE_SHARE)).await;
    }
}

impl Kept {
    /// Updates the record, and waits until it is written. Returns whether it is: not while the znode is not registered.
    async fn say_draining(&self) -> bool {
        let mut statuses = self.registration.statuses();
        if !statuses.borrow_and_update().is_registered() {
            return false;
        }
        if let Err(error) = self.registration.update(self.instance.clone().with_draining(true)) {
            debug!(%error, path = %self.registration.path(), "leave not announced in the record");
            return false;
        }
        // The link may go down, and the update may be refused.
        let lost = async { statuses.wait_for(|status| !status.is_registered()).await.map(drop) };
        tokio::select! {
            biased;
            updated = self.registration.updated() => updated.is_ok(),
            _ = lost => false,
        }
    }
}
