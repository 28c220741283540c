//! Resolves the names of an ensemble within a time limit.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use futures_util::stream::{FuturesOrdered, Stream};
use tokio::time::timeout;
use zk_core::ZkHost;

/// How long one name may take. The system's resolver waits half a minute for a name service that is away.
const LIMIT: Duration = Duration::from_secs(2);

/// The addresses of each host, in the order of the hosts, or why a host has none; all within two seconds.
///
/// # Cancel safety
/// Safe. A look-up that hangs does so on a thread of the runtime, which `shutdown_background` does not wait for.
pub(super) fn addresses(hosts: &[ZkHost]) -> impl Stream<Item = Result<Vec<SocketAddr>, String>> {
    addresses_by(hosts, async |host| Ok(tokio::net::lookup_host((host.name(), host.port())).await?.collect()))
}

fn addresses_by<'a, F>(
    hosts: &'a [ZkHost],
    resolve: impl Fn(&'a ZkHost) -> F,
) -> impl Stream<Item = Result<Vec<SocketAddr>, String>>
where
    F: Future<Output = io::Result<Vec<SocketAddr>>>,
{
    let one = |host| {
        let resolved = timeout(LIMIT, resolve(host));
        async move {
            match resolved.await {
                Ok(Ok(found)) => Ok(found),
                Ok(Err(error)) => Err(format!("{host}: {error}")),
                Err(_) => Err(format!("{host}: name not resolved within {LIMIT:?}")),
            }
        }
    };
    // At the same time: one slow name must not delay the others.
    hosts.iter().map(one).collect::<FuturesOrdered<_>>()
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use futures_util::StreamExt;
    use tokio::time::Instant;

    use super::*;

    async fn hanging(host: &ZkHost) -> io::Result<Vec<SocketAddr>> {
        match host.name().parse() {
            Ok(ip) => Ok(vec![SocketAddr::new(ip, host.port())]),
            Err(_) => std::future::pending().await,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn any_number_of_hanging_names_takes_two_seconds() {
        let ensemble = zk_core::ZkConfig::new("a:1,b:2,c:3,127.0.0.1:4").unwrap();
        let begun = Instant::now();
        let found: Vec<_> = addresses_by(ensemble.hosts(), hanging).collect().await;
        assert_eq!(begun.elapsed(), LIMIT);
        assert_eq!(found[3], Ok(vec![([127, 0, 0, 1], 4).into()]));
        for (host, found) in ensemble.hosts().iter().zip(&found[..3]) {
            assert!(found.as_ref().is_err_and(|cause| cause.contains(host.name())), "{found:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_name_that_hangs_does_not_delay_those_before_it() {
        let ensemble = zk_core::ZkConfig::new("127.0.0.1:4,a:1").unwrap();
        let begun = Instant::now();
        let mut found = pin!(addresses_by(ensemble.hosts(), hanging));
        assert_eq!(found.next().await, Some(Ok(vec![([127, 0, 0, 1], 4).into()])));
        assert_eq!(begun.elapsed(), Duration::ZERO);
    }

    #[tokio::test]
    async fn an_address_resolves_to_itself() {
        let ensemble = zk_core::ZkConfig::new("127.0.0.1:7").unwrap();
        let found: Vec<_> = addresses(ensemble.hosts()).collect().await;
        assert_eq!(found, [Ok(vec![([127, 0, 0, 1], 7).into()])]);
    }
}
