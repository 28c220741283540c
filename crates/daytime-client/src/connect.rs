//! One attempt: a call of one server.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use balance::{Classify, Failure};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use instance::{Endpoint, Host};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout_at};

use crate::resolver::Resolver;

/// The longest answer that is read, in bytes. A daytime line is much shorter.
const LONGEST: u64 = 4 * 1024;

/// How many addresses of one name are tried.
const MAX_ADDRESSES: usize = 8;

/// Why one attempt failed. The message includes the cause, so there is no `source`.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AttemptError {
    /// The server's name could not be resolved.
    #[error("cannot resolve the name: {0}")]
    Resolve(io::Error),
    /// The server could not be connected to.
    #[error("cannot connect: {0}")]
    Connect(io::Error),
    /// The server did not accept in time.
    #[error("no connection within {0:?}")]
    ConnectTimeout(Duration),
    /// The connection broke while the answer was read.
    #[error("connection broke: {0}")]
    Read(io::Error),
    /// The answer is no daytime line.
    #[error("invalid answer: {0}")]
    Answer(InvalidAnswer),
}

/// Why an answer is invalid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum InvalidAnswer {
    Empty,
    TooLong,
    NotText,
    ManyLines,
}

impl fmt::Display for InvalidAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "it is empty",
            Self::TooLong => "it is longer than 4 KiB",
            Self::NotText => "it is not printable text",
            Self::ManyLines => "it has more than one line",
        })
    }
}

impl Classify for AttemptError {
    fn failure(&self) -> Option<Failure> {
        match self {
            // An error of this machine (no file descriptor, no name service) is no failure of the server.
            Self::Connect(error) | Self::Read(error) => error.failure(),
            // Only this name may be wrong. If no name can be resolved, all such servers look bad, and are tried all the same.
            Self::Resolve(_) | Self::ConnectTimeout(_) => Some(Failure::Unreachable),
            Self::Answer(_) => Some(Failure::Incomplete),
        }
    }
}

impl AttemptError {
    /// Whether the connection was refused: no process listens there.
    pub(crate) fn is_refused(&self) -> bool {
        self.failure() == Some(Failure::Refused)
    }
}

/// Connects, sends nothing, and reads to the end, as RFC 867 says. Accepts the line with or without its line end.
///
/// Resolving a name and connecting share the time for connecting.
pub(crate) async fn request(
    resolver: &Resolver,
    endpoint: &Endpoint,
    connect_timeout: Duration,
) -> Result<String, AttemptError> {
    let deadline = Instant::now() + connect_timeout;
    let resolved = async {
        match endpoint.host() {
            Host::Name(name) => resolver.resolve(name.as_str()).await,
            Host::V4(ip) => Ok([((*ip), 0).into()].into()),
            Host::V6(ip) => Ok([((*ip), 0).into()].into()),
        }
    };
    let addresses = timeout_at(deadline, resolved).await.unwrap_or_else(|_| {
        Err(io::Error::new(io::ErrorKind::TimedOut, format!("no answer within {connect_timeout:?}")))
    });
    let addresses = addresses.map_err(AttemptError::Resolve)?;
    let connecting = connect(&addresses, endpoint.port(), deadline - Instant::now());
    let stream = match timeout_at(deadline, connecting).await {
        Ok(connected) => connected.map_err(AttemptError::Connect)?,
        Err(_) => return Err(AttemptError::ConnectTimeout(connect_timeout)),
    };
    let mut answer = Vec::new();
    stream.take(LONGEST + 1).read_to_end(&mut answer).await.map_err(AttemptError::Read)?;
    line(answer).map_err(AttemptError::Answer)
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

fn line(answer: Vec<u8>) -> Result<String, InvalidAnswer> {
    if answer.len() as u64 > LONGEST {
        return Err(InvalidAnswer::TooLong);
    }
    let text = String::from_utf8(answer).map_err(|_| InvalidAnswer::NotText)?;
    let line = text.strip_suffix('\n').unwrap_or(&text);
    let line = line.strip_suffix('\r').unwrap_or(line);
    match line {
        "" => Err(InvalidAnswer::Empty),
        _ if line.contains('\n') => Err(InvalidAnswer::ManyLines),
        // Another program wrote the line, and a terminal shows it.
        _ if line.chars().any(char::is_control) => Err(InvalidAnswer::NotText),
        _ => Ok(line.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::timeout;

    use super::*;

    #[test]
    fn an_attempt_error_names_its_cause_once() {
        let refused = || io::Error::from(io::ErrorKind::ConnectionRefused);
        for error in [AttemptError::Connect(refused()), AttemptError::Read(refused())] {
            let text = daytime_config::error_chain(&error);
            assert_eq!(text.matches(&refused().to_string()).count(), 1, "{text}");
        }
    }

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
    }

    #[test]
    fn an_answer_is_one_line_with_or_without_line_end() {
        for text in ["time", "time\n", "time\r\n"] {
            assert_eq!(line(text.into()), Ok("time".into()), "{text:?}");
        }
    }

    #[test]
    fn an_answer_that_is_no_line_is_refused() {
        assert_eq!(line(vec![]), Err(InvalidAnswer::Empty));
        assert_eq!(line(b"\r\n".to_vec()), Err(InvalidAnswer::Empty));
        assert_eq!(line(vec![b'x'; 4097]), Err(InvalidAnswer::TooLong));
        assert_eq!(line(vec![0xff]), Err(InvalidAnswer::NotText));
        assert_eq!(line(b"a\x1b[2Jb".to_vec()), Err(InvalidAnswer::NotText));
        assert_eq!(line(b"a\nb\n".to_vec()), Err(InvalidAnswer::ManyLines));
    }
}
