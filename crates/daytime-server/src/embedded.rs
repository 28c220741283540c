//! A ZooKeeper in this process, for a machine that has none.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::timeout;
use tracing::{info, warn};
use zk_embedded::{Server, Shutdown};

use crate::lookup;

/// How long somebody at the address may take to accept a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// How long the clients of other processes may take to be told of the end.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_millis(500);

/// Starts a ZooKeeper at the ensemble's address, if that is one loopback address and nobody answers there.
///
/// Losing the race for the address to another process is as good as finding somebody there. Takes three seconds at
/// most.
///
/// # Cancel safety
/// Dropping the future starts nothing.
pub(crate) async fn start_where_nobody_answers(ensemble: &zk_core::Config) -> Option<Server> {
    let address = match loopback(ensemble).await {
        Ok(address) => address,
        Err(reason) => {
            warn!(%reason, "no embedded ZooKeeper is started");
            return None;
        }
    };
    match timeout(CONNECT_TIMEOUT, TcpStream::connect(address)).await {
        Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused => {}
        Ok(Ok(_)) => {
            info!(%address, "somebody answers here: no embedded ZooKeeper is needed");
            return None;
        }
        // Somebody who is too busy to accept, or trouble of our own: neither says that nobody is there.
        Ok(Err(error)) => {
            warn!(%address, %error, "no embedded ZooKeeper is started: it cannot be told whether somebody answers here");
            return None;
        }
        Err(_) => {
            warn!(%address, "no embedded ZooKeeper is started: somebody is there, and does not accept");
            return None;
        }
    }
    match Server::builder().listen(address).start().await {
        Ok(server) => {
            warn!(
                %address,
                "nobody answered here: this process runs a ZooKeeper of its own, in memory; it forgets \
                 everything when this process ends"
            );
            Some(server)
        }
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            info!(%address, "another process was faster: its ZooKeeper is used");
            None
        }
        Err(error) => {
            warn!(%address, %error, "no embedded ZooKeeper could be started");
            None
        }
    }
}

async fn loopback(ensemble: &zk_core::Config) -> Result<SocketAddr, String> {
    let hosts = ensemble.hosts();
    if hosts.len() != 1 {
        return Err("there is more than one host".into());
    }
    let found = lookup::addresses(hosts).await.pop().unwrap_or_else(|| Ok(Vec::new()))?;
    let mut found =
        found.into_iter().map(|address| SocketAddr::new(address.ip().to_canonical(), address.port()));
    found.find(|address| address.ip().is_loopback()).ok_or_else(|| "the host is not this machine".into())
}

/// Stops it, as the last thing of all.
pub(crate) async fn stop(server: Option<Server>) {
    if let Some(server) = server {
        if timeout(SHUTDOWN_TIMEOUT, server.shutdown(Shutdown::CloseConnections)).await.is_err() {
            warn!("the embedded ZooKeeper was not done in time");
        }
        info!("the embedded ZooKeeper has stopped, and forgotten everything");
    }
}
