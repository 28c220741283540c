use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// A healthy server answers within milliseconds; a stopped one never does.
const DEADLINE: Duration = Duration::from_secs(2);

/// Asks a server one of ZooKeeper's four letter words, such as `srvr`, and returns the whole answer.
///
/// # Errors
/// An I/O error if nobody listens, the connection breaks, or there is no answer within 2 s.
///
/// # Cancel safety
/// Dropping the future closes the connection and nothing else.
pub async fn four_letter_word(addr: SocketAddr, word: &str) -> io::Result<String> {
    ask(addr, word, DEADLINE).await
}

pub(crate) async fn ask(addr: SocketAddr, word: &str, deadline: Duration) -> io::Result<String> {
    let answer = timeout(deadline, async {
        let mut stream = TcpStream::connect(addr).await?;
        stream.write_all(word.as_bytes()).await?;
        let mut answer = Vec::new();
        match stream.read_to_end(&mut answer).await {
            // The server may reset the connection right behind its answer.
            Err(error) if answer.is_empty() => Err(error),
            _ => Ok(String::from_utf8_lossy(&answer).into_owned()),
        }
    });
    answer.await.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
}

/// The part of a server that has no majority and serves all the same.
pub(crate) const READ_ONLY: &str = "read-only";

/// Which part a server plays; `None` while it serves nobody.
pub(crate) async fn mode(addr: SocketAddr) -> Option<String> {
    let answer = ask(addr, "srvr", Duration::from_millis(500)).await.ok()?;
    answer.lines().find_map(|line| line.strip_prefix("Mode: ")).map(|mode| mode.trim().to_owned())
}
