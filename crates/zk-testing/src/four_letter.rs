use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// A healthy server replies within milliseconds; a stopped one never does.
const DEADLINE: Duration = Duration::from_secs(2);

/// Sends a server one of ZooKeeper's four letter words, such as `srvr`, and returns the whole reply.
///
/// # Errors
/// An I/O error if the port is closed, the connection breaks, or there is no reply within 2 s.
///
/// # Cancel safety
/// Dropping the future closes the connection and nothing else.
pub async fn four_letter_word(addr: SocketAddr, word: &str) -> io::Result<String> {
    send_word(addr, word, DEADLINE).await
}

pub(crate) async fn send_word(addr: SocketAddr, word: &str, deadline: Duration) -> io::Result<String> {
    let reply = timeout(deadline, async {
        let mut stream = TcpStream::connect(addr).await?;
        stream.write_all(word.as_bytes()).await?;
        let mut reply = Vec::new();
        match stream.read_to_end(&mut reply).await {
            // The server may reset the connection right behind its reply.
            Err(error) if reply.is_empty() => Err(error),
            _ => Ok(String::from_utf8_lossy(&reply).into_owned()),
        }
    });
    reply.await.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
}

/// The mode of a server that has no majority and serves reads.
pub(crate) const READ_ONLY: &str = "read-only";

/// The mode of a server; `None` while it serves no client.
pub(crate) async fn mode(addr: SocketAddr) -> Option<String> {
    let reply = send_word(addr, "srvr", Duration::from_millis(500)).await.ok()?;
    reply.lines().find_map(|line| line.strip_prefix("Mode: ")).map(|mode| mode.trim().to_owned())
}
