//! How a service leaves: it says in its records that it is draining, deregisters, and serves on while callers learn of that.

use std::time::Duration;

use futures_util::future::join_all;
use instance::Instance;
use registry::{Registrar, Registration, ShutdownError};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until, timeout_at};
use tracing::{debug, info, warn};

use super::listener::Listener;
use super::record::ServiceRecord;

/// How long saying so in the records may take, whatever ZooKeeper does.
const ANNOUNCE_TIMEOUT: Duration = Duration::from_millis(500);

/// How long ZooKeeper may take to confirm that the instances are gone.
const DEREGISTER_TIMEOUT: Duration = Duration::from_secs(1);

/// Readers have this part of the settling time for the records once they are written, before the instances leave: nobody
/// can read the record of a deleted znode. With the default that is 100 ms; `discovery` waits 5 ms for others, and then
/// reads them with one request.
const NOTICE_SHARE: u32 = 3;

/// Whether the service is to leave. The order is that of haste.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Leave {
    No,
    Gently,
    AtOnce,
}

/// Does something, unless the service is to leave at once.
pub(super) async fn unless_at_once(leave: &mut watch::Receiver<Leave>, step: impl Future<Output = ()>) {
    tokio::select! {
        biased;
        _ = leave.wait_for(|leave| *leave == Leave::AtOnce) => {}
        () = step => {}
    }
}

/// Says in the records of all that is registered that they are draining, all at the same time, and gives readers a moment to
/// notice: a third of `settle`, the time that the user grants to callers.
///
/// Takes half a second at most, and none where nothing is registered: the deregistration that follows tells more.
///
/// # Cancel safety
/// What was sent is written.
pub(super) async fn announce(listeners: &[Listener], record: &ServiceRecord, settle: Duration) {
    let deadline = Instant::now() + ANNOUNCE_TIMEOUT;
    let registrations = listeners.iter().flat_map(Listener::registrations);
    let sayings = registrations
        .map(|(endpoint, registration)| say_draining(registration, record.instance(endpoint.clone(), true)));
    let Ok(written) = timeout_at(deadline, join_all(sayings)).await else {
        debug!(timeout = ?ANNOUNCE_TIMEOUT, "leave not announced in the records: no reply in time");
        return;
    };
    let instances = written.len();
    let written = written.into_iter().filter(|written| *written).count();
    debug!(written, instances, "leave announced in the records");
    if written > 0 {
        sleep_until(deadline.min(Instant::now() + settle / NOTICE_SHARE)).await;
    }
}

/// Updates a record, and waits until it is written. Returns whether it is: not while the znode is not registered.
async fn say_draining(registration: &Registration, instance: Instance) -> bool {
    let mut statuses = registration.statuses();
    if !statuses.borrow_and_update().is_registered() {
        return false;
    }
    if let Err(error) = registration.update(instance) {
        debug!(%error, path = %registration.path(), "leave not announced in the record");
        return false;
    }
    // The link may go down, and the update may be refused.
    let lost = async { statuses.wait_for(|status| !status.is_registered()).await.map(drop) };
    tokio::select! {
        biased;
        updated = registration.updated() => updated.is_ok(),
        _ = lost => false,
    }
}

/// Deregisters everything, and waits for ZooKeeper to confirm, for a second at most.
pub(super) async fn deregister(registrar: &Registrar) -> Result<(), ShutdownError> {
    let confirmed = registrar.shutdown(DEREGISTER_TIMEOUT).await;
    confirmed.inspect_err(|error| warn!(%error, "deregistration not confirmed"))
}

/// Serves on for a while.
pub(super) async fn settle(instances: usize, settle: Duration) {
    info!(instances, ?settle, "settling: serving on while callers learn of the deregistration");
    sleep(settle).await;
}
