//! Dialling: finds a server that accepts connections.

use std::collections::{BTreeMap, VecDeque};
use std::future::Future;
use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;

use futures_util::stream::FuturesUnordered;
use futures_util::{Stream, StreamExt};
use parking_lot::Mutex;
use rand::seq::SliceRandom;
use tokio::net::{TcpStream, lookup_host};
use tokio::time::{Instant, sleep, timeout};

use crate::config::ZkHost;
use crate::transport::connect_error::ConnectError;

/// How long one address may take to accept a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// How long the resolution of one host name may take.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(2);
/// How long an address is dialled alone: the next one is dialled after that, or when the one before has failed.
const STAGGER: Duration = Duration::from_millis(250);
/// How long to wait for further names once one is resolved.
const PATIENCE: Duration = Duration::from_millis(250);

/// Dials the hosts before the client crate does: the crate hides the cause of a failure, tries a hung server twice, and
/// must not start without a route (D3).
#[derive(Debug)]
pub(super) struct Dialer {
    hosts: Vec<ZkHost>,
    /// Servers whose last connection failed, the latest failure at the end.
    suspects: Mutex<Vec<SocketAddr>>,
}

impl Dialer {
    pub(super) fn new(hosts: Vec<ZkHost>) -> Self {
        Self { hosts, suspects: Mutex::default() }
    }

    /// Moves a server to the end of the order of later dials.
    pub(super) fn record_failure(&self, server: SocketAddr) {
        let mut suspects = self.suspects.lock();
        suspects.retain(|suspect| *suspect != server);
        suspects.push(server);
    }

    /// Removes a server from the suspects.
    pub(super) fn record_success(&self, server: SocketAddr) {
        self.suspects.lock().retain(|suspect| *suspect != server);
    }

    /// Returns the first server that accepts, in random order, with those that failed last at the end. Resolves the
    /// names each time, so that the link follows a changed address; a slow resolution does not delay the other hosts.
    pub(super) async fn dial(&self) -> Result<Dialled, ConnectError> {
        let mut causes = Vec::new();
        let mut lookups: FuturesUnordered<_> = self.hosts.iter().map(lookup).collect();
        let mut servers = BTreeMap::new();
        let mut patience = pin!(sleep(PATIENCE));
        loop {
            tokio::select! {
                biased;
                found = lookups.next() => match found {
                    Some(Ok((host, addresses))) => note(&mut servers, host, addresses),
                    Some(Err(cause)) => causes.push(cause),
                    None => break,
                },
                () = &mut patience, if !servers.is_empty() => break,
            }
        }

        let order = self.in_order(&servers, lookups.is_empty());
        let late = lookups.map(|found| {
            found.map(|(host, addresses)| {
                let late = addresses.into_iter().filter(|address| !servers.contains_key(address));
                late.map(|address| Dialled { address, host: host.clone() }).collect()
            })
        });
        race(order, late, connect).await.map_err(|mut failed| {
            causes.append(&mut failed);
            // In a fixed order, so that the same failures make the same text.
            causes.sort();
            ConnectError::Unreachable(causes)
        })
    }

    fn in_order(&self, servers: &BTreeMap<SocketAddr, ZkHost>, all: bool) -> Vec<Dialled> {
        let found = servers.iter().map(|(address, host)| Dialled { address: *address, host: host.clone() });
        let mut order: Vec<_> = found.collect();
        order.shuffle(&mut rand::rng());
        let mut suspects = self.suspects.lock();
        if all {
            // Forgets addresses that no host resolves to any more.
            suspects.retain(|suspect| servers.contains_key(suspect));
        }
        order.sort_by_key(|server| suspects.iter().position(|suspect| *suspect == server.address));
        order
    }
}

/// A server that accepts connections, and its entry of the host list.
#[derive(Clone, Debug)]
pub(super) struct Dialled {
    pub(super) address: SocketAddr,
    // Only TLS needs the name.
    #[cfg_attr(not(feature = "tls"), expect(dead_code))]
    pub(super) host: ZkHost,
}

async fn lookup(host: &ZkHost) -> Result<(ZkHost, Vec<SocketAddr>), String> {
    match timeout(LOOKUP_TIMEOUT, lookup_host((host.name(), host.port()))).await {
        Ok(Ok(found)) => Ok((host.clone(), found.collect())),
        Ok(Err(error)) => Err(format!("{host}: {error}")),
        Err(_) => Err(format!("{host}: name not resolved within {LOOKUP_TIMEOUT:?}")),
    }
}

fn note(servers: &mut BTreeMap<SocketAddr, ZkHost>, host: ZkHost, addresses: Vec<SocketAddr>) {
    for address in addresses {
        servers.entry(address).or_insert_with(|| host.clone());
    }
}

/// Dials one server after another, and returns the first that accepts, or the cause of each failure. Dials the next
/// server when one has failed, and when the one before has not accepted for [`STAGGER`], as in RFC 8305, section 5.
/// `late` yields the servers whose names resolve late, which queue at the end, and the causes of failed resolutions.
async fn race<C: Future<Output = Result<Dialled, String>>>(
    servers: Vec<Dialled>,
    late: impl Stream<Item = Result<Vec<Dialled>, String>>,
    connect: impl Fn(Dialled) -> C,
) -> Result<Dialled, Vec<String>> {
    let mut waiting = VecDeque::from(servers);
    let mut late = pin!(late.fuse());
    let mut attempts = FuturesUnordered::new();
    let mut causes = Vec::new();
    let mut turn = pin!(sleep(Duration::ZERO));
    loop {
        tokio::select! {
            biased;
            Some(outcome) = attempts.next() => match outcome {
                Ok(server) => return Ok(server),
                Err(cause) => {
                    causes.push(cause);
                    turn.as_mut().reset(Instant::now());
                }
            },
            Some(found) = late.next() => match found {
                Ok(servers) => waiting.extend(servers),
                Err(cause) => causes.push(cause),
            },
            () = &mut turn, if !waiting.is_empty() => {
                attempts.extend(waiting.pop_front().map(&connect));
                turn.as_mut().reset(Instant::now() + STAGGER);
            }
            else => return Err(causes),
        }
    }
}

async fn connect(server: Dialled) -> Result<Dialled, String> {
    let address = server.address;
    match timeout(CONNECT_TIMEOUT, TcpStream::connect(address)).await {
        Ok(Ok(_stream)) => Ok(server),
        Ok(Err(error)) => Err(format!("{address}: {error}")),
        Err(_) => Err(format!("{address}: connection not accepted within {CONNECT_TIMEOUT:?}")),
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    async fn listeners() -> (Vec<TcpListener>, Vec<SocketAddr>, Dialer) {
        let mut listeners = Vec::new();
        for _ in 0..3 {
            listeners.push(TcpListener::bind("127.0.0.1:0").await.unwrap());
        }
        let addresses: Vec<_> = listeners.iter().map(|listener| listener.local_addr().unwrap()).collect();
        let hosts = addresses.iter().map(|address| ZkHost::parse(&address.to_string()).unwrap()).collect();
        (listeners, addresses, Dialer::new(hosts))
    }

    async fn dialled(dialer: &Dialer) -> SocketAddr {
        dialer.dial().await.unwrap().address
    }

    #[tokio::test]
    async fn a_server_that_failed_is_dialled_last_until_it_succeeds() {
        let (_listeners, addresses, dialer) = listeners().await;
        dialer.record_failure(addresses[0]);
        dialer.record_failure(addresses[1]);
        for _ in 0..20 {
            assert_eq!(dialled(&dialer).await, addresses[2], "the only server without a failure");
        }
        dialer.record_failure(addresses[2]);
        for _ in 0..20 {
            assert_eq!(dialled(&dialer).await, addresses[0], "the server with the oldest failure");
        }
        dialer.record_success(addresses[1]);
        for _ in 0..20 {
            assert_eq!(dialled(&dialer).await, addresses[1], "the server that succeeded again");
        }
    }

    #[tokio::test]
    async fn servers_without_a_failure_are_dialled_in_random_order() {
        let (_listeners, addresses, dialer) = listeners().await;
        let mut seen = Vec::new();
        for _ in 0..100 {
            seen.push(dialled(&dialer).await);
        }
        assert!(addresses.iter().all(|address| seen.contains(address)), "clients spread over all servers");
    }

    #[test]
    fn all_addresses_of_a_host_are_dialled() {
        let dialer = Dialer::new(Vec::new());
        let addresses: Vec<SocketAddr> =
            ["192.0.2.1:2181", "[2001:db8::1]:2181"].map(|text| text.parse().unwrap()).to_vec();
        let mut servers = BTreeMap::new();
        note(&mut servers, ZkHost::parse("zk").unwrap(), addresses.clone());
        let order = dialer.in_order(&servers, true);
        assert!(addresses.iter().all(|address| order.iter().any(|server| server.address == *address)));
    }

    /// A scripted dial; the port of the address selects the result.
    async fn scripted(server: Dialled) -> Result<Dialled, String> {
        match server.address.port() {
            // Refused at once.
            1 => Err(server.address.to_string()),
            // Silent.
            2 => std::future::pending().await,
            // Accepted after some time.
            _ => {
                sleep(Duration::from_millis(10)).await;
                Ok(server)
            }
        }
    }

    fn servers(ports: &[u16]) -> Vec<Dialled> {
        let host = ZkHost::parse("zk").unwrap();
        let server = |(last, port): (usize, &u16)| Dialled {
            address: SocketAddr::from(([10, 0, 0, last as u8], *port)),
            host: host.clone(),
        };
        ports.iter().enumerate().map(server).collect()
    }

    /// The time until a server accepts, in milliseconds.
    async fn reached(ports: &[u16], late: &[u16]) -> Option<u128> {
        let begun = Instant::now();
        let late = futures_util::stream::iter([Err("a name".into()), Ok(servers(late))]);
        let found = timeout(Duration::from_secs(60), race(servers(ports), late, scripted)).await.ok()?;
        found.is_ok_and(|server| server.address.port() == 3).then(|| begun.elapsed().as_millis())
    }

    #[tokio::test(start_paused = true)]
    async fn the_next_server_is_dialled_at_once_after_a_refusal_and_after_250_ms_of_silence() {
        assert_eq!(reached(&[1, 1, 1, 1, 3], &[]).await, Some(10));
        assert_eq!(reached(&[2, 2, 3], &[]).await, Some(2 * 250 + 10));
        assert_eq!(reached(&[2, 1, 1, 3], &[]).await, Some(250 + 10));
        assert_eq!(reached(&[3, 1], &[]).await, Some(10));
        assert_eq!(reached(&[1, 1], &[1, 3]).await, Some(10), "also for a name that resolved late");
        assert_eq!(reached(&[2], &[]).await, None);
    }

    #[tokio::test(start_paused = true)]
    async fn the_error_lists_every_cause_when_no_server_accepts() {
        let late = futures_util::stream::iter([Err("a name".into()), Ok(servers(&[1]))]);
        let causes = race(servers(&[1, 1]), late, scripted).await.unwrap_err();
        assert_eq!(causes.len(), 4, "{causes:?}");
        let none = race(Vec::new(), futures_util::stream::empty(), scripted).await.unwrap_err();
        assert!(none.is_empty());
    }
}
