//! Does somebody accept connections at an address?

use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::timeout;

use super::cause::{Cause, unknown};
use super::report::{Begun, Step};

const DEADLINE: Duration = Duration::from_secs(2);

/// Connects, and hangs up; returns the address if that went well.
pub(super) async fn connect(address: SocketAddr) -> (Step, Option<SocketAddr>) {
    let begun = Begun::new("connect", address);
    match timeout(DEADLINE, TcpStream::connect(address)).await {
        Ok(Ok(_)) => (begun.fine("accepts connections"), Some(address)),
        Ok(Err(error)) => {
            let hint = match Cause::of(&error) {
                // Why it does so is the next step's question.
                Cause::Ended => return (begun.fine("accepts connections"), Some(address)),
                Cause::NobodyListens => format!(
                    "nobody listens at {address}: is ZooKeeper running there, and on this port? Where there is \
                     none, daytime-server --embedded runs one on a loopback address"
                ),
                cause => cause.hint(address).unwrap_or_else(unknown),
            };
            (begun.failed(error.to_string(), hint), None)
        }
        Err(_) => {
            let hint = Cause::Silence.hint(address).unwrap_or_else(unknown);
            (begun.failed(format!("no answer within {DEADLINE:?}"), hint), None)
        }
    }
}
