//! A connection of bytes, for what a proper client does not do.

use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use zk_testing::SOON;
use zk_wire::{ConnectRequest, ConnectResponse, Framed, Reader, ReplyHeader, Request, Writer};

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
        wire.send(&connect()).await;
        let reply = wire.frame().await.expect("the server replies");
        assert!(!ConnectResponse::decode(&reply).expect("a connect response").is_refusal());
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
        timeout(SOON, read).await.expect("a frame or the end").ok()
    }

    /// Reads the header of the next reply.
    pub(crate) async fn header(&mut self) -> ReplyHeader {
        let frame = self.frame().await.expect("the server replies");
        ReplyHeader::read(&mut Reader::new(&frame)).expect("a header")
    }

    /// Waits for the end, and returns how many bytes came before.
    pub(crate) async fn end(&mut self) -> usize {
        let mut rest = Vec::new();
        // A reset is an end, too.
        let _ = timeout(SOON, self.0.read_to_end(&mut rest)).await.expect("the server closes the connection");
        rest.len()
    }
}

/// Puts the length before bytes.
pub(crate) fn frame(body: &[u8]) -> Vec<u8> {
    Writer::new().raw(body).into_frame()
}

/// A connect request for a new session.
pub(crate) fn connect() -> Vec<u8> {
    ConnectRequest::new(10_000).encode()
}

/// A request for the stat of the root.
pub(crate) fn exists(xid: i32) -> Vec<u8> {
    request(xid, Request::Exists { path: "/".into(), watch: false })
}

pub(crate) fn request(xid: i32, request: Request) -> Vec<u8> {
    Framed { xid, request }.encode()
}
