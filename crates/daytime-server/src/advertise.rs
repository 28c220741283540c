//! The address that the instances register.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use instance::Host;
use tokio::net::UdpSocket;
use tokio::time::sleep;
use tracing::{info, warn};

use crate::lookup;

/// The time between two attempts to find an address.
const PAUSE: Duration = Duration::from_secs(1);

/// The host to register: the configured one; or the listen address; or, where that is unspecified (`0.0.0.0`, `::`), our
/// address on the route to ZooKeeper. Waits until there is such an address; each attempt takes two seconds at most.
///
/// # Cancel safety
/// Safe.
pub(crate) async fn advertised(
    configured: Option<Host>,
    listen: IpAddr,
    ensemble: &[zk_core::ZkHost],
) -> Host {
    if let Some(configured) = configured {
        return configured;
    }
    // `::ffff:0.0.0.0` is `0.0.0.0` mapped into IPv6.
    let listen = listen.to_canonical();
    if !listen.is_unspecified() {
        return listen.into();
    }
    let mut logged = String::new();
    loop {
        match route_to_any(listen, ensemble).await {
            Ok(address) => {
                if address.is_loopback() {
                    warn!(
                        %address,
                        "advertised address is a loopback address: only clients on this machine can call it"
                    );
                } else {
                    info!(%address, "advertised address found: the one on the route to ZooKeeper");
                }
                return address.into();
            }
            Err(cause) => {
                if logged != cause {
                    warn!(%cause, "no address to advertise yet, retrying; --advertise sets one");
                }
                logged = cause;
                sleep(PAUSE).await;
            }
        }
    }
}

/// Our address on the route to the first host, in the order of the list, that has a route; or why none has. Connecting a
/// UDP socket asks the kernel for the route, and sends nothing.
async fn route_to_any(listen: IpAddr, ensemble: &[zk_core::ZkHost]) -> Result<IpAddr, String> {
    let mut causes = Vec::new();
    for found in lookup::addresses(ensemble).await {
        match found {
            Ok(servers) => {
                for server in servers {
                    match route(listen, server).await {
                        Ok(address) => return Ok(address),
                        Err(error) => causes.push(format!("{server}: {error}")),
                    }
                }
            }
            Err(cause) => causes.push(cause),
        }
    }
    if causes.is_empty() {
        causes.push("the ensemble has no hosts".into());
    }
    Err(causes.join("; "))
}

async fn route(listen: IpAddr, server: SocketAddr) -> std::io::Result<IpAddr> {
    // The route to an IPv4 address mapped into IPv6 is an IPv4 route.
    let server = SocketAddr::new(server.ip().to_canonical(), server.port());
    if listen.is_ipv4() && server.is_ipv6() {
        return Err(std::io::Error::other("an IPv6 address, but this server listens on IPv4"));
    }
    let any: SocketAddr = if server.is_ipv4() { ([0, 0, 0, 0], 0).into() } else { ([0u16; 8], 0).into() };
    let socket = UdpSocket::bind(any).await?;
    socket.connect(server).await?;
    Ok(socket.local_addr()?.ip())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts(text: &str) -> Vec<zk_core::ZkHost> {
        zk_core::ZkConfig::new(text).unwrap().hosts().to_vec()
    }

    #[tokio::test]
    async fn an_unspecified_address_is_replaced_by_the_one_on_the_route() {
        let any = "0.0.0.0".parse().unwrap();
        let host = advertised(None, any, &hosts("127.0.0.1:2181")).await;
        assert_eq!(host, Host::from("127.0.0.1".parse::<IpAddr>().unwrap()));
    }

    #[tokio::test]
    async fn an_ipv4_address_mapped_into_ipv6_is_ipv4() {
        let any = "::ffff:0.0.0.0".parse().unwrap();
        let ours = Host::from("127.0.0.1".parse::<IpAddr>().unwrap());
        assert_eq!(advertised(None, any, &hosts("127.0.0.1:2181")).await, ours);
        let server = "[::ffff:127.0.0.1]:2181".parse().unwrap();
        assert_eq!(route(IpAddr::from([0u16; 8]), server).await.unwrap(), IpAddr::from([127, 0, 0, 1]));
    }

    #[tokio::test]
    async fn a_configured_host_or_a_listen_address_needs_no_route() {
        let configured = Host::from("10.1.2.3".parse::<IpAddr>().unwrap());
        let any = "0.0.0.0".parse().unwrap();
        assert_eq!(advertised(Some(configured.clone()), any, &[]).await, configured);
        let listen: IpAddr = "127.0.0.2".parse().unwrap();
        assert_eq!(advertised(None, listen, &[]).await, Host::from(listen));
    }
}
