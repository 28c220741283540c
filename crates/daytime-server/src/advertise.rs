//! Under which address an instance is registered.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use instance::Host;
use tokio::net::UdpSocket;
use tokio::time::sleep;
use tracing::{info, warn};

use crate::lookup;

const PAUSE: Duration = Duration::from_secs(1);

/// The host to register: what was asked for; or what is listened on; or, for an unspecified address
/// (`0.0.0.0`, `::`), our address on the route to the ensemble, which is waited for. Each try takes two seconds at
/// most.
///
/// # Cancel safety
/// Safe.
pub(crate) async fn advertised(wanted: Option<Host>, listen: IpAddr, ensemble: &[zk_core::Host]) -> Host {
    if let Some(wanted) = wanted {
        return wanted;
    }
    // `::ffff:0.0.0.0` is all of IPv4, written as IPv6.
    let listen = listen.to_canonical();
    if !listen.is_unspecified() {
        return listen.into();
    }
    let mut known = String::new();
    loop {
        match towards(listen, ensemble).await {
            Ok(address) => {
                info!(%address, "advertising our address on the route to the ensemble");
                if address.is_loopback() {
                    warn!(%address, "the advertised address is a loopback one: only this machine can use it");
                }
                return address.into();
            }
            Err(cause) => {
                if known != cause {
                    warn!(%cause, "no address to advertise yet; --advertise sets one");
                }
                known = cause;
                sleep(PAUSE).await;
            }
        }
    }
}

/// Our address on the way to the first host, in the order of the list, that has one; else why there is none. Connecting
/// a UDP socket asks the kernel for the route, and sends nothing.
async fn towards(listen: IpAddr, ensemble: &[zk_core::Host]) -> Result<IpAddr, String> {
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
    // An IPv4 address that is written as IPv6 is reached, and left, by IPv4.
    let server = SocketAddr::new(server.ip().to_canonical(), server.port());
    if listen.is_ipv4() && server.is_ipv6() {
        return Err(std::io::Error::other("is IPv6, and we listen on IPv4"));
    }
    let any: SocketAddr = if server.is_ipv4() { ([0, 0, 0, 0], 0).into() } else { ([0u16; 8], 0).into() };
    let socket = UdpSocket::bind(any).await?;
    socket.connect(server).await?;
    Ok(socket.local_addr()?.ip())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts(text: &str) -> Vec<zk_core::Host> {
        zk_core::Config::new(text).unwrap().hosts().to_vec()
    }

    #[tokio::test]
    async fn an_unspecified_address_is_replaced_by_the_one_on_the_route() {
        let any = "0.0.0.0".parse().unwrap();
        let host = advertised(None, any, &hosts("127.0.0.1:2181")).await;
        assert_eq!(host, Host::from("127.0.0.1".parse::<IpAddr>().unwrap()));
    }

    #[tokio::test]
    async fn ipv4_written_as_ipv6_is_ipv4() {
        let any = "::ffff:0.0.0.0".parse().unwrap();
        let ours = Host::from("127.0.0.1".parse::<IpAddr>().unwrap());
        assert_eq!(advertised(None, any, &hosts("127.0.0.1:2181")).await, ours);
        let server = "[::ffff:127.0.0.1]:2181".parse().unwrap();
        assert_eq!(route(IpAddr::from([0u16; 8]), server).await.unwrap(), IpAddr::from([127, 0, 0, 1]));
    }

    #[tokio::test]
    async fn what_is_asked_for_or_listened_on_needs_no_route() {
        let wanted = Host::from("10.1.2.3".parse::<IpAddr>().unwrap());
        let any = "0.0.0.0".parse().unwrap();
        assert_eq!(advertised(Some(wanted.clone()), any, &[]).await, wanted);
        let listen: IpAddr = "127.0.0.2".parse().unwrap();
        assert_eq!(advertised(None, listen, &[]).await, Host::from(listen));
    }
}
