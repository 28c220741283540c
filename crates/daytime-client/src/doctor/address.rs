//! Does somebody accept connections at an address?

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::timeout;

use super::report::{Begun, Step};

const DEADLINE: Duration = Duration::from_secs(2);

/// Connects, and hangs up; returns the address if that went well.
pub(super) async fn connect(address: SocketAddr) -> (Step, Option<SocketAddr>) {
    let begun = Begun::new("connect", address);
    match timeout(DEADLINE, TcpStream::connect(address)).await {
        Ok(Ok(_)) => (begun.fine("accepts connections"), Some(address)),
        Ok(Err(error)) => {
            let hint = match error.kind() {
                io::ErrorKind::ConnectionRefused => format!(
                    "nobody listens at {address}: is ZooKeeper running there, and on this port? Where there is \
                     none, daytime-server --embedded runs one on a loopback address"
                ),
                _ => format!("there is no way from this machine to {address}: check routes and firewalls"),
            };
            (begun.failed(error.to_string(), hint), None)
        }
        Err(_) => {
            let hint =
                format!("nothing comes back from {address}: a firewall may drop it, or the host is down");
            (begun.failed(format!("no answer within {DEADLINE:?}"), hint), None)
        }
    }
}
