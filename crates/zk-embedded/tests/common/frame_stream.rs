//! One TCP connection, frame by frame.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use tokio::time::Instant;
use zk_wire::Frames;

/// No server sends more.
const MAX_FRAME: usize = 64 << 20;

/// What came in.
#[derive(Debug)]
pub(crate) enum Incoming {
    /// The body of a frame.
    Frame(Vec<u8>),
    /// The server closed the connection, in whichever way.
    Closed,
    /// Nothing came until the deadline.
    Silence,
}

/// A connection that speaks in frames.
#[derive(Debug)]
pub(crate) struct FrameStream {
    stream: TcpStream,
    frames: Frames,
    chunk: Box<[u8]>,
}

impl FrameStream {
    pub(crate) fn open(addr: SocketAddr) -> Self {
        let stream = TcpStream::connect(addr).expect("the server listens");
        stream.set_nodelay(true).expect("the socket is open");
        Self { stream, frames: Frames::new(MAX_FRAME), chunk: vec![0; 1 << 16].into() }
    }

    /// Sends bytes; a closed connection is found out when reading.
    pub(crate) fn send(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes);
    }

    /// Ends the sending half, as a client does that has nothing more to say.
    pub(crate) fn finish(&self) {
        let _ = self.stream.shutdown(std::net::Shutdown::Write);
    }

    pub(crate) fn receive(&mut self, deadline: Instant) -> Incoming {
        loop {
            if let Some(frame) = self.frames.next().expect("a server's frames have a length") {
                return Incoming::Frame(frame.to_vec());
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Incoming::Silence;
            }
            self.stream.set_read_timeout(Some(left.max(Duration::from_millis(1)))).expect("not zero");
            match self.stream.read(&mut self.chunk) {
                Ok(0) => return Incoming::Closed,
                Ok(length) => self.frames.buffer().extend(&self.chunk[..length]),
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return Incoming::Closed,
            }
        }
    }
}
