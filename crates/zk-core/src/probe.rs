//! Asks one address whether a ZooKeeper serves there, without a session.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use zk_wire::{ConnectRequest, ConnectResponse, Frames};

/// For the connect exchange.
const EXCHANGE_TIMEOUT: Duration = Duration::from_secs(3);
/// For each further connection: `srvr`, to which a server need not reply, and the check for an end without a request.
const EXTRA_TIMEOUT: Duration = Duration::from_secs(1);
/// The most that is read of the reply to `srvr`, in bytes.
const SRVR_LIMIT: u64 = 16 * 1024;
/// The most that is kept of a version or a mode, in characters.
const WORD_LIMIT: usize = 40;
/// The length of a connect response: protocol, timeout, session, password; and, since 3.4, the read-only flag.
const RESPONSE: std::ops::RangeInclusive<usize> = 36..=37;

/// A ZooKeeper server, as [`probe`] found it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Probe {
    /// What it does for clients.
    pub availability: Availability,
    /// The release, such as `3.8.0`, if the server replies to `srvr`.
    pub version: Option<String>,
    /// `standalone`, `leader`, `follower`, `observer` or `read-only`, if the server replies to `srvr`.
    pub mode: Option<String>,
}

/// What a ZooKeeper server does for clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Availability {
    /// It opens sessions, and serves reads and writes.
    Full,
    /// It has lost the majority of its ensemble, and serves reads only.
    ReadOnly,
    /// It runs, belongs to no quorum, and serves nobody.
    NotServing,
}

/// Why an address is not known to be a ZooKeeper.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProbeError {
    /// The connection cannot be made, or breaks.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The address accepts connections and sends nothing for as long.
    #[error("no reply within {0:?}")]
    Timeout(Duration),
    /// The address ends connections before anything is asked: a ZooKeeper at its limit of connections does
    /// (`maxClientCnxns`, `maxCnxns`).
    #[error("accepted the connection and ended it at once")]
    EndedAtOnce,
    /// The address ends the connection when it is asked: a ZooKeeper without a quorum that does not reply to `srvr`, one
    /// that expects TLS, or no ZooKeeper.
    #[error("closed the connection instead of a reply")]
    ClosedOnRequest,
    /// Something else than a ZooKeeper replied.
    #[error("replied, but not as a ZooKeeper does")]
    NotZooKeeper,
}

/// Asks an address whether a ZooKeeper serves there, and which one.
///
/// It sends a connect request that asks to resume a session which no ensemble has (id 1, a password of zeros). Every
/// ZooKeeper refuses that, so no session is opened and nothing is left behind; the refusal says whether the server is
/// read-only. Version and mode come from the four-letter word `srvr`, on a second connection; both are `None` where the
/// server does not allow the word (`4lw.commands.whitelist`). They hold printable ASCII only, up to 40 characters.
///
/// The connections are not encrypted: a port that expects TLS is [`ProbeError::ClosedOnRequest`].
///
/// # Bounds
/// At most 5 s (3 s for the exchange, 1 s for `srvr`, 1 s to see whether connections end unasked), at most three
/// connections, one after the other, and at most 17 KiB in memory.
///
/// # Errors
/// [`ProbeError`], if the address is not known to be a ZooKeeper.
///
/// # Cancel safety
/// Dropping the future closes the connection, and has no other effect.
///
/// # Examples
/// ```no_run
/// # async fn example() -> Result<(), zk_core::ProbeError> {
/// use zk_core::{Availability, probe};
///
/// let found = probe("127.0.0.1:2181".parse().expect("an address")).await?;
/// if found.availability == Availability::Full {
///     println!("ZooKeeper {} serves", found.version.as_deref().unwrap_or("of an unknown version"));
/// }
/// # Ok(())
/// # }
/// ```
pub async fn probe(address: SocketAddr) -> Result<Probe, ProbeError> {
    let reply = match timeout(EXCHANGE_TIMEOUT, exchange(address)).await {
        Ok(Err(error)) if is_end(&error) => Reply::Closed,
        Ok(reply) => reply?,
        Err(_) => return Err(ProbeError::Timeout(EXCHANGE_TIMEOUT)),
    };
    if reply == Reply::Foreign {
        return Err(ProbeError::NotZooKeeper);
    }
    let report = match timeout(EXTRA_TIMEOUT, srvr(address)).await {
        Ok(Ok(text)) => Report::read(&text),
        _ => Report::default(),
    };
    let availability = match reply {
        Reply::Refusal { read_only: false } => Availability::Full,
        Reply::Refusal { read_only: true } => Availability::ReadOnly,
        Reply::Closed if report.is_other_text => Availability::NotServing,
        Reply::Closed if ends_unasked(address).await => return Err(ProbeError::EndedAtOnce),
        Reply::Closed | Reply::Foreign => return Err(ProbeError::ClosedOnRequest),
    };
    Ok(Probe { availability, version: report.version, mode: report.mode })
}

/// What came back for the connect request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reply {
    Refusal { read_only: bool },
    Closed,
    Foreign,
}

async fn exchange(address: SocketAddr) -> io::Result<Reply> {
    let mut stream = TcpStream::connect(address).await?;
    let request = ConnectRequest { session_id: 1, read_only: Some(true), ..ConnectRequest::new(10_000) };
    stream.write_all(&request.encode()).await?;
    let mut frames = Frames::new(*RESPONSE.end());
    let mut part = [0; 64];
    loop {
        let length = match stream.read(&mut part).await {
            // What came before the end counts.
            Err(error) if is_end(&error) => 0,
            length => length?,
        };
        let is_empty = {
            let buffer = frames.buffer();
            buffer.extend_from_slice(&part[..length]);
            buffer.is_empty()
        };
        if let Some(reply) = read(&mut frames) {
            return Ok(reply);
        }
        if length == 0 {
            return Ok(if is_empty { Reply::Closed } else { Reply::Foreign });
        }
    }
}

/// Reads what has come so far; `None` if more is needed.
fn read(frames: &mut Frames) -> Option<Reply> {
    let announced = i32::from_be_bytes(frames.word()?);
    if !usize::try_from(announced).is_ok_and(|length| RESPONSE.contains(&length)) {
        return Some(Reply::Foreign);
    }
    let frame = frames.next().ok()??;
    Some(match ConnectResponse::decode(frame) {
        Ok(ConnectResponse { protocol_version: 0, timeout_ms: 0, session_id: 0, read_only, .. }) => {
            Reply::Refusal { read_only: read_only == Some(true) }
        }
        _ => Reply::Foreign,
    })
}

/// Whether the other side accepted the connection and ended it. A connect or a write, too, may fail by that.
fn is_end(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    matches!(error.kind(), ConnectionReset | ConnectionAborted | BrokenPipe | UnexpectedEof)
}

/// Whether a connection ends on which nothing is asked.
async fn ends_unasked(address: SocketAddr) -> bool {
    let wait = async { TcpStream::connect(address).await?.read(&mut [0]).await };
    match timeout(EXTRA_TIMEOUT, wait).await {
        Ok(Ok(length)) => length == 0,
        Ok(Err(error)) => is_end(&error),
        Err(_) => false,
    }
}

async fn srvr(address: SocketAddr) -> io::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(b"srvr").await?;
    let mut reply = Vec::new();
    // The server may reset the connection right behind its reply.
    let _ = stream.take(SRVR_LIMIT).read_to_end(&mut reply).await;
    Ok(String::from_utf8_lossy(&reply).into_owned())
}

/// The reply to `srvr`.
#[derive(Debug, Default, PartialEq, Eq)]
struct Report {
    version: Option<String>,
    mode: Option<String>,
    /// The reply is text, and no report: that of a ZooKeeper that does not serve, or does not allow the word.
    is_other_text: bool,
}

impl Report {
    fn read(reply: &str) -> Self {
        // It may be printed, and comes from somewhere else.
        let clean = |text: &str| {
            let word: String = text.chars().take_while(|c| c.is_ascii_graphic()).take(WORD_LIMIT).collect();
            Some(word).filter(|word| !word.is_empty())
        };
        let find = |prefix| reply.lines().find_map(|line| line.strip_prefix(prefix)).map(str::trim);
        let version = find("Zookeeper version:")
            .and_then(|version| clean(version.split(['-', ',']).next().unwrap_or_default()));
        let is_text = |c: char| !c.is_control() || c.is_ascii_whitespace();
        Self {
            is_other_text: version.is_none() && !reply.is_empty() && reply.chars().all(is_text),
            version,
            mode: find("Mode:").and_then(clean),
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    fn response(timeout_ms: i32, read_only: Option<bool>) -> Vec<u8> {
        let password = vec![0; 16];
        ConnectResponse { protocol_version: 0, timeout_ms, session_id: 0, password, read_only }.encode()
    }

    /// Lets a server send these bytes and close its end, and returns how the client reads them.
    async fn exchanged(bytes: &[u8]) -> Reply {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = exchange(listener.local_addr().unwrap());
        let server = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.write_all(bytes).await.unwrap();
            stream.shutdown().await.unwrap();
            let _ = stream.read_to_end(&mut Vec::new()).await;
        };
        tokio::join!(client, server).0.unwrap()
    }

    #[tokio::test]
    async fn only_a_refused_session_identifies_a_zookeeper() {
        for (bytes, reply) in [
            (response(0, Some(false)), Reply::Refusal { read_only: false }),
            (response(0, None), Reply::Refusal { read_only: false }),
            (response(0, Some(true)), Reply::Refusal { read_only: true }),
            (response(1, Some(false)), Reply::Foreign),
            (b"HTTP/1.1 400 Bad Request\r\n".to_vec(), Reply::Foreign),
            (b"SSH-2.0".to_vec(), Reply::Foreign),
            (b"x".to_vec(), Reply::Foreign),
            (vec![], Reply::Closed),
        ] {
            assert_eq!(exchanged(&bytes).await, reply, "{bytes:?}");
        }
    }

    #[test]
    fn a_response_without_its_end_is_waited_for() {
        let bytes = response(0, Some(false));
        for length in 0..bytes.len() {
            let mut frames = Frames::new(*RESPONSE.end());
            frames.buffer().extend(&bytes[..length]);
            assert_eq!(read(&mut frames), None, "{length} bytes");
        }
    }

    #[test]
    fn srvr_has_version_and_mode_or_neither() {
        let report =
            Report::read("Zookeeper version: 3.8.0-5a02a05, built on 2022\nLatency: 0\nMode: standalone\n");
        assert_eq!((report.version.as_deref(), report.mode.as_deref()), (Some("3.8.0"), Some("standalone")));
        assert!(!report.is_other_text);
        // Whatever the words: a server that does not allow the word, or has nothing to report.
        let refused = Report::read("srvr is not executed because it is not in the whitelist.\n");
        assert_eq!(refused, Report { is_other_text: true, ..Report::default() });
        assert!(Report::read("This ZooKeeper instance is not currently serving requests\n").is_other_text);
        // Nothing, and the alert of a server that expects TLS.
        assert!(!Report::read("").is_other_text && !Report::read("\x15\x03\x03\0\x02\x02P").is_other_text);
        assert_eq!(Report::read("Mode: \x1b[2J").mode, None);
    }
}
