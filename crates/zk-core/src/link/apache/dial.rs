//! Finds a server that accepts connections.

use std::net::SocketAddr;
use std::sync::Mutex;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use rand::seq::SliceRandom;
use tokio::net::{TcpStream, lookup_host};
use tokio::time::{sleep, timeout};

use super::ConnectError;
use crate::config::Host;

/// How long one address may take to accept.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// How long one host name may take to be resolved.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(2);
/// The next address is tried when the one before has not answered for this long.
const STAGGER: Duration = Duration::from_millis(250);

/// Dials the hosts itself, because the client crate would hide the reason of a failure, would try a hung
/// server twice, and must not be started where there is no route (D3).
#[derive(Debug)]
pub(super) struct Dialer {
    hosts: Vec<Host>,
    /// Servers that failed us last, the latest at the end.
    suspects: Mutex<Vec<SocketAddr>>,
}

impl Dialer {
    pub(super) fn new(hosts: Vec<Host>) -> Self {
        Self { hosts, suspects: Mutex::default() }
    }

    /// Others are tried first, next time.
    pub(super) fn blame(&self, server: SocketAddr) {
        let mut suspects = self.suspects();
        suspects.retain(|suspect| *suspect != server);
        suspects.push(server);
    }

    pub(super) fn praise(&self, server: SocketAddr) {
        self.suspects().retain(|suspect| *suspect != server);
    }

    fn suspects(&self) -> std::sync::MutexGuard<'_, Vec<SocketAddr>> {
        self.suspects.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// The first server to accept, in random order, with those that failed last at the end. Names are
    /// looked up each time, so that a changed address is followed.
    pub(super) async fn dial(&self) -> Result<SocketAddr, ConnectError> {
        let mut causes = Vec::new();
        let mut servers = self.resolve(&mut causes).await;
        servers.shuffle(&mut rand::rng());
        {
            let mut suspects = self.suspects();
            // Addresses that no name leads to any more are forgotten.
            suspects.retain(|suspect| servers.contains(suspect));
            servers.sort_by_key(|server| suspects.iter().position(|suspect| suspect == server));
        }

        let mut attempts: FuturesUnordered<_> = servers
            .into_iter()
            .enumerate()
            .map(|(place, server)| async move {
                // A refusal of the one before does not shorten the wait: with a handful of servers
                // that is a quarter of a second at most, and the order stays simple.
                sleep(STAGGER * place as u32).await;
                match timeout(CONNECT_TIMEOUT, TcpStream::connect(server)).await {
                    Ok(Ok(_stream)) => Ok(server),
                    Ok(Err(error)) => Err(format!("{server}: {error}")),
                    Err(_) => Err(format!("{server}: no answer within {CONNECT_TIMEOUT:?}")),
                }
            })
            .collect();
        while let Some(outcome) = attempts.next().await {
            match outcome {
                Ok(server) => return Ok(server),
                Err(cause) => causes.push(cause),
            }
        }
        // In a fixed order: the same trouble is the same text.
        causes.sort();
        Err(ConnectError::Unreachable(causes))
    }

    async fn resolve(&self, causes: &mut Vec<String>) -> Vec<SocketAddr> {
        let mut lookups: FuturesUnordered<_> = self
            .hosts
            .iter()
            .map(|host| async move {
                match timeout(LOOKUP_TIMEOUT, lookup_host((host.name(), host.port()))).await {
                    Ok(Ok(found)) => Ok(found.collect::<Vec<_>>()),
                    Ok(Err(error)) => Err(format!("{host}: {error}")),
                    Err(_) => Err(format!("{host}: name not resolved within {LOOKUP_TIMEOUT:?}")),
                }
            })
            .collect();
        let mut servers = Vec::new();
        while let Some(found) = lookups.next().await {
            match found {
                Ok(found) => servers.extend(found),
                Err(cause) => causes.push(cause),
            }
        }
        servers.sort();
        servers.dedup();
        servers
    }
}
