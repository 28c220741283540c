//! A broken server that sends events without end.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use common::{SOON, config, connected, path, state_where};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout};
use zk_core::Zk;
use zk_testing::eventually;
use zk_wire::{EventKind, Frames, WatchEvent};

const ADD_WATCH: i32 = 106;
const REMOVE_WATCHES: i32 = 18;

/// The embedded server behind a relay that sends events on one connection, right behind the reply to the first addWatch.
/// Nobody replies to a removal of watches while it does.
struct Flooding {
    hosts: String,
    relay: Arc<Relay>,
    _server: zk_embedded::Server,
}

struct Relay {
    address: String,
    /// How many events are sent each 10 ms; 0 for as many as the other side reads.
    pace: usize,
    has_begun: AtomicBool,
    is_over: AtomicBool,
    /// How many events were sent.
    sent: AtomicUsize,
    /// The longest time without an event, in milliseconds: on a busy machine this process may have to wait.
    pause: AtomicUsize,
    /// Requests to remove watches.
    removals: AtomicUsize,
    /// Whether the client has closed the flooded connection.
    was_closed: AtomicBool,
}

async fn flooding(pace: usize) -> Flooding {
    let server = zk_embedded::Server::start().await.unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let hosts = listener.local_addr().unwrap().to_string();
    let relay = Arc::new(Relay {
        address: server.connect_string(),
        pace,
        has_begun: AtomicBool::new(false),
        is_over: AtomicBool::new(false),
        sent: AtomicUsize::new(0),
        pause: AtomicUsize::new(0),
        removals: AtomicUsize::new(0),
        was_closed: AtomicBool::new(false),
    });
    let serving = relay.clone();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let relay = serving.clone();
            tokio::spawn(async move { relay.serve(client).await });
        }
    });
    Flooding { hosts, relay, _server: server }
}

/// The next frame, its length first.
async fn frame(stream: &mut OwnedReadHalf, frames: &mut Frames) -> io::Result<Vec<u8>> {
    loop {
        if let Some(frame) = frames.next_with_length()? {
            return Ok(frame.to_vec());
        }
        if stream.read_buf(frames.buffer()).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

fn word(frame: &[u8], at: usize) -> i32 {
    i32::from_be_bytes(frame[at..at + 4].try_into().unwrap())
}

impl Relay {
    fn is_flooding(&self) -> bool {
        self.has_begun.load(Ordering::SeqCst) && !self.is_over.load(Ordering::SeqCst)
    }

    async fn serve(self: Arc<Self>, client: TcpStream) -> io::Result<()> {
        let (mut from_client, to_client) = client.into_split();
        let (from_server, mut to_server) = TcpStream::connect(&self.address).await?.into_split();
        let (watched, watches) = mpsc::unbounded_channel();
        tokio::spawn(self.clone().replies(from_server, to_client, watches));
        let mut frames = Frames::new(1 << 20);
        let mut first = true;
        loop {
            let request = frame(&mut from_client, &mut frames).await?;
            let op = if std::mem::take(&mut first) { 0 } else { word(&request, 8) };
            if op == ADD_WATCH && !self.has_begun.swap(true, Ordering::SeqCst) {
                let _ = watched.send(word(&request, 4));
            }
            if op == REMOVE_WATCHES {
                self.removals.fetch_add(1, Ordering::SeqCst);
                if self.is_flooding() {
                    continue;
                }
            }
            to_server.write_all(&request).await?;
        }
    }

    async fn replies(
        self: Arc<Self>,
        mut from_server: OwnedReadHalf,
        mut to_client: OwnedWriteHalf,
        mut watches: mpsc::UnboundedReceiver<i32>,
    ) -> io::Result<()> {
        let mut frames = Frames::new(1 << 20);
        loop {
            let reply = frame(&mut from_server, &mut frames).await?;
            if watches.try_recv() == Ok(word(&reply, 4)) {
                let ended = self.flood(reply, from_server, &mut to_client).await;
                self.was_closed.store(ended.is_err(), Ordering::SeqCst);
                return ended;
            }
            to_client.write_all(&reply).await?;
        }
    }

    /// Sends the reply and the events in one, and then events and replies by turns.
    async fn flood(
        &self,
        reply: Vec<u8>,
        mut from_server: OwnedReadHalf,
        to_client: &mut OwnedWriteHalf,
    ) -> io::Result<()> {
        let event = WatchEvent { kind: EventKind::DataChanged, path: "/root/a".into() }.encode();
        let events = if self.pace == 0 { 4_000 } else { self.pace };
        let mut block = reply;
        let mut frames = Frames::new(1 << 20);
        let mut latest = Instant::now();
        while !self.is_over.load(Ordering::SeqCst) {
            self.pause.fetch_max(latest.elapsed().as_millis() as usize, Ordering::SeqCst);
            latest = Instant::now();
            block.extend(event.repeat(events));
            to_client.write_all(&block).await?;
            self.sent.fetch_add(events, Ordering::SeqCst);
            block.clear();
            let pause = Duration::from_millis(if self.pace == 0 { 0 } else { 10 });
            while let Ok(reply) = timeout(pause, frame(&mut from_server, &mut frames)).await {
                // The server has ended the session, and this one does not care.
                let Ok(reply) = reply else { break };
                block.extend(reply);
            }
        }
        to_client.write_all(&block).await?;
        tokio::io::copy(&mut from_server, to_client).await.map(drop)
    }
}

/// The memory of this process, in MiB.
fn memory() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<usize>().unwrap() / 256
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_without_a_pause_end_the_connection_and_take_little_memory() {
    for is_read in [false, true] {
        let server = flooding(0).await;
        let zk = Zk::start(config(&server.hosts)).unwrap();
        let connection = connected(&zk).await;
        let before = memory();

        let mut watch = connection.watch_recursive(&path("/root")).await.unwrap();
        let reader = async {
            while is_read && watch.next().await.is_some() {}
            !is_read || connection.has_ended()
        };
        let (has_ended, most) = tokio::join!(reader, async {
            let mut most = 0;
            while !server.relay.was_closed.load(Ordering::SeqCst) {
                most = most.max(memory().saturating_sub(before));
                assert!(most < 64, "{most} MiB after {} events", server.relay.sent.load(Ordering::SeqCst));
                sleep(Duration::from_millis(20)).await;
            }
            most
        });
        assert!(has_ended, "the reader of a watch finds the end of its connection");
        state_where(&zk, "another connection", |state| state.reconnects == 1 && state.is_connected()).await;
        println!("{most} MiB for {} events", server.relay.sent.load(Ordering::SeqCst));
    }
}

#[tokio::test]
async fn a_watch_that_overran_is_removed_once_and_after_the_flood() {
    let server = flooding(100).await;
    let zk = Zk::start(config(&server.hosts)).unwrap();
    let connection = connected(&zk).await;
    let mut watch = connection.watch_recursive(&path("/root")).await.unwrap();
    let sent = || server.relay.sent.load(Ordering::SeqCst);
    eventually("the queue overruns", async || sent() > 20_000).await;
    eventually("more events", async || sent() > 30_000).await;
    let read = timeout(SOON, async {
        let mut read = 0;
        while watch.next().await.is_some() {
            read += 1;
        }
        read
    });
    assert_eq!(read.await.unwrap(), 16_384, "and then the watch has ended");
    assert!(!connection.has_ended());
    let removals = || server.relay.removals.load(Ordering::SeqCst);
    let has_paused = || server.relay.pause.load(Ordering::SeqCst) >= 400;
    assert!(removals() == 0 || has_paused(), "each event would be a request: {}", removals());
    server.relay.is_over.store(true, Ordering::SeqCst);
    eventually("it is removed", async || removals() == 1 || has_paused()).await;
    assert!(zk.state().is_connected() && zk.state().reconnects == 0, "{:?}", zk.state());
}
