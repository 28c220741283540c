//! Does a ZooKeeper reply at an address, and does it serve?

use std::net::SocketAddr;

use zk_core::{Availability, Probe, ProbeError, probe};

use super::cause::{Cause, unknown};
use super::report::{Begun, Step};

/// Probes an address; returns whether the server could grant a session. Where the link is encrypted that is left to the
/// session, for it alone has the certificates.
pub(super) async fn probe_server(address: SocketAddr, encrypted: bool) -> (Step, bool) {
    let begun = Begun::new("zookeeper", address);
    if encrypted {
        return (begun.fine("not probed, as TLS is on: the step `session` checks it"), true);
    }
    let error = match probe(address).await {
        Ok(found) => return serving(begun, address, &found),
        Err(error) => error,
    };
    let hint = match &error {
        ProbeError::Io(error) => Cause::of(error).hint(address).unwrap_or_else(unknown),
        ProbeError::Timeout(_) => format!(
            "{address} accepts connections and sends nothing: a hung or overloaded ZooKeeper, or another program"
        ),
        ProbeError::EndedAtOnce => format!(
            "{address} accepts connections and ends them before anything is asked. ZooKeeper does so where this \
             machine has as many as its maxClientCnxns allows (60 for each address, if it is not set), or all \
             machines have as many connections as maxCnxns allows; if another program listens there, see its log"
        ),
        ProbeError::ClosedOnRequest => format!(
            "possible causes: a ZooKeeper without a quorum, one that expects TLS on this port, or no ZooKeeper at \
             {address}"
        ),
        ProbeError::NotZooKeeper => {
            format!("something else listens at {address}: check host and port in zookeeper.hosts")
        }
        // Probes of a later version.
        _ => unknown(),
    };
    (begun.failed(error.to_string(), hint), false)
}

fn serving(begun: Begun, address: SocketAddr, found: &Probe) -> (Step, bool) {
    match found.availability {
        Availability::Full => (begun.fine(describe(found)), true),
        Availability::ReadOnly => {
            let hint = format!(
                "{address} has lost touch with the majority and serves readers only: look at the other servers"
            );
            (begun.failed("a ZooKeeper, but read-only at the moment", hint), false)
        }
        Availability::NotServing => {
            let hint = format!(
                "{address} is up but part of no quorum: are more than half of the ensemble's servers up, and do \
                 they reach each other?"
            );
            (begun.failed("a ZooKeeper, but it serves nobody at the moment", hint), false)
        }
    }
}

fn describe(found: &Probe) -> String {
    let version = found.version.as_ref().map_or_else(String::new, |version| format!(" {version}"));
    let mode = found.mode.as_ref().map_or_else(String::new, |mode| format!(", {mode}"));
    format!("a ZooKeeper{version}{mode}")
}
