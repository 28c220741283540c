//! Rows in which a client cannot reach servers, or gets bad answers from them.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use system_tests::{BlackHole, PROPAGATION, Process, TestBed, free_port, free_ports};
use test_zookeeper::Server;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, sleep_until};

use crate::support::*;

/// How long one attempt may take here.
const ATTEMPT: Duration = Duration::from_millis(500);
/// The longest pause, with its jitter, of a request that has tried all servers in vain.
const LONGEST_PAUSE: Duration = Duration::from_millis(625);

fn asking(bed: &TestBed, rounds: usize) -> Process {
    bed.write("asking.toml", "[client]\nattempt_timeout = \"500ms\"\nstrategy = \"round-robin\"\n");
    let rounds = rounds.to_string();
    bed.client(&["--config", "asking.toml", "--rounds", &rounds, "--interval", "10ms", "--timeout", "10s"])
}

// === 17: a client is cut off from servers that ZooKeeper still lists ===

/// Servers that are registered at a second loopback address, where a [`BlackHole`] forwards to each.
async fn behind_holes(
    bed: &TestBed,
    count: usize,
) -> Result<(Vec<u16>, Vec<Process>, Vec<BlackHole>), String> {
    let (mut servers, mut holes) = (Vec::new(), Vec::new());
    let ports = free_ports(count);
    for port in &ports {
        let arguments = ["--port", &port.to_string(), "--advertise", "127.0.0.2"];
        servers.push(bed.server_in("exec \"$@\"", &arguments));
        let listen = SocketAddr::from((Ipv4Addr::new(127, 0, 0, 2), *port));
        let hole = BlackHole::start(listen, SocketAddr::from((Ipv4Addr::LOCALHOST, *port))).await;
        holes.push(hole.map_err(|error| error.to_string())?);
    }
    bed.observer.until("all of them", SOON, |nodes| nodes.len() == count).await?;
    Ok((ports, servers, holes))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fault_17_a_server_that_only_the_client_cannot_reach_is_ejected_for_growing_times() {
    let Some(_) = test_zookeeper::require() else { return };
    let zk = Server::start().await.unwrap();
    let bed = TestBed::new(real(), vec![zk.addr()]);
    let (_, _servers, holes) = behind_holes(&bed, 3).await.unwrap();
    let client = asking(&bed, 1200);
    until_answers(&client, 50).await.unwrap();
    holes[0].swallow();
    let lost_since = Instant::now();
    sleep_until(lost_since + Duration::from_secs(5)).await;
    let lost: Vec<_> = holes[0].arrivals().into_iter().filter(|at| *at > lost_since).collect();

    // Each failure, the very first one included, ejects it; then one trial decides. 200 ms, twice as long with
    // each failure, a quarter less at worst.
    let gaps: Vec<_> = lost.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(lost.len() >= 3, "the fault did not take effect: {gaps:?}");
    let mut ejected = Duration::from_millis(200);
    for gap in &gaps {
        assert!(*gap >= (ATTEMPT + ejected) * 3 / 4, "more than a trial for each ejection: {gaps:?}");
        ejected *= 2;
    }
    // The first trial after the heal brings it back: the present ejection takes at most as long as the next one would.
    holes[0].pass();
    let healed = Instant::now();
    let again = || holes[0].arrivals().iter().filter(|at| **at > healed).count() > 3;
    until("it is used again", ATTEMPT + ejected * 5 / 4 + PROPAGATION, again).await.unwrap();
    all_answered(client, 1200).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fault_17_a_client_that_reaches_no_server_keeps_trying_each() {
    let Some(_) = test_zookeeper::require() else { return };
    let zk = Server::start().await.unwrap();
    let bed = TestBed::new(real(), vec![zk.addr()]);
    let (_, _servers, holes) = behind_holes(&bed, 2).await.unwrap();
    let client = asking(&bed, 300);
    until_answers(&client, 50).await.unwrap();
    for hole in &holes {
        hole.swallow();
    }
    let lost_since = Instant::now();
    sleep_until(lost_since + Duration::from_secs(4)).await;
    for hole in &holes {
        let tried: Vec<_> = hole.arrivals().into_iter().filter(|at| *at > lost_since).collect();
        // Beside a good one it would be ejected for longer and longer; now every turn of a request tries each.
        let turn = 2 * ATTEMPT + LONGEST_PAUSE + PROPAGATION;
        let gaps = tried.windows(2).map(|pair| pair[1] - pair[0]);
        assert!(tried.len() >= 2 && gaps.max() < Some(turn), "not tried any more: {tried:?}");
    }
    holes[1].pass();
    let healed = Instant::now();
    // At worst an attempt at it was just lost, and attempts at the other one come before and after the pause.
    let within = 3 * ATTEMPT + LONGEST_PAUSE + PROPAGATION;
    let answered_again = || client.out().last().is_some_and(|(at, _)| *at > healed);
    until("answered again", within, answered_again).await.unwrap();
    // The request that was under way had 10 s, and has not failed.
    all_answered(client, 300).await.unwrap();
}

// === 41: servers that answer badly ===

/// How a bad server behaves.
#[derive(Clone, Copy, Debug)]
enum Bad {
    /// Accepts, and sends nothing.
    Tarpit,
    /// Sends a byte each second, and never a whole line.
    Trickle,
    /// Resets the connection after half of the line.
    Half,
    /// Sends ten megabytes without a newline.
    Flood,
}

impl Bad {
    async fn answer(self, mut stream: TcpStream) -> std::io::Result<()> {
        match self {
            Self::Tarpit => {}
            Self::Trickle => {
                // Until the caller has gone.
                for byte in b"127.0.0.1:8897:2026-11-22T12:00:00.123Z".iter().cycle() {
                    stream.write_all(&[*byte]).await?;
                    let gone = tokio::time::timeout(Duration::from_secs(1), stream.read(&mut [0; 8])).await;
                    if gone.is_ok() {
                        return Ok(());
                    }
                }
            }
            Self::Half => {
                stream.set_zero_linger()?;
                stream.write_all(b"127.0.0.1:8897:2026-11").await?;
                sleep(Duration::from_millis(20)).await;
                return Ok(());
            }
            Self::Flood => stream.write_all(&vec![b'x'; 10_000_000]).await?,
        }
        stream.read(&mut [0; 8]).await.map(drop)
    }
}

/// A server that answers badly. `Drop` ends it.
struct Fake {
    kind: Bad,
    /// How long each caller stayed.
    visits: Arc<Mutex<Vec<Duration>>>,
    serving: JoinHandle<()>,
}

impl Fake {
    async fn start(kind: Bad) -> (String, Self) {
        let port = free_port();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.unwrap();
        let visits: Arc<Mutex<Vec<Duration>>> = Arc::default();
        let into = visits.clone();
        let serving = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let into = into.clone();
                // Ends when the caller goes.
                tokio::spawn(async move {
                    let came = Instant::now();
                    let _ = kind.answer(stream).await;
                    into.lock().push(came.elapsed());
                });
            }
        });
        (name(port), Self { kind, visits, serving })
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fault_41_servers_that_answer_badly_cost_time_and_no_request() {
    let Some(_) = test_zookeeper::require() else { return };
    let zk = Server::start().await.unwrap();
    let bed = TestBed::new(real(), vec![zk.addr()]);
    let (mut addresses, mut fakes) = (Vec::new(), Vec::new());
    for kind in [Bad::Tarpit, Bad::Trickle, Bad::Half, Bad::Flood] {
        let (address, fake) = Fake::start(kind).await;
        addresses.push(address);
        fakes.push(fake);
    }
    let _by_hand = register_by_hand(zk.addr(), &addresses).await;
    let port = free_port();
    let _server = bed.server(&[port]);
    bed.observer.until("all five", SOON, |nodes| nodes.len() == 5).await.unwrap();

    let exit = all_answered(asking(&bed, 300), 300).await.unwrap();
    let real = name(port) + ":";
    assert!(exit.out.iter().all(|(_, line)| line.starts_with(&real)), "{:?}", exit.out);
    // `Tarpit` and `Trickle` use up an attempt; the others fail at once.
    let gap = longest_gap(&exit);
    assert!(gap < 2 * ATTEMPT + 2 * PROPAGATION, "{gap:?} without an answer");
    for (fake, address) in fakes.iter().zip(&addresses) {
        let failed: Vec<_> = exit
            .err
            .lines()
            .filter(|line| line.contains("attempt failed") && line.contains(address))
            .collect();
        let why = match fake.kind {
            // The deadline of the attempt ends these, which is no error of theirs.
            Bad::Tarpit | Bad::Trickle => None,
            Bad::Half => Some("connection broke"),
            Bad::Flood => Some("longer than 4 KiB"),
        };
        let clear = why.is_none_or(|why| !failed.is_empty() && failed.iter().all(|line| line.contains(why)));
        assert!(clear, "{:?}: {failed:#?}", fake.kind);
        // `Trickle` notices within a second that its caller has gone.
        let left = || !fake.visits.lock().is_empty();
        until("its callers have left", Duration::from_secs(2), left).await.unwrap();
        let visits = fake.visits.lock();
        let longest = visits.iter().max().unwrap();
        assert!(
            *longest < ATTEMPT + PROPAGATION,
            "D is not a total: {:?} kept a caller for {longest:?}",
            fake.kind
        );
    }
}
