//! One TCP connection, frame by frame.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use tokio::time::Instant;

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
pub(crate) struct Link {
    stream: TcpStream,
    inbox: Vec<u8>,
    chunk: Box<[u8]>,
}

impl Link {
    pub(crate) fn open(addr: SocketAddr) -> Self {
        let stream = TcpStream::connect(addr).expect("the server listens");
        stream.set_nodelay(true).expect("the socket is open");
        Self { stream, inbox: Vec::new(), chunk: vec![0; 1 << 16].into() }
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
            if let Some(frame) = self.whole_frame() {
                return Incoming::Frame(frame);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Incoming::Silence;
            }
            self.stream.set_read_timeout(Some(left.max(Duration::from_millis(1)))).expect("not zero");
            match self.stream.read(&mut self.chunk) {
                Ok(0) => return Incoming::Closed,
                Ok(length) => self.inbox.extend(&self.chunk[..length]),
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return Incoming::Closed,
            }
        }
    }

    fn whole_frame(&mut self) -> Option<Vec<u8>> {
        let (head, rest) = self.inbox.split_first_chunk::<4>()?;
        let length = usize::try_from(i32::from_be_bytes(*head)).expect("a server's frames have a length");
        let frame = rest.get(..length)?.to_vec();
        self.inbox.drain(..4 + length);
        Some(frame)
    }
}
