//! Connects to an instance, within the time that there is for that.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use balance::{Classify, Failure};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use instance::{Endpoint, Host};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout_at};

use crate::client::Callee;
use crate::resolver::Resolver;

/// How many addresses of one name are tried.
const MAX_ADDRESSES: usize = 8;

/// A longer time counts as this one, as a clock ends somewhere.
const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// Why no connection was made. The message includes the cause, so there is no `source`.
///
/// Whatever the reason, nothing was sent: a call goes on elsewhere, idempotent or not. An error of this machine, such as too many
/// open files, is no failure of the instance ([`Classify`]). As an [`io::Error`] it keeps that meaning, but for the errors of this
/// machine: of those an `io::Error` does not tell that nothing was sent, so they end a call that is not idempotent.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DialError {
    /// The name of the host could not be resolved.
    #[error("cannot resolve the name: {0}")]
    Resolve(io::Error),
    /// No address could be connected to; the error is that of the last one that was tried.
    #[error("cannot connect: {0}")]
    Connect(io::Error),
    /// No address accepted in time.
    #[error("no connection within {0:?}")]
    Timeout(Duration),
}

impl Classify for DialError {
    fn failure(&self) -> Option<Failure> {
        match self {
            // Only this name may be wrong. If no name can be resolved, all such instances look bad, and are tried all the same.
            Self::Resolve(_) | Self::Timeout(_) => Some(Failure::Unreachable),
            Self::Connect(error) => match error.failure() {
                // Nothing was sent, whatever the system calls it.
                Some(Failure::Timeout | Failure::Reset) => Some(Failure::Unreachable),
                failure => failure,
            },
        }
    }

    fn had_no_effect(&self) -> bool {
        true
    }
}

impl From<DialError> for io::Error {
    fn from(error: DialError) -> Self {
        match error {
            DialError::Connect(cause) if error_means(&cause) => cause,
            other => Self::new(io::ErrorKind::HostUnreachable, other),
        }
    }
}

/// Whether the error of a connection means the same to a balancer without its context.
fn error_means(cause: &io::Error) -> bool {
    !matches!(cause.failure(), Some(Failure::Timeout | Failure::Reset))
}

/// Connects to the instance of an attempt, within its [`connect_timeout`](Callee::connect_timeout).
///
/// ```no_run
/// # async fn example(web: zk_roster::Client) -> Result<(), Box<dyn std::error::Error>> {
/// use tokio::io::AsyncReadExt;
///
/// let answer = web.call(|callee| async move {
///     let mut stream = zk_roster::dial(&callee).await?;
///     let mut answer = String::new();
///     stream.read_to_string(&mut answer).await?;
///     Ok::<_, std::io::Error>(answer)
/// });
/// println!("{}", answer.await?);
/// # Ok(())
/// # }
/// ```
///
/// A name is resolved by [`Resolver::shared`]. Of several addresses, eight at most are tried, one after the other; one that does
/// not answer gets its share of the time as a head start.
///
/// # Errors
/// A refused connection is `ConnectionRefused`. A name without an address, and a connection that takes too long, are
/// `HostUnreachable`: to a [balancer](Classify) this means that nothing was sent. The inner error is a [`DialError`] then.
///
/// # Cancel safety
/// Safe: the connection is dropped. A look-up goes on, on its thread.
pub async fn dial(callee: &Callee) -> io::Result<TcpStream> {
    Ok(dial_endpoint(callee.endpoint(), callee.connect_timeout()).await?)
}

/// As [`dial`], to any endpoint, within a time of its own.
///
/// # Errors
/// [`DialError`].
///
/// # Cancel safety
/// As [`dial`].
pub async fn dial_endpoint(endpoint: &Endpoint, within: Duration) -> Result<TcpStream, DialError> {
    let deadline = Instant::now() + within.min(LONGEST);
    let resolved = async {
        match endpoint.host() {
            Host::Name(name) => Resolver::shared().resolve(name.as_str()).await,
            Host::V4(ip) => Ok([((*ip), 0).into()].into()),
            Host::V6(ip) => Ok([((*ip), 0).into()].into()),
        }
    };
    let addresses = timeout_at(deadline, resolved).await.unwrap_or_else(|_| {
        Err(io::Error::new(io::ErrorKind::TimedOut, format!("no answer within {within:?}")))
    });
    let addresses = addresses.map_err(DialError::Resolve)?;
    let connecting = connect(&addresses, endpoint.port(), deadline - Instant::now());
    match timeout_at(deadline, connecting).await {
        Ok(connected) => connected.map_err(DialError::Connect),
        Err(_) => Err(DialError::Timeout(within)),
    }
}

/// Connects to the first of these addresses that accepts. One after the other, as most names have one that works; one that
/// is silent gets a head start only, or the others would never be tried within the time.
///
/// # Errors
/// That of the last attempt.
async fn connect(addresses: &[SocketAddr], port: u16, within: Duration) -> io::Result<TcpStream> {
    let mut waiting = addresses.iter().take(MAX_ADDRESSES);
    let head_start = within / u32::try_from(waiting.len().max(1)).unwrap_or(u32::MAX);
    let mut trying = FuturesUnordered::new();
    loop {
        if let Some(mut address) = waiting.next().copied() {
            address.set_port(port);
            trying.push(TcpStream::connect(address));
        }
        tokio::select! {
            biased;
            Some(connected) = trying.next() => match connected {
                Err(_) if waiting.len() + trying.len() > 0 => {}
                connected => return connected,
            },
            () = sleep(head_start), if waiting.len() > 0 => {}
            else => return Err(io::ErrorKind::AddrNotAvailable.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::timeout;

    use super::*;

    /// A listener, and at the same port of another address one whose queue is full: it answers no SYN.
    #[cfg(target_os = "linux")]
    async fn up_and_silent() -> (tokio::net::TcpListener, SocketAddr, impl Drop) {
        use tokio::net::{TcpListener, TcpSocket};
        let up = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let silent = SocketAddr::new([127, 0, 0, 2].into(), up.local_addr().unwrap().port());
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(silent).unwrap();
        let listener = socket.listen(1).unwrap();
        let mut queue = Vec::new();
        while let Ok(queued) = timeout(Duration::from_millis(200), TcpStream::connect(silent)).await {
            queue.push(queued.unwrap());
        }
        struct Keep(#[allow(dead_code, reason = "it is kept")] TcpListener, Vec<TcpStream>);
        impl Drop for Keep {
            fn drop(&mut self) {
                self.1.clear();
            }
        }
        (up, silent, Keep(listener, queue))
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn an_address_that_is_silent_or_refuses_leaves_time_for_the_next() {
        let (up, silent, _kept) = up_and_silent().await;
        let here = up.local_addr().unwrap();
        let nobody = SocketAddr::new([127, 0, 0, 3].into(), 0);
        for addresses in [&[silent, here][..], &[nobody, here], &[nobody, silent, nobody, here], &[here]] {
            let within = Duration::from_secs(5);
            let connected = timeout(within, connect(addresses, here.port(), within)).await;
            assert_eq!(connected.expect("in time").unwrap().peer_addr().unwrap(), here, "{addresses:?}");
        }
        let refused = connect(&[nobody, nobody], here.port(), Duration::from_secs(5)).await.unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
        assert!(connect(&[], here.port(), Duration::ZERO).await.is_err());
        let silent = Endpoint::try_from(silent).unwrap();
        let error = dial_endpoint(&silent, Duration::from_millis(50)).await.unwrap_err();
        assert!(matches!(error, DialError::Timeout(_)), "{error}");
        dial_endpoint(&Endpoint::try_from(here).unwrap(), Duration::MAX)
            .await
            .expect("a limit that never comes");
    }

    #[test]
    fn an_error_means_the_same_as_an_io_error_and_names_its_cause_once() {
        use io::ErrorKind as E;
        let connect = |kind: io::ErrorKind| DialError::Connect(kind.into());
        for (error, failure) in [
            (connect(E::ConnectionRefused), Some(Failure::Refused)),
            (connect(E::NetworkUnreachable), Some(Failure::Unreachable)),
            (connect(E::TimedOut), Some(Failure::Unreachable)),
            (connect(E::ConnectionReset), Some(Failure::Unreachable)),
            // Too many open files.
            (DialError::Connect(io::Error::from_raw_os_error(24)), None),
            (DialError::Resolve(E::TimedOut.into()), Some(Failure::Unreachable)),
            (DialError::Timeout(Duration::from_secs(1)), Some(Failure::Unreachable)),
        ] {
            assert_eq!(error.failure(), failure, "{error}");
            assert!(error.had_no_effect() && error.may_retry(), "{error}");
            let text = error.to_string();
            let error = io::Error::from(error);
            assert_eq!(error.failure(), failure, "{error}");
            assert!(text.contains(&error.to_string()), "{error}");
        }
    }
}
