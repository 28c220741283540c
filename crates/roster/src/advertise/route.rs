//! Our address on the route to the ensemble.

use std::net::{IpAddr, SocketAddr};
use std::pin::pin;

use futures_util::StreamExt;
use tokio::net::UdpSocket;
use zk_core::ZkHost;

use super::callable;
use super::error::AdvertiseError;
use super::resolve;

/// Our address on the route to the first host, in the order of the list, that has a route; or why none has. Connecting a
/// UDP socket asks the kernel for the route, and sends nothing. Takes two seconds at most: the time for names.
pub(super) async fn to_any(listen: IpAddr, ensemble: &[ZkHost]) -> Result<IpAddr, AdvertiseError> {
    let mut causes = Vec::new();
    let mut hosts = pin!(resolve::addresses(ensemble));
    while let Some(found) = hosts.next().await {
        match found {
            Ok(mut servers) => {
                // Name services shuffle their answers; a restart is to find the same route. Which family comes first is decided
                // by the resolver, which knows what this machine can reach.
                let family = servers.first().map(SocketAddr::is_ipv4);
                servers.sort_by_key(|server| (Some(server.is_ipv4()) != family, *server));
                for server in servers {
                    match route(listen, server).await {
                        Ok(address) => match callable::reason_against(address) {
                            None => return Ok(address),
                            Some(reason) => {
                                causes.push(format!("{server}: our address is {address}, {reason}"))
                            }
                        },
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
    Err(AdvertiseError::NoRoute { causes: causes.join("; ") })
}

async fn route(listen: IpAddr, server: SocketAddr) -> std::io::Result<IpAddr> {
    // The route to an IPv4 address mapped into IPv6 is an IPv4 route.
    let server = match server {
        SocketAddr::V6(v6) => match v6.ip().to_ipv4_mapped() {
            Some(ip) => SocketAddr::new(ip.into(), v6.port()),
            None => server,
        },
        SocketAddr::V4(_) => server,
    };
    if listen.is_ipv4() && server.is_ipv6() {
        return Err(std::io::Error::other("an IPv6 address, but this service listens on IPv4"));
    }
    let any: SocketAddr = if server.is_ipv4() { ([0, 0, 0, 0], 0).into() } else { ([0u16; 8], 0).into() };
    let socket = UdpSocket::bind(any).await?;
    socket.connect(server).await?;
    Ok(socket.local_addr()?.ip())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_route_to_an_ipv4_address_mapped_into_ipv6_is_an_ipv4_route() {
        let server = "[::ffff:127.0.0.1]:2181".parse().unwrap();
        assert_eq!(route(IpAddr::from([0u16; 8]), server).await.unwrap(), IpAddr::from([127, 0, 0, 1]));
    }

    #[tokio::test]
    async fn a_host_without_a_route_is_passed_over_and_named_if_none_has_one() {
        let any = "0.0.0.0".parse().unwrap();
        let hosts = |text: &str| zk_core::ZkConfig::new(text).unwrap().hosts().to_vec();
        let ours = to_any(any, &hosts("[::1]:2181,127.0.0.1:2181")).await;
        assert_eq!(ours, Ok(IpAddr::from([127, 0, 0, 1])));
        let text = to_any(any, &hosts("[::1]:2181,[::2]:2181")).await.unwrap_err().to_string();
        assert!(text.contains("[::1]:2181") && text.contains("[::2]:2181"), "{text}");
        assert!(to_any(any, &[]).await.unwrap_err().to_string().contains("no hosts"));
    }
}
