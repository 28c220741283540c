//! Rows about a server's sockets: no file descriptors for them, bad callers, ten thousand callers, a dead listener.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::Signal;
use system_tests::usage::{descriptors, peak_memory, processor_time};
use system_tests::{
    PROPAGATION, SESSION, TestBed, Verdict, free_port, free_ports, heavy, program, require_that, root,
    skipped,
};
use test_zookeeper::Server;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::Barrier;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use zk_testing::proxy::Proxy;

use crate::support::*;

/// How long a server gives each connection, by default.
const CONNECTION: Duration = Duration::from_secs(2);

async fn connect(port: u16) -> io::Result<TcpStream> {
    TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await
}

/// Asks for the time, as a caller that may send something first, and reads to the end.
async fn ask(port: u16, first: &[u8]) -> Verdict {
    let asking = async {
        let mut stream = connect(port).await?;
        stream.write_all(first).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        Ok::<_, io::Error>(answer)
    };
    let Ok(answer) = timeout(Duration::from_secs(1), asking).await else {
        return Err("no answer within 1 s".into());
    };
    let answer = answer.map_err(|error| error.to_string())?;
    require_that!(is_whole(&answer, port), "not the whole line: {answer:?}");
    Ok(())
}

fn is_whole(answer: &str, port: u16) -> bool {
    answer.starts_with(&(name(port) + ":")) && answer.ends_with("Z\n")
}

/// Makes room for many connections in this process and in those that it starts.
fn room_for(connections: u64) -> Option<()> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).expect("a limit");
    let wanted = connections + 200;
    if soft < wanted && setrlimit(Resource::RLIMIT_NOFILE, hard, hard).is_err() || hard < wanted {
        skipped(&format!("at most {hard} file descriptors"), &format!("{connections} connections"));
        return None;
    }
    Some(())
}

// === 38: file descriptors run out ===

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fault_38_a_server_without_file_descriptors_neither_spins_nor_loses_its_session() {
    let Some(_) = test_zookeeper::require() else { return };
    let zk = Server::start().await.unwrap();
    let link = Proxy::start(zk.addr()).await.unwrap();
    let bed = TestBed::new(default_log(real()), vec![zk.addr()]).through(link.addr());
    let port = free_port();
    // Longer than the session timeout: no caller is cut off in time to make room.
    bed.write("patient.toml", "[server]\nconnection_timeout = \"60s\"\n");
    let arguments = ["--config", "patient.toml", "--port", &port.to_string()];
    let server = bed.server_in("ulimit -n 64; exec \"$@\"", &arguments);
    let before = bed.observer.until("the server", SOON, all_of(&[port])).await.unwrap();
    let at_rest = descriptors(server.pid());

    let exhausted = Instant::now();
    let mut idle = Vec::new();
    for _ in 0..100 {
        idle.push(connect(port).await.unwrap());
    }
    server.until_logged("cannot accept").await;
    let (began, used, lines) = (Instant::now(), processor_time(server.pid()), server.log().len());
    sleep_until(began + Duration::from_secs(2)).await;
    let used = processor_time(server.pid()) - used;
    let lines = server.log().len() - lines;
    assert!(used < Duration::from_millis(400), "I10: {used:?} of processor time in 2 s");
    assert!(lines < 100, "I10: {lines} lines in 2 s");
    assert!(ask(port, b"").await.is_err(), "the fault did not take effect");

    // The link to ZooKeeper breaks, and a new one needs descriptors.
    for reconnects in 1..=2 {
        link.cut().await;
        let again = format!("reconnects={reconnects}");
        until("connected again", SESSION, || server.err().contains(&again)).await.unwrap();
    }
    assert!(ask(port, b"").await.is_err(), "the fault is over too early");

    drop(idle);
    let freed = Instant::now();
    while let Err(error) = ask(port, b"").await {
        assert!(freed.elapsed() < Duration::from_secs(1), "{error}");
    }
    let room = || descriptors(server.pid()) <= at_rest;
    until("the descriptors are closed", CONNECTION, room).await.unwrap();
    sleep(gone_within()).await;
    let after = bed.observer.until("the server", PROPAGATION, all_of(&[port])).await.unwrap();
    assert_eq!(after, before, "I7: the same znode of the same session");
    never_missing(&bed.observer.since(exhausted), &[name(port)]).unwrap();
}

/// The link breaks while callers leave the server no descriptor, one or two.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fault_38_the_link_gets_its_descriptors_however_few_the_callers_leave() {
    let Some(_) = test_zookeeper::require() else { return };
    const LIMIT: usize = 64;
    let zk = Server::start().await.unwrap();
    let link = Proxy::start(zk.addr()).await.unwrap();
    let bed = TestBed::new(default_log(real()), vec![zk.addr()]).through(link.addr());
    bed.write("patient.toml", "[server]\nconnection_timeout = \"60s\"\n");
    for free in 0..3 {
        let port = free_port();
        let arguments = ["--config", "patient.toml", "--port", &port.to_string()];
        let server = bed.server_in(&format!("ulimit -n {LIMIT}; exec \"$@\""), &arguments);
        let before = bed.observer.until("the server", SOON, all_of(&[port])).await.unwrap();
        let mut idle = Vec::new();
        while descriptors(server.pid()) < LIMIT - free {
            let known = descriptors(server.pid());
            idle.push(connect(port).await.unwrap());
            let taken = || descriptors(server.pid()) > known || server.err().contains("cannot accept");
            until("the caller is taken in", SOON, taken).await.unwrap();
        }
        let calls = idle.len();
        for reconnects in 1..=2 {
            link.cut().await;
            // Callers that come now would take the descriptors of the broken link.
            for _ in 0..50 {
                idle.push(connect(port).await.unwrap());
            }
            let again = format!("reconnects={reconnects}");
            until("connected again", SESSION, || server.err().contains(&again)).await.unwrap();
        }
        assert!(calls > 4, "only {calls} callers");
        let after = bed.observer.until("the server", PROPAGATION, all_of(&[port])).await.unwrap();
        assert_eq!(after, before, "{free} free: the same znode of the same session");
        no_panic(&server.err()).unwrap();
        server.signal(Signal::SIGTERM);
        drop(idle);
        bed.observer.until("gone", SOON, all_of(&[])).await.unwrap();
        server.exit(SOON).await.unwrap();
    }
}

/// A server that cannot serve does not register: whatever the limit, a server that is listed answers, and any other one
/// ends with the reason.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fault_38_with_any_limit_of_descriptors_a_server_either_ends_or_is_listed_and_answers() {
    let Some(_) = test_zookeeper::require() else { return };
    let zk = Server::start().await.unwrap();
    let bed = TestBed::new(default_log(real()), vec![zk.addr()]);
    let (mut ended, mut listed) = (0, 0);
    for limit in (8..=72).step_by(8) {
        let port = free_port();
        let shell = format!("ulimit -n {limit}; exec \"$@\"");
        let server = bed.server_in(&shell, &["--port", &port.to_string()]);
        let is_listed = || bed.observer.now().is_some_and(|nodes| nodes.contains_key(&name(port)));
        until("it ends or is listed", SOON, || server.has_ended() || is_listed()).await.unwrap();
        if is_listed() {
            for _ in 0..4 {
                ask(port, b"").await.unwrap_or_else(|error| panic!("limit {limit}: listed, and {error}"));
            }
            listed += 1;
            server.signal(Signal::SIGTERM);
            let exit = server.exit(SOON).await.unwrap();
            assert_eq!(exit.code, Some(0), "limit {limit}: {exit:?}");
            no_panic(&exit.err).unwrap();
        } else {
            ended += 1;
            let exit = server.exit(SOON).await.unwrap();
            assert_eq!(exit.code, Some(1), "limit {limit}: {exit:?}");
            assert!(exit.err.contains("file descriptors"), "limit {limit}: {exit:?}");
            no_panic(&exit.err).unwrap();
        }
    }
    assert!(ended > 1 && listed > 1, "{ended} ended, {listed} listed: the limits miss the boundary");
}

/// A container may have no devices.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_without_dev_null_is_listed_and_answers() {
    let Some(_) = root("a server without /dev/null is listed and answers") else { return };
    let Some(_) = test_zookeeper::require() else { return };
    let zk = Server::start().await.unwrap();
    let bed = TestBed::new(default_log(real()), vec![zk.addr()]);
    let port = free_port();
    let shell = "exec unshare --mount sh -c 'mount -t tmpfs none /dev && test ! -e /dev/null && exec \"$@\"' sh \"$@\"";
    let server = bed.server_in(shell, &["--port", &port.to_string()]);
    bed.observer.until("the server", SOON, all_of(&[port])).await.unwrap();
    ask(port, b"").await.unwrap();
    server.signal(Signal::SIGTERM);
    assert_eq!(server.exit(SOON).await.unwrap().code, Some(0));
}

// === 39: bad callers ===

/// What a bad caller does with its connection, for ever or until the server closes it.
#[derive(Clone, Copy)]
enum BadCaller {
    /// Nothing.
    Idles,
    /// Shuts down its side at once, and does not go.
    IsHalfOpen,
    /// Comes and goes with a reset, again and again.
    Resets,
    /// Sends rubbish without end.
    Babbles,
    /// Sends a byte now and then.
    Dribbles,
}

impl BadCaller {
    async fn call(self, port: u16) -> io::Result<()> {
        let mut stream = connect(port).await?;
        match self {
            Self::Idles => std::future::pending().await,
            Self::IsHalfOpen => {
                stream.shutdown().await?;
                std::future::pending().await
            }
            Self::Resets => {
                stream.set_zero_linger()?;
                sleep(Duration::from_millis(1)).await;
                Ok(())
            }
            Self::Babbles => loop {
                stream.write_all(&[0xa5; 4096]).await?;
            },
            Self::Dribbles => loop {
                stream.write_all(b"x").await?;
                sleep(Duration::from_millis(50)).await;
            },
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fault_39_bad_callers_are_cut_off_and_good_ones_get_their_line() {
    let Some(_) = test_zookeeper::require() else { return };
    let Some(_) = room_for(1000) else { return };
    let zk = Server::start().await.unwrap();
    let bed = TestBed::new(default_log(real()), vec![zk.addr()]);
    let port = free_port();
    let server = bed.server(&[port]);
    let before = bed.observer.until("the server", SOON, all_of(&[port])).await.unwrap();
    let at_rest = descriptors(server.pid());

    let mut bad = JoinSet::new();
    for (kind, count) in [
        (BadCaller::Idles, 500),
        (BadCaller::IsHalfOpen, 50),
        (BadCaller::Babbles, 10),
        (BadCaller::Dribbles, 50),
    ] {
        for _ in 0..count {
            bad.spawn(async move { kind.call(port).await });
        }
    }
    let mut resets = JoinSet::new();
    for _ in 0..5 {
        resets.spawn(async move {
            loop {
                // The server may close it first.
                let _ = BadCaller::Resets.call(port).await;
                sleep(Duration::from_millis(5)).await;
            }
        });
    }
    until("all bad callers are connected", SOON, || descriptors(server.pid()) > at_rest + 500).await.unwrap();
    let there = Instant::now();
    for round in 0..100 {
        let (silent, talking) = tokio::join!(ask(port, b""), ask(port, b"timestamp"));
        silent.and(talking).unwrap_or_else(|error| panic!("I3: round {round}: {error}"));
        sleep(Duration::from_millis(5)).await;
    }
    resets.shutdown().await;
    let left = CONNECTION.saturating_sub(there.elapsed()) + Duration::from_secs(1);
    until("the bad ones are cut", left, || descriptors(server.pid()) <= at_rest).await.unwrap();
    assert!(!bad.is_empty(), "the server, not the callers, ended the connections");
    no_panic(&server.err()).unwrap();
    let after = bed.observer.until("the server", PROPAGATION, all_of(&[port])).await.unwrap();
    assert_eq!(after, before, "I7");
}

// === 40: ten thousand at once ===

const MANY: usize = 10_000;

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Outcome {
    Answered,
    /// Not a byte came.
    TurnedAway,
    /// Some of the line came, or no end.
    Mangled(String),
}

/// One of many callers, from one of several addresses: one address has too few ports for all.
async fn call(from: Ipv4Addr, port: u16, all_have_come: Arc<Barrier>) -> Outcome {
    let mut answer = Vec::new();
    let calling = async {
        let socket = TcpSocket::new_v4()?;
        socket.bind(SocketAddrV4::new(from, 0).into())?;
        let connected = socket.connect(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).await;
        let read = match connected {
            Ok(mut stream) => {
                let read = stream.read_to_end(&mut answer).await;
                // The connection is kept until all callers have come.
                return Ok((read.map(drop), Some(stream)));
            }
            Err(error) => Err(error),
        };
        Ok::<_, io::Error>((read, None))
    };
    let outcome = timeout(SOON, calling).await;
    all_have_come.wait().await;
    let answer = String::from_utf8_lossy(&answer);
    match outcome {
        Ok(Ok((Ok(()), _))) if is_whole(&answer, port) => Outcome::Answered,
        Ok(Ok(_)) if answer.is_empty() => Outcome::TurnedAway,
        Ok(Ok((end, _))) => Outcome::Mangled(format!("{answer:?}, {end:?}")),
        Ok(Err(error)) => Outcome::Mangled(format!("no socket: {error}")),
        Err(_) => Outcome::Mangled(format!("{answer:?}, and no end")),
    }
}

/// Ten thousand callers at once, at a server with this `max_connections`.
async fn burst(max_connections: usize) -> Vec<Outcome> {
    let zk = Server::start().await.unwrap();
    let bed = TestBed::new(default_log(real()), vec![zk.addr()]);
    let port = free_port();
    bed.write("wide.toml", &format!("[server]\nmax_connections = {max_connections}\n"));
    let server = bed.server_in("exec \"$@\"", &["--config", "wide.toml", "--port", &port.to_string()]);
    let before = bed.observer.until("the server", SOON, all_of(&[port])).await.unwrap();
    let began = Instant::now();
    let all_have_come = Arc::new(Barrier::new(MANY));
    let mut calls = JoinSet::new();
    for caller in 0..MANY {
        let from = Ipv4Addr::new(127, 0, 0, 2 + (caller % 50) as u8);
        calls.spawn(call(from, port, all_have_come.clone()));
    }
    let outcomes = calls.join_all().await;
    // All have gone, or are cut off soon: the next caller is served.
    let gone = Instant::now();
    while let Err(error) = ask(port, b"").await {
        assert!(gone.elapsed() < CONNECTION + Duration::from_secs(1), "{error}");
    }
    sleep(gone_within()).await;
    let peak = peak_memory(server.pid());
    assert!(peak <= 200_000_000, "{peak} bytes");
    let after = bed.observer.until("the server", PROPAGATION, all_of(&[port])).await.unwrap();
    assert_eq!(after, before, "I7: the same znode of the same session");
    never_missing(&bed.observer.since(began), &[name(port)]).unwrap();
    no_panic(&server.err()).unwrap();
    let mangled: Vec<_> = outcomes.iter().filter(|outcome| **outcome > Outcome::TurnedAway).collect();
    assert!(mangled.is_empty(), "{} of {MANY}: {:?}", mangled.len(), mangled.first());
    outcomes
}

fn count(outcomes: &[Outcome], wanted: &Outcome) -> usize {
    outcomes.iter().filter(|outcome| *outcome == wanted).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fault_40_ten_thousand_callers_at_once_are_answered_or_turned_away_cleanly() {
    let Some(_) = test_zookeeper::require() else { return };
    let Some(_) = heavy("ten thousand connections at once") else { return };
    let Some(_) = room_for(MANY as u64) else { return };
    let outcomes = burst(1024).await;
    assert!(count(&outcomes, &Outcome::Answered) >= 1024, "{}", count(&outcomes, &Outcome::Answered));
    let outcomes = burst(2 * MANY).await;
    assert_eq!(count(&outcomes, &Outcome::Answered), MANY, "there was room for all");
}

// === 45: the listening socket dies ===

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fault_45_a_server_whose_listening_socket_dies_deregisters_and_ends_with_1() {
    let Some(_) = test_zookeeper::require() else { return };
    let why = "a listening socket is destroyed by ss -K";
    let Some(_) = root(why) else { return };
    let Some(_) = program("ss", "iproute2", why) else { return };
    let zk = Server::start().await.unwrap();
    let bed = TestBed::new(default_log(real()), vec![zk.addr()]);
    let ports = free_ports(2);
    let server = bed.server(&ports);
    bed.observer.until("both ports", SOON, all_of(&ports)).await.unwrap();
    let used = processor_time(server.pid());
    let filter = format!("sport = :{}", ports[0]);
    let killed =
        Command::new("ss").args(["-K", "-ltn", "src", "127.0.0.1", "and", &filter]).output().unwrap();
    if connect(ports[0]).await.is_ok() {
        skipped("this kernel does not destroy listening sockets", &format!("{killed:?}"));
        return;
    }
    bed.observer.until("both ports are deregistered", Duration::from_secs(1), all_of(&[])).await.unwrap();
    let used = processor_time(server.pid()) - used;
    assert!(used < Duration::from_millis(200), "I10: {used:?} of processor time");
    let exit = server.exit(Duration::from_secs(5)).await.unwrap();
    assert_eq!(exit.code, Some(1), "{}", exit.err);
    let error = exit.err.lines().last().unwrap_or_default();
    assert!(error.contains(&name(ports[0])) && error.contains("dead"), "{}", exit.err);
    assert!(exit.err.lines().count() < 50, "I10: {}", exit.err);
}
