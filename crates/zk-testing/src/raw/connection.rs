//! The task that owns the socket of one client: sends, matches replies, pings, and notices the end.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until, timeout};

use super::Error;
use super::types::Event;
use crate::jute::{Frames, Malformed, Reader, Writer};
use crate::op;

/// How long the server may take to grant a session.
const HANDSHAKE_DEADLINE: Duration = Duration::from_secs(5);
/// The reply header: xid, zxid, error.
const REPLY_HEADER: usize = 4 + 8 + 4;

/// One request on its way to the task. The xid is filled in there, in the order of sending, unless it is fixed.
pub(super) struct Request {
    pub(super) frame: Vec<u8>,
    pub(super) fixed_xid: Option<i32>,
    pub(super) reply: oneshot::Sender<Result<Reply, Error>>,
}

/// The server's answer, whatever its code.
pub(super) struct Reply {
    pub(super) code: i32,
    pub(super) body: Vec<u8>,
}

/// What is asked for.
pub(super) struct Hello<'p> {
    pub(super) timeout: Duration,
    /// 0 for a new one.
    pub(super) session_id: i64,
    pub(super) password: &'p [u8; 16],
    /// Whether a server that serves reads only will do.
    pub(super) read_only: bool,
}

/// What the server granted.
pub(super) struct Granted {
    pub(super) session_id: i64,
    pub(super) password: [u8; 16],
    pub(super) timeout: Duration,
    pub(super) read_only: bool,
}

struct Pending {
    xid: i32,
    reply: oneshot::Sender<Result<Reply, Error>>,
}

pub(super) struct Connection {
    reader: OwnedReadHalf,
    writer: OwnedWriteHalf,
    frames: Frames,
    timeout: Duration,
    pending: VecDeque<Pending>,
    next_xid: i32,
    events: mpsc::UnboundedSender<Event>,
}

impl Connection {
    /// Connects and asks for a session: a new one for id 0.
    pub(super) async fn open(
        addr: SocketAddr,
        hello: Hello<'_>,
        events: mpsc::UnboundedSender<Event>,
    ) -> Result<(Self, Granted), Error> {
        let handshake = async {
            let stream = TcpStream::connect(addr).await?;
            stream.set_nodelay(true)?;
            let (mut reader, mut writer) = stream.into_split();
            let wanted = i32::try_from(hello.timeout.as_millis()).unwrap_or(i32::MAX);
            let request = Writer::new().int(0).long(0).int(wanted);
            let request = request.long(hello.session_id).buffer(hello.password).bool(hello.read_only);
            writer.write_all(&request.frame()).await?;
            let mut frames = Frames::default();
            let Some(frame) = frames.next(&mut reader).await? else {
                return Err(io::Error::from(io::ErrorKind::ConnectionReset).into());
            };
            let granted = granted(&frame)?;
            let timeout = granted.timeout;
            let pending = VecDeque::new();
            Ok((Self { reader, writer, frames, timeout, pending, next_xid: 1, events }, granted))
        };
        match timeout(HANDSHAKE_DEADLINE, handshake).await {
            Ok(outcome) => outcome,
            Err(_) => {
                Err(io::Error::new(io::ErrorKind::TimedOut, "the server granted no session in time").into())
            }
        }
    }

    /// Serves requests until the client is dropped or the connection ends.
    pub(super) async fn run(
        mut self,
        mut requests: mpsc::UnboundedReceiver<Request>,
        ended: watch::Sender<bool>,
    ) {
        let end = self.serve(&mut requests).await;
        requests.close();
        let (kind, why) = match &end {
            Ok(()) => (io::ErrorKind::ConnectionAborted, "the connection was closed".to_owned()),
            Err(error) => (error.kind(), error.to_string()),
        };
        // Whoever reads this finds the end published already.
        ended.send_replace(true);
        let lost = || Err(io::Error::new(kind, why.clone()).into());
        for pending in self.pending.drain(..) {
            let _ = pending.reply.send(lost());
        }
        while let Ok(request) = requests.try_recv() {
            let _ = request.reply.send(lost());
        }
    }

    async fn serve(&mut self, requests: &mut mpsc::UnboundedReceiver<Request>) -> io::Result<()> {
        let mut pings = interval(self.timeout / 3);
        pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut silent_until = Instant::now() + self.timeout;
        loop {
            tokio::select! {
                request = requests.recv() => match request {
                    Some(request) => self.send(request).await?,
                    None => return Ok(()),
                },
                frame = self.frames.next(&mut self.reader) => {
                    let frame = frame?.ok_or(io::ErrorKind::UnexpectedEof)?;
                    silent_until = Instant::now() + self.timeout;
                    self.receive(&frame)?;
                }
                _ = pings.tick() => {
                    self.write(&Writer::new().int(op::PING_XID).int(op::PING).frame()).await?;
                }
                () = sleep_until(silent_until) => {
                    return Err(io::Error::new(io::ErrorKind::TimedOut, "the server was silent for a session timeout"));
                }
            }
        }
    }

    async fn send(&mut self, request: Request) -> io::Result<()> {
        let Request { mut frame, fixed_xid, reply } = request;
        let xid = fixed_xid.unwrap_or(self.next_xid);
        if fixed_xid.is_none() {
            self.next_xid = self.next_xid.checked_add(1).unwrap_or(1);
        }
        frame[4..8].copy_from_slice(&xid.to_be_bytes());
        self.pending.push_back(Pending { xid, reply });
        self.write(&frame).await
    }

    /// A server that reads nothing for a session timeout is as good as gone.
    async fn write(&mut self, frame: &[u8]) -> io::Result<()> {
        let written = timeout(self.timeout, self.writer.write_all(frame)).await;
        written.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
    }

    fn receive(&mut self, frame: &[u8]) -> Result<(), Malformed> {
        let mut reader = Reader(&frame[4..]);
        let (xid, _zxid, code) = (reader.int()?, reader.long()?, reader.int()?);
        match xid {
            op::NOTIFICATION_XID => {
                // Nobody may be listening.
                let _ = self.events.send(Event::read(&mut reader)?);
            }
            op::PING_XID => {}
            _ => {
                // Not always the first: authentications are answered ahead of their turn.
                let position = self.pending.iter().position(|pending| pending.xid == xid).ok_or(Malformed)?;
                let pending = self.pending.remove(position).ok_or(Malformed)?;
                let body = frame[4 + REPLY_HEADER..].to_vec();
                let _ = pending.reply.send(Ok(Reply { code, body }));
            }
        }
        Ok(())
    }
}

fn granted(frame: &[u8]) -> Result<Granted, Error> {
    let mut reader = Reader(&frame[4..]);
    // A member without a majority that serves reads may answer as to a request, if it cannot make sessions either.
    if frame.len() == 4 + REPLY_HEADER {
        let (_xid, _zxid, code) = (reader.int()?, reader.long()?, reader.int()?);
        return Err(Error::from_code(code));
    }
    let _version = reader.int()?;
    let timeout = reader.int()?;
    let session_id = reader.long()?;
    let password = reader.buffer()?;
    // This is how a server says that it does not know the session.
    if timeout <= 0 || session_id == 0 {
        return Err(Error::SessionExpired);
    }
    let timeout = Duration::from_millis(u64::from(timeout.unsigned_abs()));
    let password = password.try_into().map_err(|_| Error::Malformed)?;
    // The oldest servers do not say.
    let read_only = reader.bool().unwrap_or(false);
    Ok(Granted { session_id, password, timeout, read_only })
}
