//! One connection: two pairs of a reader and a forwarder, one pair each way, all in one task.

use std::collections::VecDeque;
use std::future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWriteExt, Interest, copy_bidirectional};
use tokio::net::TcpStream;
use tokio::net::tcp::WriteHalf;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, sleep_until};

use zk_wire::{Reader, ReplyHeader, xid};

use super::recorded::Seen;
use super::rule::{Action, Rule};
use super::shared::{Cut, Open, Shared};
use crate::frames;

/// Frames read ahead each way while they are kept back; a sender of more is slowed down.
const READ_AHEAD: usize = 4_096;

/// Serves a connection until either side or a cut ends it.
pub(super) async fn run(id: u64, mut client: TcpStream, open: Open, mut cut: watch::Receiver<Option<Cut>>) {
    let shared = Arc::clone(&open.0);
    let end = tokio::select! {
        biased;
        how = cut.wait_for(Option::is_some) => how.ok().and_then(|how| *how).unwrap_or(Cut::Reset),
        end = serve(id, &mut client, &shared) => end.unwrap_or(Cut::Reset),
    };
    if end == Cut::Reset {
        // Failing means that the connection is gone already.
        let _ = client.set_zero_linger();
    }
    drop(client);
    drop(open);
}

async fn serve(id: u64, client: &mut TcpStream, shared: &Shared) -> io::Result<Cut> {
    client.set_nodelay(true)?;
    if shared.not_hung().await && has_left(client).await {
        return Ok(Cut::Close);
    }
    let is_word = speaks_four_letters(client).await?;
    // It may have begun to hang while the client was silent.
    if shared.not_hung().await && has_left(client).await {
        return Ok(Cut::Close);
    }
    let mut server = TcpStream::connect(shared.upstream()).await?;
    server.set_nodelay(true)?;
    if is_word {
        copy_bidirectional(client, &mut server).await?;
        return Ok(Cut::Close);
    }
    let (mut from_client, to_client) = client.split();
    let (mut from_server, to_server) = server.split();
    let (requests_tx, requests) = mpsc::channel(READ_AHEAD);
    let (replies_tx, replies) = mpsc::channel(READ_AHEAD);
    let in_flight = InFlight::default();
    tokio::select! {
        end = forward_requests(id, shared, requests, to_server, &in_flight) => end,
        end = forward_replies(shared, replies, to_client, &in_flight) => end,
        () = read(shared, &mut from_client, requests_tx) => unreachable!("readers leave the end to the forwarders"),
        () = read(shared, &mut from_server, replies_tx) => unreachable!("readers leave the end to the forwarders"),
    }
}

/// Whether the client has closed its side.
async fn has_left(client: &TcpStream) -> bool {
    // Writable it is almost always, so this does not wait.
    client.ready(Interest::READABLE | Interest::WRITABLE).await.is_ok_and(|ready| ready.is_read_closed())
}

/// Tells a four letter word such as `srvr` from a frame, whose length cannot be that large.
async fn speaks_four_letters(client: &TcpStream) -> io::Result<bool> {
    let mut first = [0; 4];
    loop {
        match client.peek(&mut first).await? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            4 => return Ok(first.iter().all(u8::is_ascii_lowercase)),
            // Peeking cannot wait for more than is there.
            _ => sleep(Duration::from_millis(1)).await,
        }
    }
}

/// A frame and when it may go on, or how the stream broke.
type Item = (Instant, io::Result<Vec<u8>>);

/// Reads frames for a forwarder until the stream ends. It never returns, so that the forwarder can finish first.
async fn read(shared: &Shared, stream: &mut (impl AsyncRead + Unpin), items: mpsc::Sender<Item>) {
    let mut frames = frames::frames();
    while let Some(item) = frames::next(&mut frames, stream).await.transpose() {
        let broken = item.is_err();
        // The forwarder lives as long as this.
        let _ = items.send((Instant::now() + shared.delay(), item)).await;
        if broken {
            break;
        }
    }
    drop(items);
    future::pending().await
}

/// Waits for the next frame and until it may go on; `None` at the end of the stream, which a black hole hides, too.
async fn next(shared: &Shared, items: &mut mpsc::Receiver<Item>) -> io::Result<Option<Vec<u8>>> {
    let item = items.recv().await;
    if let Some((due, _)) = &item {
        sleep_until(*due).await;
    }
    shared.not_hung().await;
    item.map(|(_, frame)| frame).transpose()
}

async fn forward_requests(
    id: u64,
    shared: &Shared,
    mut requests: mpsc::Receiver<Item>,
    mut server: WriteHalf<'_>,
    in_flight: &InFlight,
) -> io::Result<Cut> {
    let mut is_first = true;
    while let Some(frame) = next(shared, &mut requests).await? {
        let seen = Seen::read(id, &frame, is_first);
        let xid = (!is_first).then_some(seen.xid);
        is_first = false;
        let rule = shared.rules.claim(&seen);
        shared.record(seen.clone());
        match rule.as_ref().map(|rule| rule.action) {
            Some(Action::CutBeforeRequest) => return Ok(fire(rule, Cut::Reset)),
            Some(Action::CutMidRequest(bytes)) => {
                server.write_all(&frame[..bytes.min(frame.len())]).await?;
                return Ok(fire(rule, Cut::Reset));
            }
            _ => {}
        }
        // Before it is sent, or the reply could come first.
        in_flight.push(xid, rule);
        server.write_all(&frame).await?;
    }
    Ok(Cut::Close)
}

async fn forward_replies(
    shared: &Shared,
    mut replies: mpsc::Receiver<Item>,
    mut client: WriteHalf<'_>,
    in_flight: &InFlight,
) -> io::Result<Cut> {
    let mut is_first = true;
    while let Some(frame) = next(shared, &mut replies).await? {
        let xid = if is_first { None } else { Reader::new(&frame[4..]).int().ok() };
        let is_notification = !is_first && xid == Some(xid::EVENT);
        let rule = if is_notification { shared.rules.claim_event() } else { in_flight.take(xid) };
        is_first = false;
        match rule.as_ref().map(|rule| rule.action) {
            Some(Action::CutAfterRequest) => return Ok(fire(rule, Cut::Reset)),
            Some(Action::SwallowReply) => {
                fire(rule, Cut::Close);
            }
            Some(Action::CutAfterReply) => {
                client.write_all(&frame).await?;
                // A reset could overtake the reply.
                return Ok(fire(rule, Cut::Close));
            }
            Some(Action::EmptyReply) => {
                let header = frame.get(4..4 + ReplyHeader::LENGTH).unwrap_or_default();
                client.write_all(&(header.len() as u32).to_be_bytes()).await?;
                client.write_all(header).await?;
                fire(rule, Cut::Close);
            }
            _ => client.write_all(&frame).await?,
        }
    }
    Ok(Cut::Close)
}

fn fire(rule: Option<Arc<Rule>>, end: Cut) -> Cut {
    if let Some(rule) = rule {
        rule.fire();
    }
    end
}

/// A request on its way to the server and back.
struct Sent {
    /// A connect has none.
    xid: Option<i32>,
    /// What will decide on its reply.
    rule: Option<Arc<Rule>>,
}

/// The requests on their way, oldest first.
#[derive(Default)]
struct InFlight(Mutex<VecDeque<Sent>>);

impl InFlight {
    fn push(&self, xid: Option<i32>, rule: Option<Arc<Rule>>) {
        self.0.lock().push_back(Sent { xid, rule });
    }

    /// Takes the oldest request with this xid out; pings and authentications share theirs.
    fn take(&self, xid: Option<i32>) -> Option<Arc<Rule>> {
        let mut requests = self.0.lock();
        let position = requests.iter().position(|sent| sent.xid == xid)?;
        requests.remove(position).and_then(|sent| sent.rule)
    }
}
