//! What the two programs do for a user.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::{BTreeMap, BTreeSet};
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::signal::Signal;
use system_tests::{
    Exit, PROPAGATION, Process, TestBed, free_port, free_ports, name, os_message, programs, register_by_hand,
};
use test_zookeeper::Server;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, sleep, timeout};
use zk_testing::{SOON, eventually, holds_within, raw};

async fn bed() -> (Server, TestBed) {
    let zk = Server::start().await.unwrap();
    let bed = TestBed::new(programs!(), vec![zk.addr()]);
    (zk, bed)
}

async fn ended(process: Process) -> Exit {
    process.exit(SOON).await.unwrap()
}

fn lines(exit: &Exit) -> Vec<&str> {
    exit.out.iter().map(|(_, line)| line.as_str()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_rounds_get_twenty_answers_from_three_ports() {
    let Some(_) = test_zookeeper::require() else { return };
    let (_zk, bed) = bed().await;
    let ports = free_ports(3);
    let _server = bed.server(&ports);
    let nodes = bed.registered(&ports).await;
    let owners: BTreeSet<_> = nodes.values().map(|node| node.owner).collect();
    assert_eq!(owners.len(), 1, "one process, one session");
    assert!(!owners.contains(&0), "EPHEMERAL");

    for strategy in ["random", "round-robin"] {
        let client = bed.client(&["--rounds", "20", "--interval", "10ms", "--strategy", strategy]);
        let exit = ended(client).await;
        assert_eq!((exit.code, exit.out.len()), (Some(0), 20), "{}", exit.err);
        let mut answered = BTreeMap::new();
        for line in lines(&exit) {
            // 127.0.0.1:8897:2026-11-22T12:00:00.123Z
            let (endpoint, time) = line.match_indices(':').nth(1).map(|(at, _)| line.split_at(at)).unwrap();
            assert!(time.len() == ":2026-11-22T12:00:00.123Z".len() && time.ends_with('Z'), "{line}");
            *answered.entry(endpoint.to_owned()).or_insert(0) += 1;
        }
        let all: BTreeSet<_> = ports.iter().copied().map(name).collect();
        assert_eq!(answered.keys().cloned().collect::<BTreeSet<_>>(), all, "{strategy}");
        if strategy == "round-robin" {
            assert!(answered.values().all(|count| (6..=7).contains(count)), "{answered:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_running_client_asks_a_new_server_as_soon_as_it_is_listed() {
    let Some(_) = test_zookeeper::require() else { return };
    let (_zk, bed) = bed().await;
    let ports = free_ports(2);
    let _first = bed.server(&ports[..1]);
    bed.registered(&ports[..1]).await;
    let client = bed.client(&["--rounds", "300", "--interval", "10ms", "--strategy", "round-robin"]);
    let _second = bed.server(&ports[1..]);
    bed.registered(&ports).await;
    let listed = Instant::now();
    let exit = ended(client).await;
    assert_eq!(exit.code, Some(0));
    let (first_answer, _) = exit.out.iter().find(|(_, line)| line.starts_with(&name(ports[1]))).unwrap();
    let after = first_answer.saturating_duration_since(listed);
    assert!(after < PROPAGATION, "the new server was first asked {after:?} after it was listed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_starts_by_the_list_that_it_saved_while_zookeeper_is_down() {
    let Some(_) = test_zookeeper::require() else { return };
    let (mut zk, bed) = bed().await;
    let port = free_port();
    let _server = bed.server(&[port]);
    bed.registered(&[port]).await;
    let saved = bed.folder().join("daytime.saved");
    let ask = |wait: &'static str| {
        let saved = saved.to_str().unwrap();
        bed.client(&["--rounds", "3", "--interval", "10ms", "--wait", wait, "--saved", saved])
    };
    let exit = ended(ask("60s")).await;
    assert_eq!((exit.code, exit.out.len()), (Some(0), 3), "{}", exit.err);
    assert!(!exit.err.contains("using the saved list"), "{}", exit.err);

    zk.kill().await;
    let exit = ended(ask("60s")).await;
    assert_eq!((exit.code, exit.out.len()), (Some(0), 3), "{}", exit.err);
    assert!(exit.err.contains("using the saved list: /go_servers: 1 member, saved "), "{}", exit.err);
    std::fs::write(&saved, "something else").unwrap();
    let exit = ended(ask("2s")).await;
    assert_eq!((exit.code, exit.out.len()), (Some(1), 0), "{}", exit.err);
    assert!(exit.err.contains("the saved list is not used"), "{}", exit.err);

    zk.start_again().await.unwrap();
    let exit = ended(ask("60s")).await;
    assert_eq!((exit.code, exit.out.len()), (Some(0), 3), "{}", exit.err);
}

/// The tutorial's client sends `timestamp` first, and lost three answers of four to connection resets.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_callers_that_send_something_first_get_whole_lines() {
    let Some(_) = test_zookeeper::require() else { return };
    let (_zk, bed) = bed().await;
    let port = free_port();
    let _server = bed.server(&[port]);
    bed.registered(&[port]).await;
    let ask = |count: usize| async move {
        for _ in 0..count {
            let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
            stream.write_all(b"timestamp").await.unwrap();
            let mut line = String::new();
            stream.read_to_string(&mut line).await.unwrap();
            assert!(line.starts_with(&name(port)) && line.ends_with("Z\n"), "{line:?}");
        }
    };
    let askers: Vec<_> = (0..20).map(|_| tokio::spawn(ask(500))).collect();
    for asker in askers {
        asker.await.unwrap();
    }
}

/// A server that closes although there is input left resets the connection. On the loopback interface the
/// line has arrived by then; across a network the reset can overtake what was lost on the way.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_caller_that_sends_after_the_answer_is_not_reset() {
    let Some(_) = test_zookeeper::require() else { return };
    let (_zk, bed) = bed().await;
    let port = free_port();
    let _server = bed.server(&[port]);
    bed.registered(&[port]).await;
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    stream.write_all(b"timestamp").await.unwrap();
    let mut line = String::new();
    stream.read_to_string(&mut line).await.unwrap();
    assert!(line.ends_with("Z\n"), "{line:?}");
    for _ in 0..5 {
        stream.write_all(b"timestamp").await.unwrap();
        sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(stream.take_error().unwrap().map(|error| error.kind()), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failing_servers_of_every_kind_cost_no_round() {
    let Some(_) = test_zookeeper::require() else { return };
    let (zk, bed) = bed().await;
    // Answers well, but without a newline, as the tutorial's server does.
    let good = TcpListener::bind("127.0.0.1:0").await.unwrap();
    // Resets after half an answer.
    let resets = TcpListener::bind("127.0.0.1:0").await.unwrap();
    // Closes without an answer.
    let closes = TcpListener::bind("127.0.0.1:0").await.unwrap();
    // Accepts, and sends nothing.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    // Sends without end.
    let babbles = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let [good_port, resets_port, closes_port, silent_port, babbles_port] =
        [&good, &resets, &closes, &silent, &babbles].map(|l| l.local_addr().unwrap().port());
    let ports = [good_port, resets_port, closes_port, silent_port, babbles_port, free_port()];
    let _registrations = register_by_hand(zk.addr(), &ports.map(name)).await;
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = good.accept().await.unwrap();
            tokio::spawn(async move { stream.write_all(b"the time").await });
        }
    });
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = resets.accept().await.unwrap();
            stream.write_all(b"127.0.0").await.unwrap();
            stream.set_zero_linger().unwrap();
        }
    });
    tokio::spawn(async move {
        loop {
            drop(closes.accept().await.unwrap());
        }
    });
    tokio::spawn(async move {
        let mut open = Vec::new();
        loop {
            open.push(silent.accept().await.unwrap());
        }
    });
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = babbles.accept().await.unwrap();
            tokio::spawn(async move { while stream.write_all(&[b'x'; 4096]).await.is_ok() {} });
        }
    });
    let exit = ended(bed.client(&["--rounds", "30", "--interval", "1ms"])).await;
    assert_eq!(exit.code, Some(0), "{}", exit.err);
    assert_eq!(lines(&exit), ["the time"; 30]);
    let (reset, refused) = (os_message(Errno::ECONNRESET), os_message(Errno::ECONNREFUSED));
    for cause in [&reset, "invalid answer: it is empty", &refused, "4 KiB"] {
        assert!(exit.err.contains(cause), "{cause} did not happen");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_round_without_an_answer_fails_in_time_and_ends_the_client_with_1() {
    let Some(_) = test_zookeeper::require() else { return };
    let (zk, bed) = bed().await;
    let _registration = register_by_hand(zk.addr(), &[name(free_port())]).await;
    let started = Instant::now();
    let exit = ended(bed.client(&["--rounds", "2", "--interval", "1ms", "--timeout", "300ms"])).await;
    assert_eq!((exit.code, exit.out.len()), (Some(1), 0));
    assert!(exit.err.contains("2 of 2 rounds got no answer") && exit.err.contains("refused"), "{}", exit.err);
    assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_client_waits_for_zookeeper_and_for_a_server_and_names_which() {
    let Some(_) = test_zookeeper::require() else { return };
    let (mut zk, bed) = bed().await;
    zk.kill().await;
    let client = bed.client(&["--rounds", "3", "--interval", "1ms"]);
    client.until_logged("waiting for ZooKeeper").await;
    zk.start_again().await.unwrap();
    client.until_logged("waiting for an instance under /go_servers").await;
    let port = free_port();
    let _server = bed.server(&[port]);
    let exit = ended(client).await;
    assert_eq!((exit.code, exit.out.len()), (Some(0), 3), "{}", exit.err);

    let empty = bed.client(&["--root", "/nothing", "--wait", "400ms"]);
    let exit = ended(empty).await;
    assert_eq!((exit.code, exit.out.len()), (Some(1), 0));
    assert!(exit.err.contains("gave up after 400ms: waiting for an instance under /nothing"), "{}", exit.err);
    let nobody = name(free_port());
    let exit = ended(bed.client_with(&["list", "--zookeeper", &nobody, "--wait", "400ms"])).await;
    assert_eq!((exit.code, exit.out.len()), (Some(1), 0));
    assert!(exit.err.contains("gave up after 400ms: waiting for ZooKeeper"), "{}", exit.err);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn list_prints_a_table_or_json_wherever_the_flags_stand() {
    let Some(_) = test_zookeeper::require() else { return };
    let (zk, bed) = bed().await;
    let exit = ended(bed.client(&["list"])).await;
    assert_eq!(
        (exit.code, lines(&exit)),
        (Some(0), vec!["ENDPOINT  WEIGHT  SESSION  HOST  PID  STARTED  TAGS"])
    );
    assert!(exit.err.contains("/go_servers does not exist"), "{}", exit.err);

    let ports = free_ports(2);
    let _server = bed.server(&ports);
    let nodes = bed.registered(&ports).await;
    let other = raw::Client::connect(zk.addr(), Duration::from_secs(4)).await.unwrap();
    other.create("/go_servers/127.0.0.1:1", b"", raw::CreateMode::Persistent).await.unwrap();
    other.create("/go_servers/left-out", b"", raw::CreateMode::Persistent).await.unwrap();
    let nobody = raw::Acl::new(raw::permission::ADMIN, "world", "anyone");
    let secret = "/go_servers/127.0.0.1:2";
    other.create_with_acl(secret, b"", raw::CreateMode::Ephemeral, &[nobody]).await.unwrap();

    let exit = ended(bed.client(&["list"])).await;
    assert_eq!((exit.code, exit.out.len()), (Some(0), 5));
    let text = lines(&exit).join("\n");
    assert!(text.contains("(persistent)") && ports.iter().all(|port| text.contains(&name(*port))), "{text}");
    assert!(exit.err.contains("not an instance: \"left-out\""), "{}", exit.err);
    assert!(text.contains("127.0.0.1:2  "), "listed by its name alone: {text}");

    let before = ended(bed.client_with(&["--zookeeper", bed.hosts(), "list", "--json"])).await;
    let after = ended(bed.client_with(&["list", "--json", "--zookeeper", bed.hosts()])).await;
    assert_eq!((before.code, lines(&before)), (Some(0), lines(&after)));
    let rows: serde_json::Value = serde_json::from_str(lines(&before)[0]).unwrap();
    let rows = rows.as_array().unwrap();
    assert_eq!(rows.len(), 4);
    for row in rows {
        let endpoint = row["endpoint"].as_str().unwrap();
        match nodes.get(endpoint) {
            Some(node) => {
                assert_eq!(row["session"].as_str(), Some(format!("{:#x}", node.owner).as_str()));
                assert_eq!((row["weight"].as_u64(), row["ephemeral"].as_bool()), (Some(100), Some(true)));
                assert!(row["pid"].is_u64() && row["incarnation"].is_string() && row["started"].is_string());
            }
            None if endpoint == "127.0.0.1:2" => assert_eq!(row["readable"].as_bool(), Some(false)),
            None => assert_eq!((endpoint, row["ephemeral"].as_bool()), ("127.0.0.1:1", Some(false))),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn list_shows_weight_and_tags_and_watch_shows_them_with_records_on() {
    let Some(_) = test_zookeeper::require() else { return };
    let (zk, bed) = bed().await;
    let by_hand = raw::Client::connect(zk.addr(), Duration::from_secs(4)).await.unwrap();
    by_hand.create_all("/go_servers").await.unwrap();
    let path = format!("/go_servers/{}", name(1));
    let record = br#"{"Weight":7,"Tags":{"zone":"a","rack":"b c"}}"#;
    by_hand.create(&path, record, raw::CreateMode::Ephemeral).await.unwrap();
    let exit = ended(bed.client(&["list"])).await;
    let text = lines(&exit).join("\n");
    assert!(text.ends_with(r#"rack="b c" zone=a"#), "{text}");

    bed.write("config/daytime.toml", "[discovery]\nrecords = true\n");
    let (watch, json) = (bed.client(&["watch"]), bed.client(&["watch", "--json"]));
    for process in [&watch, &json] {
        process.until_printed(&name(1)).await;
    }
    bed.write("config/daytime.toml", "");
    let names_only = bed.client(&["watch"]);
    names_only.until_printed(&name(1)).await;
    by_hand.set(&path, br#"{"Weight":8,"Tags":{"zone":"b"}}"#, None).await.unwrap();
    watch.until_printed(&format!("~ {} weight=8 zone=b", name(1))).await;
    json.until_printed(r#""event":"updated""#).await;
    let updated = json.out().into_iter().find(|(_, line)| line.contains("updated")).unwrap().1;
    let updated: serde_json::Value = serde_json::from_str(&updated).unwrap();
    assert_eq!((updated["weight"].as_u64(), updated["tags"]["zone"].as_str()), (Some(8), Some("b")));
    // A client without records has seen a later change, and nothing of this one.
    by_hand.create(&format!("/go_servers/{}", name(2)), b"", raw::CreateMode::Ephemeral).await.unwrap();
    names_only.until_printed(&name(2)).await;
    assert!(!names_only.has_printed("~ "), "{:?}", names_only.out());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn watch_prints_joins_leaves_and_the_link_until_interrupted() {
    let Some(_) = test_zookeeper::require() else { return };
    let (mut zk, bed) = bed().await;
    let watch = bed.client(&["watch", "--json"]);
    let text = bed.client(&["watch"]);
    let events = |watch: &Process| -> Vec<String> {
        let describe = |line: &str| {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            let detail = ["endpoint", "state", "instances"].map(|key| line[key].to_string());
            format!("{} {}", line["event"], detail.join(" ")).replace(['"'], "").replace("null", "")
        };
        watch
            .out()
            .iter()
            .map(|(_, line)| describe(line).split_whitespace().collect::<Vec<_>>().join(" "))
            .collect()
    };
    let count = |expected: &str| events(&watch).iter().filter(|event| *event == expected).count();
    let printed = async |expected: &str| {
        eventually(&format!("{expected:?} is printed"), async || count(expected) > 0).await
    };
    printed("synced 0").await;
    let port = free_port();
    let server = bed.server(&[port]);
    printed(&format!("joined {}", name(port))).await;
    server.signal(Signal::SIGTERM);
    printed(&format!("left {}", name(port))).await;
    // The other client has seen it, too: without a link it would not print it.
    text.until_printed(&format!(" - {}", name(port))).await;
    zk.kill().await;
    printed("link suspended").await;
    zk.start_again().await.unwrap();
    eventually("the link is connected again", async || count("link connected") == 2).await;
    for process in [&watch, &text] {
        process.signal(Signal::SIGINT);
    }
    assert_eq!(ended(watch).await.code, Some(0));
    let exit = ended(text).await;
    let text = lines(&exit).join("\n");
    for part in [format!(" + {}", name(port)), "connected to ZooKeeper".into()] {
        assert!(text.contains(&part), "no {part:?} in\n{text}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn standard_output_that_cannot_be_written_ends_the_client_without_a_panic() {
    let Some(_) = test_zookeeper::require() else { return };
    let (_zk, bed) = bed().await;
    let port = free_port();
    let _server = bed.server(&[port]);
    bed.registered(&[port]).await;
    let hosts = bed.hosts().to_owned();
    let output = tokio::task::spawn_blocking(move || {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        Command::new(programs!().client)
            .args(["--zookeeper", &hosts, "--rounds", "3", "--interval", "1ms"])
            .stdout(full)
            .stderr(Stdio::piped())
            .output()
            .unwrap()
    });
    let output = output.await.unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("cannot write to standard output") && !text.contains("panicked"), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_callers_are_cut_off_and_too_many_are_turned_away() {
    let Some(_) = test_zookeeper::require() else { return };
    let (_zk, bed) = bed().await;
    let port = free_port();
    let file = format!("[server]\nports = [{port}]\nmax_connections = 3\nconnection_timeout = '500ms'\n");
    bed.write("small.toml", &file);
    let _server = bed.server_with(&["--config", "small.toml", "--zookeeper", bed.hosts()]);
    bed.registered(&[port]).await;

    // These callers read the line, and never close.
    let mut slow = Vec::new();
    for _ in 0..3 {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        let mut line = String::new();
        stream.read_to_string(&mut line).await.unwrap();
        assert!(line.ends_with("Z\n"));
        slow.push(stream);
    }
    let mut turned_away = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let mut line = String::new();
    let read = timeout(Duration::from_millis(400), turned_away.read_to_string(&mut line)).await;
    assert!(matches!(read, Ok(Ok(0) | Err(_))), "{read:?} {line:?}");
    // When their time is over there is room again.
    holds_within("the slow callers are cut off", Duration::from_secs(2), async || {
        let mut line = String::new();
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        stream.read_to_string(&mut line).await.is_ok() && line.ends_with("Z\n")
    })
    .await
    .unwrap();
    drop(slow);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_on_every_address_registers_the_one_on_the_route_or_the_advertised_one() {
    let Some(_) = test_zookeeper::require() else { return };
    let (_zk, bed) = bed().await;
    let port = free_port();
    let port_text = port.to_string();
    let everywhere = ["--zookeeper", bed.hosts(), "--host", "0.0.0.0", "--port", &port_text];
    let server = bed.server_with(&everywhere);
    bed.registered(&[port]).await;
    assert!(server.err().contains("loopback"), "a warning that only this machine can use it");
    server.signal(Signal::SIGTERM);
    assert_eq!(ended(server).await.code, Some(0));
    let _server = bed.server_with(&[&everywhere[..], &["--advertise", "time.example"]].concat());
    let advertised = |nodes: &BTreeMap<_, _>| nodes.keys().eq([&format!("time.example:{port}")]);
    bed.observer.until("the advertised name is registered", SOON, advertised).await.unwrap();
}

#[tokio::test]
async fn a_server_without_a_zookeeper_starts_an_embedded_one_that_others_use() {
    let bed = TestBed::new(programs!(), vec![]);
    let (zookeeper, ports) = (free_port(), free_ports(2));
    let file = format!("[zookeeper]\nhosts = ['127.0.0.1:{zookeeper}']\nembedded = true\n");
    bed.write("config/daytime.toml", &format!("{file}[server]\nports = [{}]\n", ports[0]));
    let client = bed.client_with(&["--rounds", "3", "--interval", "1ms"]);
    client.until_logged("waiting for ZooKeeper").await;
    let first = bed.server_with(&[]);
    let exit = ended(client).await;
    assert_eq!((exit.code, exit.out.len()), (Some(0), 3), "{}", exit.err);
    assert!(first.err().contains("it is in memory and loses all data"), "{}", first.err());

    // The next server uses the ZooKeeper of the first one.
    let second = bed.server_with(&["--port", &ports[1].to_string()]);
    second.until_logged("a server listens at this address").await;
    eventually("both servers are listed", async || {
        let rows = lines(&ended(bed.client_with(&["list", "--json"])).await).join("");
        ports.iter().all(|port| rows.contains(&name(*port)))
    })
    .await;
    // The second server outlives that ZooKeeper.
    first.signal(Signal::SIGTERM);
    let exit = first.exit(Duration::from_secs(5)).await.unwrap();
    assert_eq!(exit.code, Some(0), "{}", exit.err);
    assert!(
        TcpStream::connect(("127.0.0.1", zookeeper)).await.is_err(),
        "the embedded ZooKeeper stopped last, but it stopped"
    );
    second.until_logged("connection lost").await;
    TcpStream::connect(("127.0.0.1", ports[1])).await.expect("the second server still serves");
}

#[tokio::test]
async fn an_embedded_zookeeper_is_started_for_one_loopback_address_only() {
    let bed = TestBed::new(programs!(), vec![]);
    for (hosts, reason) in
        [("192.0.2.1:2181", "not this machine"), ("127.0.0.1:1,127.0.0.1:2", "more than one host")]
    {
        let port = free_port().to_string();
        let server = bed.server_with(&["--zookeeper", hosts, "--embedded", "--port", &port]);
        server.until_logged(reason).await;
        server.signal(Signal::SIGTERM);
        assert_eq!(ended(server).await.code, Some(0));
    }
    // For hosts from a flag nothing is started unless another flag asks for it.
    let nobody = name(free_port());
    let port = free_port().to_string();
    bed.write("config/daytime.toml", "[zookeeper]\nembedded = true\n");
    let server = bed.server_with(&["--zookeeper", &nobody, "--port", &port]);
    server.until_logged("cannot connect").await;
    assert!(!server.err().contains("embedded"), "{}", server.err());
}

/// The metrics of a program, as Prometheus would read them.
async fn scrape(port: u16) -> String {
    let request = async {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
        stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n").await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        Ok::<_, std::io::Error>(answer)
    };
    request.await.unwrap_or_default()
}

/// Waits until the metrics of a program contain each of these texts.
async fn until_metrics(port: u16, parts: &[&str]) {
    let (mut metrics, mut missing) = (String::new(), Vec::new());
    let shown = holds_within("the metrics are shown", SOON, async || {
        metrics = scrape(port).await;
        missing = parts.iter().filter(|part| !metrics.contains(**part)).collect();
        missing.is_empty()
    });
    shown.await.unwrap_or_else(|late| panic!("{late}: no {missing:?} in\n{metrics}"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_programs_serve_metrics_to_prometheus() {
    let Some(_) = test_zookeeper::require() else { return };
    let (zk, bed) = bed().await;
    let ports = free_ports(4);
    let metrics = ports[2..].iter().map(|port| format!("127.0.0.1:{port}")).collect::<Vec<_>>();
    let server =
        ["--zookeeper", bed.hosts(), "--udp", "--port", &ports[0].to_string(), "--metrics", &metrics[0]];
    let _server = bed.server_with(&server);
    bed.registered(&ports[..1]).await;
    // And an instance that refuses.
    let _registration = register_by_hand(zk.addr(), &[name(ports[1])]).await;
    let client =
        ["--rounds", "1000", "--interval", "5ms", "--strategy", "round-robin", "--metrics", &metrics[1]];
    let client = bed.client(&client);
    let of_client = [
        "\nbalance_ejected 1\n",
        "# TYPE daytime_request_seconds histogram",
        "daytime_request_seconds_bucket{outcome=\"answered\",le=\"5\"}",
        "balance_attempts_total{outcome=\"refused\"}",
        "balance_retries_total ",
    ];
    until_metrics(ports[3], &of_client).await;
    drop(client);

    let datagrams = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
    datagrams.send_to(b"", ("127.0.0.1", ports[0])).await.unwrap();
    let of_server = [
        "\ndaytime_requests_total{transport=\"udp\",outcome=\"answered\"} 1\n",
        "\ndaytime_requests_total{transport=\"tcp\",outcome=\"answered\"}",
        "\ndaytime_connections{state=\"closing\"} 0\n",
    ];
    until_metrics(ports[2], &of_server).await;
    let _caller = TcpStream::connect(("127.0.0.1", ports[0])).await.unwrap();
    until_metrics(ports[2], &["\ndaytime_connections{state=\"closing\"} 1\n"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_metrics_address_in_use_ends_a_program_before_it_registers() {
    let Some(_) = test_zookeeper::require() else { return };
    let (_zk, bed) = bed().await;
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let (port, expected) = (free_port().to_string(), format!("cannot listen on {address} for metrics"));
    let server = bed.server_with(&["--zookeeper", bed.hosts(), "--port", &port, "--metrics", &address]);
    let client = bed.client(&["--rounds", "1", "--metrics", &address]);
    for process in [server, client] {
        let exit = ended(process).await;
        assert_eq!((exit.code, exit.out.len()), (Some(1), 0));
        assert!(exit.err.contains(&expected), "{}", exit.err);
    }
    let nothing = BTreeMap::is_empty;
    bed.observer.until("nothing was registered", SOON, nothing).await.unwrap();
    // `list` reads once and ends: it serves no metrics.
    assert_eq!(ended(bed.client(&["list", "--metrics", &address])).await.code, Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_authenticated_server_owns_its_znodes_and_everybody_reads_them() {
    let Some(_) = test_zookeeper::require() else { return };
    let (zk, bed) = bed().await;
    let port = free_port();
    let auth =
        "[zookeeper.auth]\nscheme = 'digest'\nuser = 'daytime'\npassword_file = 'zookeeper.password'\n";
    bed.write("config/daytime.toml", &format!("{auth}[registry]\nacl = 'creator'\n"));
    bed.write("config/zookeeper.password", "hunter2\n");
    let for_all = std::os::unix::fs::PermissionsExt::from_mode(0o644);
    std::fs::set_permissions(bed.folder().join("config/zookeeper.password"), for_all).unwrap();
    let server = bed.server_with(&["--zookeeper", bed.hosts(), "--port", &port.to_string()]);
    bed.registered(&[port]).await;

    let stranger = raw::Client::connect(zk.addr(), Duration::from_secs(4)).await.unwrap();
    let path = format!("/go_servers/{}", name(port));
    let denied = stranger.delete(&path, None).await;
    assert!(matches!(denied, Err(raw::Error::NoAuth)), "{denied:?}");
    let owner = raw::Client::connect(zk.addr(), Duration::from_secs(4)).await.unwrap();
    owner.add_auth("digest", b"daytime:hunter2").await.unwrap();
    owner.set(&path, b"mine", None).await.expect("the same user has every right");
    // Reading needs no password.
    bed.write("plain.toml", "");
    let plain = ["--config", "plain.toml", "list", "--zookeeper", bed.hosts()];
    let exit = ended(bed.client_with(&plain)).await;
    assert!(
        exit.code == Some(0) && lines(&exit).iter().any(|line| line.contains(&name(port))),
        "{}",
        exit.err
    );

    server.signal(Signal::SIGTERM);
    let exit = ended(server).await;
    assert_eq!(exit.code, Some(0));
    assert!(exit.err.contains("other users have access to this secret"), "{}", exit.err);
    assert!(!exit.err.contains("hunter2"), "the log shows the password");
}

#[tokio::test]
async fn a_signal_stops_a_server_that_still_looks_for_its_address() {
    let bed = TestBed::new(programs!(), vec![]);
    let port = free_port();
    let nowhere = ["--zookeeper", "no-such-host.invalid:2181", "--host", "0.0.0.0", "--port"];
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let server = bed.server_with(&[&nowhere[..], &[&port.to_string()]].concat());
        server.until_logged("no address to advertise yet").await;
        server.signal(signal);
        let exit = server.exit(Duration::from_secs(5)).await.unwrap();
        assert_eq!(exit.code, Some(0), "{}", exit.err);
        assert!(!exit.err.contains("panicked"), "{}", exit.err);
    }
}

#[tokio::test]
async fn wrong_usage_and_configuration_end_with_2_and_name_every_mistake() {
    let bed = TestBed::new(programs!(), vec![]);
    bed.write("bad.toml", "[zookeeper]\nhosts = []\nsesion_timeout = '1s'\n[server]\nports = [0]\n");
    for process in
        [bed.server_with(&["--config", "bad.toml"]), bed.client_with(&["list", "--config", "bad.toml"])]
    {
        let exit = ended(process).await;
        assert_eq!((exit.code, exit.out.len()), (Some(2), 0));
        for line in ["bad.toml:2:", "bad.toml:3:", "bad.toml:5:"] {
            assert!(exit.err.contains(line), "no {line:?} in\n{}", exit.err);
        }
    }
    for (flag, value, part) in [
        ("--root", "/svc😀", "its character 5 is '😀' (U+1F600)"),
        ("--zookeeper", "zk1:2181/svc😀", "its character 5 is '😀' (U+1F600)"),
        ("--zookeeper", "10.0.0.7/:2181", "as a port does"),
        ("--zookeeper", "joe:hunter2@zk1:2181", "contains an '@'"),
        ("--zookeeper", "zk1,joe:hunter2", "host 2 (joe)"),
    ] {
        for process in [bed.server_with(&[flag, value]), bed.client_with(&["doctor", flag, value])] {
            let exit = ended(process).await;
            assert!(exit.code == Some(2) && exit.out.is_empty(), "{value}: {exit:?}");
            assert!(exit.err.contains(flag) && exit.err.contains(part), "{value}: {}", exit.err);
            assert!(!exit.err.contains("hunter2"), "{}", exit.err);
        }
    }
    for process in [bed.server_with(&["joe:hunter2@zk1"]), bed.client_with(&["joe:hunter2@zk1"])] {
        let exit = ended(process).await;
        assert!(exit.code == Some(2) && !exit.err.contains("hunter2"), "{exit:?}");
    }
    for process in [
        bed.server_with(&["--port", "0"]),
        bed.server_with(&["--config", "no-such-file.toml"]),
        bed.client_with(&["--rounds", "none"]),
        bed.client_with(&["dance"]),
    ] {
        assert_eq!(ended(process).await.code, Some(2));
    }
    for (process, parts) in [
        (bed.server_with(&["--help"]), ["--advertise", "DAYTIME_ZOOKEEPER", "Exit codes"]),
        (bed.client_with(&["--help"]), ["watch", "DAYTIME_ROUNDS", "Exit codes"]),
    ] {
        let exit = ended(process).await;
        assert_eq!(exit.code, Some(0));
        let text = lines(&exit).join("\n");
        assert!(parts.iter().all(|part| text.contains(part)), "{text}");
    }
}
