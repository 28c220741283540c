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
            Ok(servers) => {
                for server in in_order(servers) {
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

/// The addresses of a name, in an order that does not change with each answer, as name services shuffle them: a restart is to
/// find the same route. Which family comes first is decided by the resolver, which knows what this machine can reach.
fn in_order(mut servers: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let first = servers.first().map(SocketAddr::is_ipv4);
    servers.sort_unstable_by_key(|server| (Some(server.is_ipv4()) != first, *server));
    servers
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

    #[test]
    fn the_order_of_a_shuffled_answer_is_always_the_same() {
        let order = |texts: &[&str]| in_order(texts.iter().map(|text| text.parse().unwrap()).collect());
        let expected = ["[::1]:1", "[::2]:1", "10.0.0.1:1", "10.0.0.2:1"].map(|text| text.parse().unwrap());
        assert_eq!(order(&["[::2]:1", "[::1]:1", "10.0.0.2:1", "10.0.0.1:1"]), expected);
        assert_eq!(order(&["[::1]:1", "10.0.0.1:1", "10.0.0.2:1", "[::2]:1"]), expected);
        assert_eq!(order(&["10.0.0.1:1", "[::1]:1"])[0], "10.0.0.1:1".parse().unwrap());
    }

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
