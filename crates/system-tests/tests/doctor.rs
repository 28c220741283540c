//! `daytime-client doctor` names the fault, at each step that can fail.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::Value;
use system_tests::{Exit, TestBed, free_port, name, programs};
use test_zookeeper::Server;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use zk_testing::{Ensemble, SOON, eventually, raw};

fn bed(servers: &[&Server]) -> TestBed {
    TestBed::new(programs!(), servers.iter().map(|server| server.addr()).collect())
}

/// What the doctor printed: its steps, and the hint.
struct Diagnosis {
    code: Option<i32>,
    /// Name, success and detail of each step.
    steps: Vec<(String, bool, String)>,
    hint: Option<String>,
}

impl Diagnosis {
    fn read(exit: &Exit) -> Self {
        let mut steps = Vec::new();
        let mut hint = None;
        for (_, line) in &exit.out {
            let line: Value = serde_json::from_str(line).unwrap();
            match line["step"].as_str() {
                None => hint = line["hint"].as_str().map(str::to_owned),
                Some(step) => {
                    let detail = line["detail"].as_str().unwrap().to_owned();
                    assert!(line["took_ms"].as_f64().unwrap() < 15_000.0, "{line}");
                    steps.push((step.to_owned(), line["ok"].as_bool().unwrap(), detail));
                }
            }
        }
        Self { code: exit.code, steps, hint }
    }

    /// The names of all steps that were taken, with `!` at those that failed.
    fn course(&self) -> String {
        let name = |(step, ok, _): &(String, bool, String)| format!("{step}{}", if *ok { "" } else { "!" });
        self.steps.iter().map(name).collect::<Vec<_>>().join(" ")
    }

    #[track_caller]
    fn expect(&self, course: &str, detail: &str, hint: &str) {
        assert_eq!(self.course(), course, "{:?}", self.steps);
        let failed = self.steps.iter().find(|(_, ok, _)| !ok).expect("a step failed");
        assert!(failed.2.contains(detail), "no {detail:?} in {failed:?}");
        let shown = self.hint.as_deref().unwrap_or_default();
        assert!(shown.contains(hint), "no {hint:?} in {shown:?}");
        assert_eq!(self.code, Some(1));
    }
}

async fn examine(bed: &TestBed, hosts: &str) -> Diagnosis {
    let client = bed.client_with(&["doctor", "--json", "--zookeeper", hosts, "--session-timeout", "2s"]);
    Diagnosis::read(&client.exit(SOON).await.unwrap())
}

async fn by_hand(zk: &Server) -> raw::Client {
    raw::Client::connect(zk.addr(), Duration::from_secs(4)).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_healthy_service_passes_every_step_with_exit_code_0() {
    let Some(_) = test_zookeeper::require() else { return };
    let zk = Server::start().await.unwrap();
    let bed = bed(&[&zk]);
    let port = free_port();
    let _server = bed.server(&[port]);
    bed.registered(&[port]).await;
    by_hand(&zk).await.create("/go_servers/left-out", b"", raw::CreateMode::Persistent).await.unwrap();

    let found = examine(&bed, bed.hosts()).await;
    assert_eq!(
        found.course(),
        "name connect zookeeper session root rights watch instances call",
        "{:?}",
        found.steps
    );
    assert_eq!((found.code, found.hint), (Some(0), None));
    let details: Vec<_> = found.steps.iter().map(|(_, _, detail)| detail.as_str()).collect();
    assert!(details[2].starts_with("a ZooKeeper 3."), "{details:?}");
    assert!(details[3].contains(&format!("by {}, with a timeout of 2s", zk.addr())), "{details:?}");
    assert_eq!(details[4], "exists, with 2 children");
    assert_eq!(details[6].starts_with("recursive"), test_zookeeper::has_recursive_watches(), "{details:?}");
    assert_eq!(details[7], "1 registered; 1 other names are skipped (\"left-out\")");
    assert!(details[8].starts_with(&format!("answers \"127.0.0.1:{port}:20")), "{details:?}");

    let exit = bed.client(&["doctor"]).exit(SOON).await.unwrap();
    assert_eq!((exit.code, exit.out.len()), (Some(0), 9), "{}", exit.err);
    for (_, line) in &exit.out {
        assert!(line.contains("s  ok  "), "{line}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_without_an_address_is_a_failure_even_if_another_host_works() {
    let Some(_) = test_zookeeper::require() else { return };
    let zk = Server::start().await.unwrap();
    let bed = bed(&[&zk]);
    let found = examine(&bed, "no-such-host.invalid:2181").await;
    found.expect("name!", "", "check the spelling of no-such-host.invalid");
    let found = examine(&bed, &format!("no-such-host.invalid,{}", bed.hosts())).await;
    found.expect(
        "name! name connect zookeeper session root!",
        "",
        "check the spelling of no-such-host.invalid",
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_connection_and_a_port_of_another_protocol_get_different_hints() {
    let bed = bed(&[]);
    let nobody = format!("127.0.0.1:{}", free_port());
    let found = examine(&bed, &nobody).await;
    found.expect("name connect!", "", "is ZooKeeper running there");

    let web = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = web.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = web.accept().await.unwrap();
            tokio::spawn(async move {
                let mut request = [0; 16];
                if stream.read(&mut request).await.is_ok_and(|length| length > 0) {
                    let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
                }
            });
        }
    });
    let found = examine(&bed, &address).await;
    found.expect("name connect zookeeper!", "not as a ZooKeeper", "something else listens");

    let mute = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = mute.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        loop {
            drop(mute.accept().await.unwrap());
        }
    });
    let found = examine(&bed, &address).await;
    found.expect("name connect zookeeper!", "ended it at once", "maxClientCnxns");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_with_too_many_connections_is_diagnosed_with_its_limit() {
    let Some(_) = test_zookeeper::require_apache() else { return };
    let zk = zk_testing::Server::builder().max_client_connections(1).start().await.unwrap();
    // The connections that waited for the server's start may still count.
    let mut only = None;
    eventually("the one connection is there", async || {
        only = raw::Client::connect(zk.addr(), Duration::from_secs(4)).await.ok();
        only.is_some()
    })
    .await;
    let bed = bed(&[]);
    // Whether the client sees an end or a reset of the connection is a race: the doctor has to know both.
    for _ in 0..5 {
        let found = examine(&bed, &zk.addr().to_string()).await;
        found.expect("name connect zookeeper!", "ended it at once", "maxClientCnxns");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hung_server_fails_its_step_within_the_deadline() {
    let Some(_) = test_zookeeper::require() else { return };
    let zk = Server::start().await.unwrap();
    let bed = bed(&[&zk]);
    zk.pause().await.unwrap();
    let found = examine(&bed, bed.hosts()).await;
    found.expect("name connect zookeeper!", "no reply within 3s", "a hung or overloaded ZooKeeper");
}

/// Kills two of three servers, and examines the third until it has noticed.
async fn without_quorum(settings: zk_testing::ServerBuilder, detail: &str, hint: &str) {
    let mut ensemble = Ensemble::start_with(3, settings).await.unwrap();
    for index in [0, 1] {
        ensemble.server(index).kill().await;
    }
    let bed = bed(&[]);
    let last = ensemble.server(2).addr().to_string();
    let mut found = examine(&bed, &last).await;
    eventually(detail, async || {
        found = examine(&bed, &last).await;
        found.steps.last().is_some_and(|(_, _, shown)| shown.contains(detail))
    })
    .await;
    found.expect("name connect zookeeper!", detail, hint);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_without_quorum_is_diagnosed_with_and_without_read_only_mode() {
    let Some(_) = test_zookeeper::require_apache() else { return };
    without_quorum(zk_testing::Server::builder(), "serves nobody", "part of no quorum").await;
    let readers = zk_testing::Server::builder().java_property("readonlymode.enabled", true);
    without_quorum(readers, "read-only", "lost touch with the majority").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_missing_an_empty_and_a_denied_root_get_different_hints() {
    let Some(_) = test_zookeeper::require() else { return };
    let zk = Server::start().await.unwrap();
    let bed = bed(&[&zk]);
    let client = by_hand(&zk).await;
    let found = examine(&bed, bed.hosts()).await;
    found.expect("name connect zookeeper session root!", "does not exist", "the chroot");

    client.create("/go_servers", b"", raw::CreateMode::Persistent).await.unwrap();
    let found = examine(&bed, bed.hosts()).await;
    found.expect(
        "name connect zookeeper session root rights watch instances!",
        "0 registered",
        "is a daytime-server running",
    );

    let nobody = raw::Acl::new(raw::permission::ADMIN, "world", "anyone");
    client.set_acl("/go_servers", &[nobody]).await.unwrap();
    let found = examine(&bed, bed.hosts()).await;
    found.expect("name connect zookeeper session root rights!", "access denied", "[zookeeper.auth]");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_instance_that_refuses_is_named_and_the_others_are_called() {
    let Some(_) = test_zookeeper::require() else { return };
    let zk = Server::start().await.unwrap();
    let bed = bed(&[&zk]);
    let port = free_port();
    let _server = bed.server(&[port]);
    let client = by_hand(&zk).await;
    client.create_all("/go_servers").await.unwrap();
    // Below the free ports, so that it comes first.
    let dead = "/go_servers/127.0.0.1:1";
    client.create(dead, b"", raw::CreateMode::Ephemeral).await.unwrap();
    bed.registered(&[port, 1]).await;
    let found = examine(&bed, bed.hosts()).await;
    found.expect(
        "name connect zookeeper session root rights watch instances call! call",
        "",
        "nobody listens at 127.0.0.1:1",
    );
    let exit = bed.client(&["doctor"]).exit(SOON).await.unwrap();
    let text: Vec<_> = exit.out.iter().map(|(_, line)| line.as_str()).collect();
    assert!(text.iter().any(|line| line.contains("FAILED  call       127.0.0.1:1: ")), "{text:?}");
    assert!(text.last().is_some_and(|line| line.starts_with("hint: nobody listens")), "{text:?}");
    assert!(exit.err.contains("1 of 10 steps failed"), "{}", exit.err);
}

/// The option of ZooKeeper that is meant for many watches refuses recursive ones.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_refuses_recursive_watches_is_followed_by_one_shot_watches_and_the_doctor_says_so() {
    let Some(_) = test_zookeeper::require_apache() else { return };
    let optimized = "org.apache.zookeeper.server.watch.WatchManagerOptimized";
    let zk = zk_testing::Server::builder().java_property("zookeeper.watchManagerName", optimized);
    let zk = zk.start().await.unwrap();
    let bed = TestBed::new(programs!(), vec![zk.addr()]);
    let watch = bed.client(&["watch", "--json"]);
    let printed = |event: &str, port: u16| {
        watch.out().iter().any(|(_, line)| line.contains(event) && line.contains(&name(port)))
    };
    let ports = [free_port(), free_port()];
    for port in ports {
        let server = bed.server(&[port]);
        eventually("the join is printed", async || printed("joined", port)).await;
        if port == ports[0] {
            let found = examine(&bed, bed.hosts()).await;
            assert_eq!(found.course(), "name connect zookeeper session root rights watch instances call");
            let detail = &found.steps[6].2;
            assert!(detail.starts_with("one-shot") && detail.contains("WatchManagerOptimized"), "{detail}");
        }
        server.signal(Signal::SIGTERM);
        eventually("the leave is printed", async || printed("left", port)).await;
    }
}
