//! Every way in which a program ends, and that no session and no znode of it is left.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeSet;
use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use discovery::{Change, Discovery, Records, Snapshot, View};
use instance::Instance;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use system_tests::{Process, TestBed, free_port, free_ports, name};
use test_zookeeper::Server;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use zk_core::Zk;
use zk_testing::proxy::{Action, Match, Op, Proxy, Seen};
use zk_testing::{SESSION, SOON, eventually, holds_within, raw};

/// How long an orderly end may take.
const ORDERLY: Duration = Duration::from_secs(5);
/// Half a second, on a busy machine.
const AT_ONCE: Duration = Duration::from_secs(2);

/// The signals that ask a program to stop.
const STOPS: [Signal; 7] = [
    Signal::SIGTERM,
    Signal::SIGINT,
    Signal::SIGHUP,
    Signal::SIGQUIT,
    Signal::SIGALRM,
    Signal::SIGXCPU,
    Signal::SIGPWR,
];

async fn bed() -> (Server, TestBed) {
    let zk = Server::start().await.unwrap();
    let bed = TestBed::new(system_tests::programs!(), vec![zk.addr()]);
    // The longest timeout that the server grants: a session that is left to expire stays for twice as long as a test
    // waits for the end of one.
    let bed = bed.with_session(2 * SESSION);
    // The observer's session is there before any other is counted.
    bed.observer.until("an answer", SOON, |_| true).await.unwrap();
    (zk, bed)
}

/// The sessions of a ZooKeeper. It may leave one out while it moves it to a later expiry.
async fn sessions(zk: &Server) -> BTreeSet<String> {
    let dump = zk_testing::four_letter_word(zk.addr(), "dump").await.unwrap();
    let (sessions, _) = dump.split_once("phemeral").unwrap();
    let ids = sessions.split_whitespace().filter(|word| word.starts_with("0x"));
    ids.map(|id| id.trim_end_matches(':').to_owned()).collect()
}

/// The sessions of all that were there before a test begins to count: the observer, and servers.
async fn sessions_of(zk: &Server, count: usize) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    eventually(&format!("there are {count} sessions"), async || {
        found = sessions(zk).await;
        found.len() == count
    })
    .await;
    found
}

/// Waits until there is a session besides those.
async fn another_session_than(before: &BTreeSet<String>, zk: &Server, whose: &str) {
    let claim = format!("{whose} has a session");
    eventually(&claim, async || !sessions(zk).await.is_subset(before)).await;
}

/// A program that has just ended has closed its session: one that it had left to expire would stay for longer than this
/// waits.
async fn no_session_but(before: &BTreeSet<String>, zk: &Server, whose: &str) {
    let mut left = Vec::new();
    let closed = holds_within("the session is closed", SESSION, async || {
        left = sessions(zk).await.difference(before).cloned().collect();
        left.is_empty()
    });
    closed.await.unwrap_or_else(|late| panic!("{whose}: {late}: {left:?}"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_stop_signal_deregisters_the_server_and_closes_its_session() {
    let Some(_) = test_zookeeper::require() else { return };
    let (zk, bed) = bed().await;
    let before = sessions_of(&zk, 1).await;
    let ports = free_ports(STOPS.len());
    let servers: Vec<_> = ports.iter().map(|port| bed.server(&[*port])).collect();
    bed.registered(&ports).await;
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

/// Follows the records of the root.
fn follow(zk: &Server) -> (Zk, Discovery) {
    let link = Zk::start(zk_core::ZkConfig::new(&zk.connect_string()).unwrap()).unwrap();
    let config = discovery::DiscoveryConfig::new("/go_servers".parse().unwrap()).with_records(Records::Read);
    // One-shot watches do not see that a leave is told.
    let config = config.with_hold(Duration::ZERO).unwrap();
    let discovery = Discovery::start(&link, config);
    (link, discovery)
}

/// Waits until a server knows that its instances are registered: that is after the znodes are there, once it watches them.
async fn knows_that_it_is_registered(server: &Process, instances: usize) {
    let known = async || server.err().matches("report: registered ").count() == instances;
    eventually("it knows that it is registered", known).await;
}

/// How often each znode was written before the first of them left. None was after that.
fn writes_before_the_first_leave(through: &Proxy, ports: &[u16]) -> Vec<usize> {
    let requests = through.requests();
    let is_leave = |seen: &Seen| matches!(seen.op, Op::Multi | Op::Delete | Op::CloseSession);
    let first = requests.iter().position(is_leave).unwrap();
    let of = |requests: &[Seen], path: &str| {
        requests.iter().filter(|seen| seen.op == Op::SetData && seen.path.as_deref() == Some(path)).count()
    };
    let paths: Vec<_> = ports.iter().map(|port| format!("/go_servers/{}", name(*port))).collect();
    for path in &paths {
        assert_eq!(of(&requests[first..], path), 0, "{path} is written as it leaves: {requests:?}");
    }
    paths.iter().map(|path| of(&requests[..first], path)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_says_that_it_is_draining_while_it_still_answers_and_then_leaves() {
    let Some(_) = test_zookeeper::require() else { return };
    let (zk, bed) = bed().await;
    let through = Proxy::start(zk.addr()).await.unwrap();
    let bed = bed.through(through.addr());
    let ports = free_ports(3);
    // A third of it, and not more than half a second, is the time that a busy machine has to notice.
    let file = format!("[server]\nports = {ports:?}\nsettle = '3s'\n");
    bed.write("config/daytime.toml", &file);
    let server = bed.server_with(&["--zookeeper", bed.hosts()]);
    knows_that_it_is_registered(&server, ports.len()).await;
    let (_link, discovery) = follow(&zk);
    let mut views = discovery.views();
    let with_records = |view: &Arc<View>| {
        let instances = view.snapshot.iter().flat_map(|set| set.instances());
        instances.filter(|instance| instance.owner().is_some()).count() == ports.len()
    };
    timeout(SOON, views.wait_for(with_records)).await.expect("all with their records").unwrap();
    let mut changes = discovery.changes();
    let Some(Change::Reset(before)) = changes.next().await else { panic!("the whole set first") };
    through.clear();

    server.signal(Signal::SIGTERM);
    let (mut draining, mut gone) = (BTreeSet::new(), BTreeSet::new());
    while gone.len() < ports.len() {
        match timeout(SOON, changes.next()).await.expect("another change").unwrap() {
            Change::Updated { old, new } => {
                assert!(new.is_draining(), "{new:?}");
                assert_eq!(old, *before.get(old.endpoint()).unwrap());
                assert_eq!(Instance::clone(&new).with_draining(false), *old, "nothing else changes");
                assert!(gone.is_empty(), "all say so before one leaves");
                draining.insert(new.endpoint().port());
            }
            Change::Removed(last) => {
                assert!(last.is_draining() && draining.contains(&last.endpoint().port()), "{last:?}");
                TcpStream::connect(("127.0.0.1", last.endpoint().port())).await.expect("it settles");
                gone.insert(last.endpoint().port());
            }
            // A busy machine may miss a view.
            Change::Reset(set) => {
                let of = |set: &Snapshot| set.endpoints().map(|one| one.port()).collect::<BTreeSet<_>>();
                draining.extend(set.instances().filter(|one| one.is_draining()).map(|i| i.endpoint().port()));
                gone.extend(of(&before).difference(&of(&set)));
            }
            Change::Added(instance) => panic!("{instance:?}"),
        }
    }
    assert_eq!(draining.len(), ports.len(), "{draining:?}");
    let exit = server.exit(ORDERLY).await.unwrap();
    assert_eq!(exit.code, Some(0), "{}", exit.err);
    assert_eq!(writes_before_the_first_leave(&through, &ports), [1, 1, 1], "one write each");
}

/// No reply, a refusal, no link: the stop takes its time, and no instance stays.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_cannot_say_that_it_is_draining_stops_in_time_all_the_same() {
    let Some(_) = test_zookeeper::require() else { return };
    let (zk, bed) = bed().await;
    let through = Proxy::start(zk.addr()).await.unwrap();
    let bed = bed.through(through.addr());
    let by_hand = raw::Client::connect(zk.addr(), Duration::from_secs(4)).await.unwrap();
    for (trouble, logged) in [
        ("no reply", "leave not announced in the records: no reply in time"),
        ("no reply ever again", "leave not announced in the records: no reply in time"),
        ("the write is denied", "leave announced in the records written=0"),
        ("no link", "leave announced in the records written=0"),
    ] {
        let port = free_port();
        let server = bed.server(&[port]);
        knows_that_it_is_registered(&server, 1).await;
        match trouble {
            "no reply" => drop(through.on(Match::op(Op::SetData), Action::SwallowReply)),
            "no reply ever again" => through.hang().await.unwrap(),
            "the write is denied" => {
                let all_but_write = raw::permission::ALL & !raw::permission::WRITE;
                let acl = raw::Acl::new(all_but_write, "world", "anyone");
                by_hand.set_acl(&format!("/go_servers/{}", name(port)), &[acl]).await.unwrap();
            }
            _ => {
                through.refuse().await;
                server.until_logged("connection lost").await;
            }
        }
        server.signal(Signal::SIGTERM);
        let exit = server.exit(ORDERLY).await.unwrap_or_else(|late| panic!("{trouble}: {late}"));
        assert_eq!(exit.code, Some(0), "{trouble}: {}", exit.err);
        assert!(exit.err.contains(logged), "{trouble}: {}", exit.err);
        through.pass().await.unwrap();
        // With its session, where nothing else was possible.
        let gone = bed.observer.until("none", SOON, |nodes| nodes.is_empty()).await;
        gone.unwrap_or_else(|left| panic!("{trouble}: {left}"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn signals_ignored_at_the_start_stay_ignored_and_sigusr1_and_sigusr2_stop_nothing() {
    let Some(_) = test_zookeeper::require() else { return };
    let (_zk, bed) = bed().await;
    let port = free_port();
    // As `nohup`, and as a script that starts a job in the background.
    let ignoring = "trap '' HUP INT QUIT; exec \"$@\"";
    let server = bed.server_in(ignoring, &["--port", &port.to_string()]);
    let before = bed.registered(&[port]).await;
    let watch = bed.client_in(ignoring, &["watch"]);
    watch.until_logged("supervisor: connected").await;
    for process in [&server, &watch] {
        for signal in [Signal::SIGHUP, Signal::SIGINT, Signal::SIGQUIT, Signal::SIGUSR1, Signal::SIGUSR2] {
            process.signal(signal);
        }
    }
    for unused in ["SIGUSR1", "SIGUSR2"] {
        server.until_logged(&format!("signal ignored: this program does not use it signal={unused}")).await;
    }
    watch.until_logged("signal ignored: this program does not use it signal=SIGUSR2").await;
    watch.until_logged("SIGUSR1: no instances are held").await;
    // A program handles signals in order: once it has logged the next one, it has handled those before.
    server.signal(Signal::SIGUSR1);
    let twice = async || server.err().matches("signal=SIGUSR1").count() == 2;
    eventually("SIGUSR1 is logged twice", twice).await;
    assert!(!server.err().contains("stopping"), "{}", server.err());
    assert_eq!(bed.registered(&[port]).await, before);
    TcpStream::connect(("127.0.0.1", port)).await.expect("it keeps serving");
    let lines = watch.out().len();
    let _other = bed.server(&[free_port()]);
    watch.until_lines(lines + 1).await.unwrap();
    for process in [server, watch] {
        process.signal(Signal::SIGTERM);
        let exit = process.exit(ORDERLY).await.unwrap();
        assert_eq!(exit.code, Some(0), "{}", exit.err);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_signals_within_a_second_are_one_stop() {
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
    bed.registered(&ports).await;
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
async fn a_second_signal_after_a_second_forces_the_stop_and_still_deregisters() {
    let Some(_) = test_zookeeper::require() else { return };
    let (zk, bed) = bed().await;
    let before = sessions_of(&zk, 1).await;
    // When the second signal comes, the server settles, or waits for a caller.
    let cases = [("settle = '10s'", "settling"), ("settle = '0s'\ngrace = '30s'", "draining")];
    for (settings, stage) in cases {
        let port = free_port();
        let file = format!("[server]\nports = [{port}]\nconnection_timeout = '60s'\n{settings}\n");
        bed.write("config/daytime.toml", &file);
        let server = bed.server_with(&["--zookeeper", bed.hosts()]);
        bed.registered(&[port]).await;
        let _idle = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        server.signal(Signal::SIGTERM);
        server.until_logged(stage).await;
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
            client.until_lines(1).await.unwrap();
            client
        }
        "watch" => {
            let client = bed.client(&["watch"]);
            client.until_logged("supervisor: connected").await;
            client
        }
        // `list` and `doctor` end by themselves, unless a reply is kept from them.
        _ => {
            let kept = [Op::GetChildren, Op::GetChildren2];
            let kept = kept.map(|op| through.on(Match::op(op).always(), Action::SwallowReply));
            let hosts = through.connect_string();
            let client = bed.client_with(&[command, "--zookeeper", &hosts, "--session-timeout", "4s"]);
            let waits = async || kept.iter().any(|rule| rule.fired());
            eventually(&format!("{command} waits for a list"), waits).await;
            kept.iter().for_each(|rule| rule.lift());
            client
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_stop_signal_closes_the_client_s_session() {
    let Some(_) = test_zookeeper::require() else { return };
    let (zk, bed) = bed().await;
    let through = Proxy::start(zk.addr()).await.unwrap();
    let port = free_port();
    let _server = bed.server(&[port]);
    bed.registered(&[port]).await;
    let before = sessions_of(&zk, 2).await;
    for (command, code) in [("ask", 1), ("watch", 0), ("list", 1), ("doctor", 1)] {
        for signal in STOPS {
            let client = busy(&bed, &through, command).await;
            another_session_than(&before, &zk, command).await;
            let asked = Instant::now();
            client.signal(signal);
            // Twice within a second is one stop.
            client.signal(signal);
            let exit = client.exit(AT_ONCE).await.unwrap_or_else(|e| panic!("{command}, {signal}: {e}"));
            no_session_but(&before, &zk, &format!("{command}, after {signal}")).await;
            assert_eq!(exit.code, Some(code), "{command}, {signal}: {}", exit.err);
            println!("{command}, {signal}: {:?}", asked.elapsed());
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_closed_pipe_and_an_exceeded_wait_close_the_client_s_session() {
    let Some(_) = test_zookeeper::require() else { return };
    let (zk, bed) = bed().await;
    let port = free_port();
    let _server = bed.server(&[port]);
    bed.registered(&[port]).await;
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
        client.until_lines(1).await.unwrap();
        // `watch` prints when something changes, and notices only then that its reader has gone.
        let by_hand = raw::Client::connect(zk.addr(), Duration::from_secs(4)).await.unwrap();
        let path = format!("/go_servers/{}", name(1));
        while timeout(Duration::from_millis(100), client.until_logged("ended: ")).await.is_err() {
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
    no_session_but(&before, &zk, "a client that gave up").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_blocked_reader_does_not_keep_the_client_from_ending() {
    let Some(_) = test_zookeeper::require() else { return };
    let (zk, bed) = bed().await;
    let port = free_port();
    let _server = bed.server(&[port]);
    bed.registered(&[port]).await;
    let before = sessions_of(&zk, 2).await;
    for (arguments, code) in [(&["watch"][..], 0), (&["--rounds", "9", "--interval", "1ms"][..], 1)] {
        // A pipe that is full.
        let (_reader, mut writer) = std::io::pipe().unwrap();
        let full = writer.try_clone().unwrap();
        let filling = std::thread::spawn(move || writer.write_all(&[b'\n'; 1 << 16]));
        filling.join().unwrap().unwrap();
        let mut client = Command::new("env")
            .arg("--default-signal")
            .arg(system_tests::programs!().client)
            .args(["--zookeeper", bed.hosts(), "--session-timeout", "4s"])
            .args(arguments)
            .env("RUST_LOG", "off")
            .stdin(Stdio::null())
            .stdout(full)
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        another_session_than(&before, &zk, &format!("{arguments:?}")).await;
        // It is blocked in the write by now, of which nothing can be seen.
        sleep(Duration::from_millis(500)).await;
        let pid = Pid::from_raw(client.id().try_into().unwrap());
        kill(pid, Signal::SIGTERM).unwrap();
        let ended = holds_within("it ends", AT_ONCE, async || client.try_wait().unwrap().is_some()).await;
        if let Err(late) = ended {
            client.kill().unwrap();
            panic!("{arguments:?}: {late}");
        }
        let status = client.wait().unwrap();
        no_session_but(&before, &zk, &format!("{arguments:?}")).await;
        assert_eq!(status.code(), Some(code), "{arguments:?}");
    }
}
