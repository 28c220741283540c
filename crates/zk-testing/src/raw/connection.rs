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

use zk_wire::{
    ConnectRequest, ConnectResponse, ErrorCode, Framed, Frames, Malformed, OpCode, Reader, ReplyHeader,
    Request, Response, WatchEvent, xid,
};

use super::Error;
use crate::frames;

/// How long the server may take to grant a session.
const HANDSHAKE_DEADLINE: Duration = Duration::from_secs(5);

/// One request on its way to the task, which numbers requests in the order of sending.
pub(super) struct Call {
    pub(super) request: Request,
    pub(super) reply: oneshot::Sender<Result<Reply, Error>>,
}

/// The server's reply, whatever its code.
pub(super) struct Reply {
    pub(super) code: ErrorCode,
    pub(super) body: Vec<u8>,
}

impl Reply {
    /// Reads the body as that of a reply to such a request.
    pub(super) fn read(&self, op_code: OpCode) -> Result<Response, Error> {
        Ok(Response::read(op_code, &mut Reader::new(&self.body))?)
    }
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
    events: mpsc::UnboundedSender<WatchEvent>,
}

impl Connection {
    /// Connects and asks for a session: a new one for id 0.
    pub(super) async fn open(
        addr: SocketAddr,
        request: &ConnectRequest,
        events: mpsc::UnboundedSender<WatchEvent>,
    ) -> Result<(Self, Granted), Error> {
        let handshake = async {
            let stream = TcpStream::connect(addr).await?;
            stream.set_nodelay(true)?;
            let (mut reader, mut writer) = stream.into_split();
            writer.write_all(&request.encode()).await?;
            let mut frames = frames::frames();
            let Some(frame) = frames::next(&mut frames, &mut reader).await? else {
                return Err(io::Error::from(io::ErrorKind::ConnectionReset).into());
            };
            let granted = granted(&frame[4..])?;
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
    pub(super) async fn run(mut self, mut calls: mpsc::UnboundedReceiver<Call>, ended: watch::Sender<bool>) {
        let end = self.serve(&mut calls).await;
        calls.close();
        let (kind, why) = match &end {
            Ok(()) => (io::ErrorKind::ConnectionAborted, "the connection was closed".to_owned()),
            Err(error) => (error.kind(), error.to_string()),
        };
        // A caller that gets this error finds the end published already.
        ended.send_replace(true);
        let lost = || Err(io::Error::new(kind, why.clone()).into());
        for pending in self.pending.drain(..) {
            let _ = pending.reply.send(lost());
        }
        while let Ok(call) = calls.try_recv() {
            let _ = call.reply.send(lost());
        }
    }

    async fn serve(&mut self, calls: &mut mpsc::UnboundedReceiver<Call>) -> io::Result<()> {
        let mut pings = interval(self.timeout / 3);
        pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut silent_until = Instant::now() + self.timeout;
        loop {
            tokio::select! {
                call = calls.recv() => match call {
                    Some(call) => self.send(call).await?,
                    None => return Ok(()),
                },
                frame = frames::next(&mut self.frames, &mut self.reader) => {
                    let frame = frame?.ok_or(io::ErrorKind::UnexpectedEof)?;
                    silent_until = Instant::now() + self.timeout;
                    self.receive(&frame[4..])?;
                }
                _ = pings.tick() => {
                    self.write(&Framed { xid: xid::PING, request: Request::Ping }.encode()).await?;
                }
                () = sleep_until(silent_until) => {
                    return Err(io::Error::new(io::ErrorKind::TimedOut, "the server was silent for a session timeout"));
                }
            }
        }
    }

    async fn send(&mut self, call: Call) -> io::Result<()> {
        let Call { request, reply } = call;
        let xid = xid::reserved(request.op_code()).unwrap_or_else(|| self.next_xid());
        self.pending.push_back(Pending { xid, reply });
        self.write(&Framed { xid, request }.encode()).await
    }

    fn next_xid(&mut self) -> i32 {
        let xid = self.next_xid;
        self.next_xid = xid.checked_add(1).unwrap_or(1);
        xid
    }

    /// A server that reads nothing for a session timeout counts as lost.
    async fn write(&mut self, frame: &[u8]) -> io::Result<()> {
        let written = timeout(self.timeout, self.writer.write_all(frame)).await;
        written.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
    }

    fn receive(&mut self, frame: &[u8]) -> Result<(), Malformed> {
        let mut reader = Reader::new(frame);
        let ReplyHeader { xid, code, .. } = ReplyHeader::read(&mut reader)?;
        match xid {
            xid::EVENT => {
                // The receiver may be gone.
                let _ = self.events.send(WatchEvent::read(&mut reader)?);
            }
            xid::PING => {}
            _ => {
                // Not always the first: replies to authentications overtake others.
                let position = self.pending.iter().position(|pending| pending.xid == xid).ok_or(Malformed)?;
                let pending = self.pending.remove(position).ok_or(Malformed)?;
                let body = reader.rest().to_vec();
                let _ = pending.reply.send(Ok(Reply { code, body }));
            }
        }
        Ok(())
    }
}

fn granted(frame: &[u8]) -> Result<Granted, Error> {
    // A member without a majority that serves reads may reply as to a request, if it cannot make sessions either.
    if frame.len() == ReplyHeader::LENGTH {
        return Err(ReplyHeader::read(&mut Reader::new(frame))?.code.into());
    }
    let response = ConnectResponse::decode(frame)?;
    if response.is_refusal() {
        return Err(Error::SessionExpired);
    }
    Ok(Granted {
        session_id: response.session_id,
        password: response.password.try_into().map_err(|_| Error::Malformed)?,
        timeout: Duration::from_millis(u64::from(response.timeout_ms.unsigned_abs())),
        // Servers before 3.4 do not send the flag.
        read_only: response.read_only.unwrap_or(false),
    })
}
