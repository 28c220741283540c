//! What the programs do when ZooKeeper refuses who they say they are.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::time::Duration;

use nix::sys::signal::Signal;
use system_tests::{Process, Programs, TestBed, free_port};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep};
use zk_testing::SOON;
use zk_testing::Server;

/// How long a program may take to see that its configuration is wrong.
const AT_ONCE: Duration = Duration::from_secs(2);

fn bed(server: &Server) -> TestBed {
    let programs = Programs {
        server: env!("CARGO_BIN_EXE_system-daytime-server").into(),
        client: env!("CARGO_BIN_EXE_system-daytime-client").into(),
        environment: vec![("DAYTIME_ZOOKEEPER_PASSWORD", "hunter2")],
    };
    let bed = TestBed::new(programs, vec![server.addr()]);
    let file = "[zookeeper.auth]\nscheme = 'digest'\nuser = 'daytime'\n";
    bed.write("config/daytime.toml", file);
    bed
}

/// The settings of a server that knows nothing of passwords, on a port of its own.
fn refusing(port: u16) -> zk_testing::ServerBuilder {
    Server::builder().port(port).java_property("zookeeper.DigestAuthenticationProvider.enabled", false)
}

async fn said(process: &Process, text: &str) {
    let deadline = Instant::now() + SOON;
    while !process.err().contains(text) {
        assert!(Instant::now() < deadline, "{text:?} was not said:\n{}", process.err());
        sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_authentication_refused_before_the_first_session_ends_both_programs_and_names_the_cause() {
    let Some(_) = test_zookeeper::require_apache() else { return };
    let zk = refusing(free_port()).start().await.unwrap();
    let bed = bed(&zk);
    let expected = format!("refuses [zookeeper.auth]: {} refuses our authentication", zk.addr());
    let server_says =
        format!("refuses [zookeeper.auth]; nothing was registered: {} refuses our authentication", zk.addr());
    let port = free_port().to_string();
    let cases = [
        (bed.server_with(&["--zookeeper", bed.hosts(), "--port", &port]), &server_says),
        (bed.client(&["--rounds", "1"]), &expected),
        (bed.client(&["list"]), &expected),
        (bed.client(&["watch"]), &expected),
    ];
    for (process, expected) in cases {
        let exit = process.exit(AT_ONCE).await.unwrap();
        assert_eq!(exit.code, Some(1), "{}", exit.err);
        assert!(exit.err.contains(expected), "no {expected:?} in\n{}", exit.err);
        assert!(!exit.err.contains("hunter2"), "{}", exit.err);
    }
    let exit = bed.client(&["doctor"]).exit(SOON).await.unwrap();
    let last = exit.out.last().map(|(_, line)| line.as_str()).unwrap_or_default();
    assert!(exit.code == Some(1) && last.contains("see [zookeeper.auth]"), "{last:?}\n{}", exit.err);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_authentication_refused_after_a_session_is_logged_and_both_programs_run_on() {
    let Some(_) = test_zookeeper::require_apache() else { return };
    let zk_port = free_port();
    let mut zk = Server::builder().port(zk_port).start().await.unwrap();
    let bed = bed(&zk);
    let port = free_port();
    let server = bed.server_with(&["--zookeeper", bed.hosts(), "--port", &port.to_string()]);
    let one = |nodes: &std::collections::BTreeMap<_, _>| nodes.len() == 1;
    bed.observer.until("registered", SOON, one).await.unwrap();
    let watch = bed.client(&["watch"]);
    said(&watch, "connected").await;

    zk.kill().await;
    drop(zk);
    let _refusing = refusing(zk_port).start().await.unwrap();
    for process in [&server, &watch] {
        said(process, "refuses our authentication").await;
    }
    let refused = || watch.out().iter().any(|(_, line)| line.contains("refuses our authentication"));
    let deadline = Instant::now() + SOON;
    while !refused() {
        assert!(Instant::now() < deadline, "{:?}", watch.out());
        sleep(Duration::from_millis(5)).await;
    }
    let mut line = String::new();
    TcpStream::connect(("127.0.0.1", port)).await.unwrap().read_to_string(&mut line).await.unwrap();
    assert!(line.ends_with("Z\n"), "it still serves: {line:?}");
    for process in [server, watch] {
        process.signal(Signal::SIGINT);
        let exit = process.exit(SOON).await.unwrap();
        assert_eq!(exit.code, Some(0), "{}", exit.err);
    }
}
