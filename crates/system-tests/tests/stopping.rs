//! Every way in which a program ends: what it leaves behind on ZooKeeper.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeSet;
use std::io::Write;
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use system_tests::{Process, Programs, TestBed, free_port, free_ports};
use test_zookeeper::Server;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use zk_testing::proxy::{Action, Match, Op, Proxy};
use zk_testing::raw;
use zk_testing::{SESSION, SOON};

/// The most that the server grants: a session that is left to expire stays for longer than one that is closed takes on
/// How long an orderly end may take.
const ORDERLY: Duration = Duration::from_secs(5);
/// Half a second, on a busy machine.
const AT_ONCE: Duration = Duration::from_secs(2);

/// By all of these a system asks a program to stop.
const STOPS: [Signal; 7] = [
    Signal::SIGTERM,
    Signal::SIGINT,
    Signal::SIGHUP,
    Signal::SIGQUIT,
    Signal::SIGALRM,
    Signal::SIGXCPU,
    Signal::SIGPWR,
];

fn programs() -> Programs {
    Programs {
        server: env!("CARGO_BIN_EXE_system-daytime-server").into(),
        client: env!("CARGO_BIN_EXE_system-daytime-client").into(),
        environment: vec![],
    }
}

async fn bed() -> (Server, TestBed) {
    let zk = Server::start().await.unwrap();
    let bed = TestBed::new(programs(), vec![zk.addr()]).with_session(2 * SESSION);
    // Its session is there before any other is counted.
    bed.observer.until("an answer", SOON, |_| true).await.unwrap();
    (zk, bed)
}

fn name(port: u16) -> String {
    format!("127.0.0.1:{port}")
}

async fn registered(bed: &TestBed, ports: &[u16]) -> std::collections::BTreeMap<String, system_tests::Node> {
    let names: BTreeSet<_> = ports.iter().copied().map(name).collect();
    let all = |nodes: &std::collections::BTreeMap<String, _>| {
        nodes.keys().cloned().collect::<BTreeSet<String>>() == names
    };
    bed.observer.until("all registered", SOON, all).await.unwrap()
}

async fn said(process: &Process, text: &str) {
    let deadline = Instant::now() + SOON;
    while !process.err().contains(text) {
        assert!(Instant::now() < deadline, "{text:?} was not said:\n{}", process.err());
        sleep(Duration::from_millis(5)).await;
    }
}

async fn printed(process: &Process, lines: usize) {
    let deadline = Instant::now() + SOON;
    while process.out().len() < lines {
        assert!(Instant::now() < deadline, "no {lines} lines:\n{}", process.err());
        sleep(Duration::from_millis(5)).await;
    }
}

/// The sessions that the server holds. While it moves one to a later expiry it may leave it out.
async fn sessions(zk: &Server) -> BTreeSet<String> {
    let dump = zk_testing::four_letter_word(zk.addr(), "dump").await.unwrap();
    let (sessions, _) = dump.split_once("phemeral").unwrap();
    let ids = sessions.split_whitespace().filter(|word| word.starts_with("0x"));
    ids.map(|id| id.trim_end_matches(':').to_owned()).collect()
}

/// The sessions of everybody who is there before a test begins to count: the observer's, and those of servers.
async fn sessions_of(zk: &Server, count: usize) -> BTreeSet<String> {
    let deadline = Instant::now() + SOON;
    loop {
        let sessions = sessions(zk).await;
        if sessions.len() == count {
            return sessions;
        }
        assert!(Instant::now() < deadline, "not {count} sessions: {sessions:?}");
        sleep(Duration::from_millis(20)).await;
    }
}

/// Somebody has a session besides.
async fn another_session_than(before: &BTreeSet<String>, zk: &Server, whose: &str) {
    let deadline = Instant::now() + SOON;
    while sessions(zk).await.is_subset(before) {
        assert!(Instant::now() < deadline, "{whose}: no session");
        sleep(Duration::from_millis(5)).await;
    }
}

/// Nothing is left of a program that has ended this moment: had it left its session to expire, that would stay longer.
async fn no_session_but(before: &BTreeSet<String>, zk: &Server, whose: &str) {
    let deadline = Instant::now() + SESSION;
    loop {
        let left: Vec<_> = sessions(zk).await.difference(before).cloned().collect();
        if left.is_empty() {
            return;
        }
        assert!(Instant::now() < deadline, "{whose} left {left:?}");
        sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_way_to_ask_a_server_to_stop_takes_it_out() {
    let Some(_) = test_zookeeper::require() else { return };
    let (zk, bed) = bed().await;
    let before = sessions_of(&zk, 1).await;
    let ports = free_ports(STOPS.len());
    let servers: Vec<_> = ports.iter().map(|port| bed.server(&[*port])).collect();
    registered(&bed, &ports).await;
    sessions_of(&zk, 1 + STOPS.len()).await;
    for (server, signal) in servers.iter().zip(STOPS) {
        server.signal(signal);
    }
    for (server, signal) in servers.into_iter().zip(STOPS) {
        let exit = server.exit(ORDERLY).await.unwrap();
        assert_eq!(exit.code, Some(0), "{signal}: {}", exit.err);
        assert!(exit.err.contains("session closed"), "{signal}: {}", exit.err);
    }
    no_session_but(&before, &zk, "a server").await;
    bed.observer.until("none", AT_ONCE, |nodes| nodes.is_empty()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_ignored_at_the_start_stays_ignored_and_what_means_nothing_does_nothing() {
    let Some(_) = test_zookeeper::require() else { return };
    let (_zk, bed) = bed().await;
    let port = free_port();
    // As `nohup`, and as a script that starts a job in the background.
    let ignoring = "trap '' HUP INT QUIT; exec \"$@\"";
    let server = bed.server_in(ignoring, &["--port", &port.to_string()]);
    let before = registered(&bed, &[port]).await;
    let watch = bed.client_in(ignoring, &["watch"]);
    said(&watch, "supervisor: connected").await;
    for process in [&server, &watch] {
        for signal in [Signal::SIGHUP, Signal::SIGINT, Signal::SIGQUIT, Signal::SIGUSR1, Signal::SIGUSR2] {
            process.signal(signal);
        }
    }
    for meaningless in ["SIGUSR1", "SIGUSR2"] {
        said(&server, &format!("this signal has no meaning here signal={meaningless}")).await;
    }
    said(&watch, "this signal has no meaning here signal=SIGUSR2").await;
    said(&watch, "SIGUSR1: nothing is held").await;
    // What was heard with them has been acted upon when the next one is.
    server.signal(Signal::SIGUSR1);
    let deadline = Instant::now() + SOON;
    while server.err().matches("signal=SIGUSR1").count() < 2 {
        assert!(Instant::now() < deadline, "{}", server.err());
        sleep(Duration::from_millis(5)).await;
    }
    assert!(!server.err().contains("stopping"), "{}", server.err());
    assert_eq!(registered(&bed, &[port]).await, before);
    TcpStream::connect(("127.0.0.1", port)).await.expect("it serves on");
    let lines = watch.out().len();
    let _other = bed.server(&[free_port()]);
    printed(&watch, lines + 1).await;
    for process in [server, watch] {
        process.signal(Signal::SIGTERM);
        let exit = process.exit(ORDERLY).await.unwrap();
        assert_eq!(exit.code, Some(0), "{}", exit.err);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_signals_of_one_stop_are_one_stop() {
    let Some(_) = test_zookeeper::require() else { return };
    let (zk, bed) = bed().await;
    let before = sessions_of(&zk, 1).await;
    let cases = [
        (Signal::SIGTERM, Signal::SIGTERM, 0),
        (Signal::SIGINT, Signal::SIGTERM, 0),
        (Signal::SIGTERM, Signal::SIGTERM, 5),
        (Signal::SIGINT, Signal::SIGINT, 20),
        (Signal::SIGHUP, Signal::SIGTERM, 200),
    ];
    let ports = free_ports(cases.len());
    let servers: Vec<_> = ports.iter().map(|port| bed.server(&[*port])).collect();
    registered(&bed, &ports).await;
    for (server, (first, second, gap)) in servers.into_iter().zip(cases) {
        server.signal(first);
        sleep(Duration::from_millis(gap)).await;
        server.signal(second);
        let exit = server.exit(ORDERLY).await.unwrap();
        assert_eq!(exit.code, Some(0), "{first}, {second} {gap} ms later: {}", exit.err);
    }
    no_session_but(&before, &zk, "a server").await;
    bed.observer.until("none", AT_ONCE, |nodes| nodes.is_empty()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_signal_later_than_a_second_waits_for_nobody_and_still_takes_the_server_out() {
    let Some(_) = test_zookeeper::require() else { return };
    let (zk, bed) = bed().await;
    let before = sessions_of(&zk, 1).await;
    // What it is in when the second one comes: settling, or waiting for a caller.
    let cases = [("settle = '10s'", "serving on"), ("settle = '0s'\ngrace = '30s'", "serving on")];
    for (settings, stage) in cases {
        let port = free_port();
        let file = format!("[server]\nports = [{port}]\nconnection_timeout = '60s'\n{settings}\n");
        bed.write("config/daytime.toml", &file);
        let server = bed.server_with(&["--zookeeper", bed.hosts()]);
        registered(&bed, &[port]).await;
        let _idle = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        server.signal(Signal::SIGTERM);
        said(&server, stage).await;
        sleep_until(Instant::now() + Duration::from_millis(1100)).await;
        let forced = Instant::now();
        server.signal(Signal::SIGHUP);
        let exit = server.exit(AT_ONCE).await.unwrap();
        println!("{settings:?}: {:?}", forced.elapsed());
        assert_eq!(exit.code, Some(1), "{settings}: {}", exit.err);
        no_session_but(&before, &zk, settings).await;
        bed.observer.until("none", AT_ONCE, |nodes| nodes.is_empty()).await.unwrap();
    }
}

/// The client's commands, each in the middle of what it does.
async fn busy(bed: &TestBed, through: &Proxy, command: &str) -> Process {
    match command {
        "ask" => {
            let client = bed.client(&["--rounds", "1000000", "--interval", "5ms"]);
            printed(&client, 1).await;
            client
        }
        "watch" => {
            let client = bed.client(&["watch"]);
            said(&client, "supervisor: connected").await;
            client
        }
        // These end by themselves: unless an answer is kept from them.
        _ => {
            let kept = [Op::GetChildren, Op::GetChildren2];
            let kept = kept.map(|op| through.on(Match::op(op).always(), Action::SwallowReply));
            let hosts = through.connect_string();
            let client = bed.client_with(&[command, "--zookeeper", &hosts, "--session-timeout", "4s"]);
            let deadline = Instant::now() + SOON;
            while !kept.iter().any(|rule| rule.fired()) {
                assert!(Instant::now() < deadline, "{command}: {}", client.err());
                sleep(Duration::from_millis(5)).await;
            }
            kept.iter().for_each(|rule| rule.lift());
            client
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_ends_the_client_its_session_ends_with_it() {
    let Some(_) = test_zookeeper::require() else { return };
    let (zk, bed) = bed().await;
    let through = Proxy::start(zk.addr()).await.unwrap();
    let port = free_port();
    let _server = bed.server(&[port]);
    registered(&bed, &[port]).await;
    let before = sessions_of(&zk, 2).await;
    for (command, code) in [("ask", 1), ("watch", 0), ("list", 1), ("doctor", 1)] {
        for signal in STOPS {
            let client = busy(&bed, &through, command).await;
            another_session_than(&before, &zk, command).await;
            let asked = Instant::now();
            client.signal(signal);
            // It may be sent twice, too.
            client.signal(signal);
            let exit = client.exit(AT_ONCE).await.unwrap_or_else(|e| panic!("{command}, {signal}: {e}"));
            no_session_but(&before, &zk, &format!("{command}, after {signal}")).await;
            assert_eq!(exit.code, Some(code), "{command}, {signal}: {}", exit.err);
            println!("{command}, {signal}: {:?}", asked.elapsed());
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_nobody_reads_on_or_waiting_is_over_the_client_s_session_ends_with_it() {
    let Some(_) = test_zookeeper::require() else { return };
    let (zk, bed) = bed().await;
    let port = free_port();
    let _server = bed.server(&[port]);
    registered(&bed, &[port]).await;
    let before = sessions_of(&zk, 2).await;
    let commands: [&[&str]; 5] = [
        &["--rounds", "1000000", "--interval", "1ms"],
        &["watch"],
        &["watch", "--json"],
        &["list"],
        &["doctor"],
    ];
    for command in commands {
        let client = bed.client_in("{ \"$@\"; echo ended: $? >&2; } | head -1", command);
        printed(&client, 1).await;
        // Something to tell, for who only speaks when something happens.
        let by_hand = raw::Client::connect(zk.addr(), Duration::from_secs(4)).await.unwrap();
        let path = format!("/go_servers/{}", name(1));
        while timeout(Duration::from_millis(100), said(&client, "ended: ")).await.is_err() {
            by_hand.create(&path, b"", raw::CreateMode::Ephemeral).await.unwrap();
            by_hand.delete(&path, None).await.unwrap();
        }
        by_hand.close().await.unwrap();
        let exit = client.exit(SOON).await.unwrap();
        no_session_but(&before, &zk, &format!("{command:?}")).await;
        assert!(exit.err.contains("ended: 0"), "{command:?}: {}", exit.err);
    }
    let client = bed.client(&["--root", "/nothing", "--wait", "400ms"]);
    assert_eq!(client.exit(SOON).await.unwrap().code, Some(1));
    no_session_but(&before, &zk, "who gave up").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_that_stands_still_does_not_keep_the_client_from_ending() {
    let Some(_) = test_zookeeper::require() else { return };
    let (zk, bed) = bed().await;
    let port = free_port();
    let _server = bed.server(&[port]);
    registered(&bed, &[port]).await;
    let before = sessions_of(&zk, 2).await;
    for (arguments, code) in [(&["watch"][..], 0), (&["--rounds", "9", "--interval", "1ms"][..], 1)] {
        // A pipe that is full.
        let (_reader, mut writer) = std::io::pipe().unwrap();
        let full = writer.try_clone().unwrap();
        let filling = std::thread::spawn(move || writer.write_all(&[b'\n'; 1 << 16]));
        filling.join().unwrap().unwrap();
        let mut client = Command::new("env")
            .arg("--default-signal")
            .arg(programs().client)
            .args(["--zookeeper", bed.hosts(), "--session-timeout", "4s"])
            .args(arguments)
            .env("RUST_LOG", "off")
            .stdin(Stdio::null())
            .stdout(full)
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        another_session_than(&before, &zk, &format!("{arguments:?}")).await;
        // In the write, by now: nothing else can be seen of it.
        sleep(Duration::from_millis(500)).await;
        let pid = Pid::from_raw(client.id().try_into().unwrap());
        kill(pid, Signal::SIGTERM).unwrap();
        let deadline = Instant::now() + AT_ONCE;
        let status = loop {
            match client.try_wait().unwrap() {
                Some(status) => break status,
                None if Instant::now() > deadline => {
                    client.kill().unwrap();
                    panic!("{arguments:?}: it hangs");
                }
                None => sleep(Duration::from_millis(5)).await,
            }
        };
        no_session_but(&before, &zk, &format!("{arguments:?}")).await;
        assert_eq!(status.code(), Some(code), "{arguments:?}");
    }
}
