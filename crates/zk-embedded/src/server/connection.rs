//! One connection: turns what it reads into commands, and writes what is queued for it.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, oneshot};
use tokio::time::{sleep, timeout};
use tracing::debug;

use super::command::{Command, Commands, Incoming};
use super::outgoing::Outgoing;
use crate::four_letter;
use crate::machine::ConnectionId;
use zk_wire::{BadLength, ConnectRequest, DecodeError, Framed, Frames};

/// How long a new connection may take to send its first frame, as on Apache ZooKeeper.
const FIRST_FRAME: Duration = Duration::from_secs(10);
/// How long a client may take to read the last bytes, and then to close its end.
const LINGER: Duration = Duration::from_secs(1);
/// How many requests go to the machine at once.
const BATCH: usize = 256;
/// How many of these batches may be under way: one is carried out while the next one is read.
const BATCHES: usize = 2;

/// Why no more is read.
#[derive(Debug, thiserror::Error)]
enum End {
    #[error("closed by its client")]
    Closed,
    #[error("no first frame in time")]
    Late,
    #[error("connection broken")]
    Broken(#[from] std::io::Error),
    #[error("bad frame")]
    Length(#[from] BadLength),
    #[error("bad frame")]
    Frame(#[from] DecodeError),
    #[error("the server has stopped")]
    Stopped,
}

/// One client's connection.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) id: ConnectionId,
    pub(super) max_frame: usize,
    pub(super) commands: Commands,
    pub(super) outgoing: Arc<Outgoing>,
}

impl Connection {
    /// Serves it until it ends, from whichever side.
    pub(super) async fn serve(self, mut stream: TcpStream) {
        // Replies are written in large chunks already; waiting for more only slows a client down that waits for one.
        let _ = stream.set_nodelay(true);
        if let Ok(peer) = stream.peer_addr() {
            let outgoing = Arc::clone(&self.outgoing);
            if self.commands.send(Command::Opened { connection: self.id, peer, outgoing }).await.is_err() {
                return;
            }
            let late = async {
                self.outgoing.finished().await;
                sleep(2 * LINGER).await;
            };
            tokio::select! {
                () = self.outgoing.aborted() => {}
                () = late => {}
                () = self.exchange(&mut stream) => {}
            }
            // The socket is closed before the machine forgets the connection.
            drop(stream);
            self.send(Incoming::Gone).await.ok();
        }
    }

    async fn exchange(&self, stream: &mut TcpStream) {
        let (mut reader, mut writer) = stream.split();
        let read = async {
            match self.read(&mut reader).await {
                Ok(reply) => Some(reply),
                Err(end) => {
                    debug!(connection = self.id, reason = &end as &dyn std::error::Error, "connection ended");
                    None
                }
            }
        };
        let last_bytes = tokio::select! {
            reply = read => reply,
            () = self.write(&mut writer) => Some(String::new()),
        };
        if let Some(last_bytes) = last_bytes
            && writer.write_all(last_bytes.as_bytes()).await.is_ok()
            && writer.shutdown().await.is_ok()
        {
            // Closing with unread input resets the connection, and the client may lose what it has not read yet.
            timeout(LINGER, drain(&mut reader)).await.ok();
        }
    }

    /// Reads until the end, or until a four-letter word, whose reply it returns.
    async fn read(&self, reader: &mut (impl AsyncRead + Unpin)) -> Result<String, End> {
        let mut frames = Frames::new(self.max_frame);
        let first = timeout(FIRST_FRAME, self.first(&mut frames, reader)).await.map_err(|_| End::Late)?;
        if let Some(reply) = first? {
            return Ok(reply);
        }
        let batches = Arc::new(Semaphore::new(BATCHES));
        loop {
            let mut batch = Vec::new();
            let mut end = None;
            while batch.len() < BATCH && end.is_none() {
                match frames
                    .next()
                    .map_err(End::from)
                    .and_then(|frame| Ok(frame.map(Framed::decode).transpose()?))
                {
                    Ok(Some(framed)) => batch.push(framed),
                    Ok(None) => break,
                    Err(error) => end = Some(error),
                }
            }
            if !batch.is_empty() {
                let permit = Arc::clone(&batches).acquire_owned().await.expect("nobody closes it");
                self.send(Incoming::Requests(batch, permit)).await?;
            } else if end.is_none() && reader.read_buf(frames.buffer()).await? == 0 {
                return Err(End::Closed);
            }
            if let Some(end) = end {
                return Err(end);
            }
        }
    }

    /// Reads the connect request, or a four-letter word, whose reply it returns.
    async fn first(
        &self,
        frames: &mut Frames,
        reader: &mut (impl AsyncRead + Unpin),
    ) -> Result<Option<String>, End> {
        loop {
            if let Some(word) = frames.word()
                && let Some(word) = four_letter::Word::parse(word)
            {
                return self.report(word).await.map(Some);
            }
            if let Some(frame) = frames.next()? {
                let request = ConnectRequest::decode(frame)?;
                self.send(Incoming::Connect(request)).await?;
                return Ok(None);
            }
            if reader.read_buf(frames.buffer()).await? == 0 {
                return Err(End::Closed);
            }
        }
    }

    async fn report(&self, word: four_letter::Word) -> Result<String, End> {
        let (report_tx, report) = oneshot::channel();
        self.send(Incoming::Report(report_tx)).await?;
        let report = report.await.map_err(|_| End::Stopped)?;
        Ok(four_letter::reply(word, &report))
    }

    async fn send(&self, incoming: Incoming) -> Result<(), End> {
        let command = Command::Incoming { connection: self.id, incoming };
        self.commands.send(command).await.map_err(|_| End::Stopped)
    }

    /// Writes until nothing follows, or the connection breaks.
    async fn write(&self, writer: &mut (impl AsyncWrite + Unpin)) {
        let mut buffer = Vec::new();
        loop {
            buffer.clear();
            self.outgoing.next(&mut buffer).await;
            if buffer.is_empty() || writer.write_all(&buffer).await.is_err() {
                return;
            }
            if self.outgoing.written(buffer.len()) {
                self.commands.send(Command::Drained { connection: self.id }).await.ok();
            }
        }
    }
}

/// Reads until the end, and drops what it reads.
async fn drain(reader: &mut (impl AsyncRead + Unpin)) {
    let mut buffer = [0; 4096];
    while reader.read(&mut buffer).await.is_ok_and(|length| length > 0) {}
}
