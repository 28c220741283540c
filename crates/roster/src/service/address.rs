//! Where a service gets the addresses from that callers reach.

use std::net::IpAddr;

use instance::Host;
use tokio::sync::watch;
use zk_core::Zk;

use crate::advertise::tracker::AddressTracker;
use crate::advertise::{Advertise, AdvertiseError};

/// Where the addresses come from.
#[derive(Debug)]
pub(super) enum Source {
    /// They are looked up.
    Advertise(Advertise),
    /// The program finds them.
    Given(watch::Receiver<Option<Host>>),
}

/// The address that callers reach, of the listeners that are bound to one address.
#[derive(Clone, Debug)]
pub(super) struct Address {
    pub(super) host: watch::Receiver<Option<Host>>,
    /// Why it was not found the last time.
    pub(super) trouble: Option<watch::Receiver<Option<AdvertiseError>>>,
}

impl Source {
    /// Begins to follow the address of listeners that are bound to this one, until the tracker is dropped, if there is one.
    pub(super) fn follow(&self, zk: &Zk, bound: IpAddr) -> (Address, Option<AddressTracker>) {
        match self {
            Self::Advertise(advertise) => {
                let tracker = AddressTracker::start(zk, advertise.clone(), bound, zk.hosts().to_vec());
                (Address { host: tracker.hosts(), trouble: Some(tracker.troubles()) }, Some(tracker))
            }
            Self::Given(hosts) => (Address { host: hosts.clone(), trouble: None }, None),
        }
    }
}

/// Whether an address is this machine's. A name is nobody's: what it stands for is not known here. Where the system does not
/// say, it is.
pub(super) fn is_this_machines(host: &Host) -> bool {
    let Some(ip) = host.ip() else { return false };
    let is_listed = || if_addrs::get_if_addrs().map(|found| found.iter().any(|one| one.ip() == ip));
    ip.is_loopback() || is_listed().unwrap_or(true)
}
