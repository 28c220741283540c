//! The step `name`: does a host of the list have an address?

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::net::lookup_host;
use tokio::time::timeout;
use zk_core::ZkHost;

use super::report::{Begun, Step};

const DEADLINE: Duration = Duration::from_secs(5);

/// Resolves a host; returns its addresses, too.
pub(super) async fn resolve(host: &ZkHost) -> (Step, Vec<SocketAddr>) {
    let begun = Begun::new("name", host);
    let hint = || {
        format!(
            "check the spelling of {} in zookeeper.hosts, and the name service of this machine",
            host.name()
        )
    };
    let mut found: Vec<SocketAddr> = match timeout(DEADLINE, lookup_host((host.name(), host.port()))).await {
        Ok(Ok(found)) => found.collect(),
        Ok(Err(error)) => return (begun.failed(error.to_string(), hint()), Vec::new()),
        Err(_) => {
            return (begun.failed(format!("name not resolved within {DEADLINE:?}"), hint()), Vec::new());
        }
    };
    found.sort();
    found.dedup();
    if found.is_empty() {
        return (begun.failed("has no address", hint()), found);
    }
    if host.name().parse::<IpAddr>().is_ok() {
        return (begun.fine("is an address"), found);
    }
    let shown: Vec<_> = found.iter().map(|address| address.ip().to_string()).collect();
    (begun.fine(format!("is {}", shown.join(", "))), found)
}
