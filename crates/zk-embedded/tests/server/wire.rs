//! A connection of bytes, for what a proper client does not do.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Longer than anything here takes.
pub(crate) const SOON: Duration = Duration::from_secs(10);

/// A connection to the server.
#[derive(Debug)]
pub(crate) struct Wire(pub(crate) TcpStream);

impl Wire {
    pub(crate) async fn open(addr: SocketAddr) -> Self {
        Self(TcpStream::connect(addr).await.expect("somebody listens"))
    }

    /// Opens a connection with a session.
    pub(crate) async fn connected(addr: SocketAddr) -> Self {
        let mut wire = Self::open(addr).await;
        wire.send(&frame(&connect())).await;
        let answer = wire.frame().await.expect("a session is granted");
        assert_eq!(answer.len(), 37);
        wire
    }

    pub(crate) async fn send(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).await.expect("the connection stands");
    }

    /// Reads a frame, without its length; `None` at the end.
    pub(crate) async fn frame(&mut self) -> Option<Vec<u8>> {
        let read = async {
            let length = self.0.read_i32().await?;
            let mut frame = vec![0; usize::try_from(length).expect("a length")];
            self.0.read_exact(&mut frame).await?;
            io::Result::Ok(frame)
        };
        timeout(SOON, read).await.expect("an answer or the end").ok()
    }

    /// Waits for the end, and returns how many bytes came before.
    pub(crate) async fn end(&mut self) -> usize {
        let mut rest = Vec::new();
        // A reset is an end, too.
        let _ = timeout(SOON, self.0.read_to_end(&mut rest)).await.expect("the server closes the connection");
        rest.len()
    }
}

/// Puts the length before a frame.
pub(crate) fn frame(body: &[u8]) -> Vec<u8> {
    let length = i32::try_from(body.len()).expect("a frame");
    [&length.to_be_bytes()[..], body].concat()
}

/// A connect request for a new session.
pub(crate) fn connect() -> Vec<u8> {
    let mut body = vec![0; 4 + 8];
    body.extend(10_000i32.to_be_bytes());
    body.extend([0; 8]);
    body.extend(16i32.to_be_bytes());
    body.extend([0; 16]);
    body.push(0);
    body
}

/// A request whose body is one path and what follows it.
pub(crate) fn request(xid: i32, op: i32, path: &str, rest: &[u8]) -> Vec<u8> {
    let length = i32::try_from(path.len()).expect("a path");
    let (xid, op, length) = (xid.to_be_bytes(), op.to_be_bytes(), length.to_be_bytes());
    frame(&[&xid[..], &op, &length, path.as_bytes(), rest].concat())
}

/// The error code in a reply.
pub(crate) fn code(reply: &[u8]) -> i32 {
    i32::from_be_bytes(*reply[12..].first_chunk().expect("a reply has a header"))
}
