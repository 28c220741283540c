//! The step `connect`: does an address accept connections?

use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::timeout;

use super::cause::{Cause, unknown};
use super::report::{Begun, Step};

const DEADLINE: Duration = Duration::from_secs(2);

/// Connects and closes; returns the address on success.
pub(super) async fn connect(address: SocketAddr) -> (Step, Option<SocketAddr>) {
    let begun = Begun::new("connect", address);
    match timeout(DEADLINE, TcpStream::connect(address)).await {
        Ok(Ok(_)) => (begun.fine("accepts connections"), Some(address)),
        Ok(Err(error)) => {
            let hint = match Cause::of(&error) {
                // The next step finds out why.
                Cause::Ended => return (begun.fine("accepts connections"), Some(address)),
                Cause::NobodyListens => format!(
                    "nobody listens at {address}: is ZooKeeper running there, and on this port? Without a \
                     ZooKeeper, daytime-server --embedded runs one on a loopback address"
                ),
                cause => cause.hint(address).unwrap_or_else(unknown),
            };
            (begun.failed(error.to_string(), hint), None)
        }
        Err(_) => {
            let hint = Cause::Silence.hint(address).unwrap_or_else(unknown);
            (begun.failed(format!("no connection within {DEADLINE:?}"), hint), None)
        }
    }
}
