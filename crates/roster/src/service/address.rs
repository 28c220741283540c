//! Where a service gets the addresses from that callers reach.

use std::net::IpAddr;

use instance::Host;
use tokio::sync::watch;

/// Publishes the address that callers reach, of a listener that is bound to this one.
pub(super) fn track(bound: IpAddr) -> watch::Receiver<Option<Host>> {
    let bound = bound.to_canonical();
    let host = if bound.is_unspecified() { IpAddr::from([127, 0, 0, 1]) } else { bound };
    watch::channel(Some(host.into())).1
}

/// Whether an address is this machine's. A name is nobody's: what it stands for is not known here. Where the system does not
/// say, it is.
pub(super) fn is_this_machines(host: &Host) -> bool {
    let Some(ip) = host.ip() else { return false };
    let is_listed = || if_addrs::get_if_addrs().map(|found| found.iter().any(|one| one.ip() == ip));
    ip.is_loopback() || is_listed().unwrap_or(true)
}
