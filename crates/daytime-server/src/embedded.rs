//! A ZooKeeper in this process, for a machine without one.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;
use tracing::{info, warn};
use zk_embedded::{Server, Shutdown};

/// How long the look-up of the address may take. The system's resolver waits half a minute for a name service that is away.
const LOOK_UP_TIMEOUT: Duration = Duration::from_secs(2);

/// How long a server at the address may take to accept a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// How long the shutdown may take to notify the clients of other processes.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_millis(500);

/// Starts a ZooKeeper at the ensemble's address, if that is one loopback address where no server listens. Uses the server
/// of another process that binds the address at the same time. Takes three seconds at most.
///
/// # Cancel safety
/// Dropping the future starts nothing.
pub(crate) async fn start_unless_served(ensemble: &zk_core::ZkConfig) -> Option<Server> {
    let address = match loopback(ensemble).await {
        Ok(address) => address,
        Err(reason) => {
            warn!(%reason, "embedded ZooKeeper not started");
            return None;
        }
    };
    match timeout(CONNECT_TIMEOUT, TcpStream::connect(address)).await {
        Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused => {}
        Ok(Ok(_)) => {
            info!(%address, "embedded ZooKeeper not needed: a server listens at this address");
            return None;
        }
        // A busy server, or a problem of this machine: neither means that no server is there.
        Ok(Err(error)) => {
            warn!(%address, %error, "embedded ZooKeeper not started: cannot find out whether a server listens at this address");
            return None;
        }
        Err(_) => {
            warn!(%address, timeout = ?CONNECT_TIMEOUT, "embedded ZooKeeper not started: connecting to this address timed out, so a server may be there");
            return None;
        }
    }
    match Server::builder().listen(address).start().await {
        Ok(server) => {
            warn!(
                %address,
                "embedded ZooKeeper started, as no server listened at this address; it is in memory and loses \
                 all data when this process ends"
            );
            Some(server)
        }
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            info!(%address, "embedded ZooKeeper not needed: another process has just bound this address");
            None
        }
        Err(error) => {
            warn!(%address, %error, "embedded ZooKeeper cannot start");
            None
        }
    }
}

async fn loopback(ensemble: &zk_core::ZkConfig) -> Result<SocketAddr, String> {
    let [host] = ensemble.hosts() else { return Err("there is more than one host".into()) };
    // A look-up that hangs does so on a thread of the runtime, which does not wait for it at its end.
    let found = match timeout(LOOK_UP_TIMEOUT, lookup_host((host.name(), host.port()))).await {
        Ok(Ok(found)) => found,
        Ok(Err(error)) => return Err(format!("{host}: {error}")),
        Err(_) => return Err(format!("{host}: name not resolved within {LOOK_UP_TIMEOUT:?}")),
    };
    let mut found = found.map(|address| SocketAddr::new(address.ip().to_canonical(), address.port()));
    found.find(|address| address.ip().is_loopback()).ok_or_else(|| "the host is not this machine".into())
}

/// Stops the embedded ZooKeeper, after everything else.
pub(crate) async fn stop(server: Option<Server>) {
    if let Some(server) = server {
        if timeout(SHUTDOWN_TIMEOUT, server.shutdown(Shutdown::CloseConnections)).await.is_err() {
            warn!(timeout = ?SHUTDOWN_TIMEOUT, "embedded ZooKeeper stopped without notifying all clients");
        } else {
            info!("embedded ZooKeeper stopped");
        }
    }
}
