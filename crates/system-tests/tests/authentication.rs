//! What the programs do when ZooKeeper refuses their authentication.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::time::Duration;

use nix::sys::signal::Signal;
use system_tests::{Programs, TestBed, free_port};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use zk_testing::{SOON, Server};

/// How long a program may take to see that its configuration is wrong.
const AT_ONCE: Duration = Duration::from_secs(2);

fn bed(server: &Server) -> TestBed {
    let environment = vec![("DAYTIME_ZOOKEEPER_PASSWORD", "hunter2")];
    let bed = TestBed::new(Programs { environment, ..system_tests::programs!() }, vec![server.addr()]);
    bed.write("config/daytime.toml", "[zookeeper.auth]\nscheme = 'digest'\nuser = 'daytime'\n");
    bed
}

/// The settings of a server without digest authentication, at a port.
fn refusing(port: u16) -> zk_testing::ServerBuilder {
    Server::builder().port(port).java_property("zookeeper.DigestAuthenticationProvider.enabled", false)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_authentication_refused_before_the_first_session_ends_both_programs_and_names_the_cause() {
    let Some(_) = test_zookeeper::require_apache() else { return };
    let zk = refusing(free_port()).start().await.unwrap();
    let bed = bed(&zk);
    let expected = format!("refuses [zookeeper.auth]: {} refuses our authentication", zk.addr());
    let server_expected =
        format!("refuses [zookeeper.auth]; nothing was registered: {} refuses our authentication", zk.addr());
    let port = free_port().to_string();
    let cases = [
        (bed.server_with(&["--zookeeper", bed.hosts(), "--port", &port]), &server_expected),
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
    bed.registered(&[port]).await;
    let watch = bed.client(&["watch"]);
    watch.until_logged("connected").await;

    zk.kill().await;
    drop(zk);
    let _refusing = refusing(zk_port).start().await.unwrap();
    for process in [&server, &watch] {
        process.until_logged("refuses our authentication").await;
    }
    watch.until_printed("refuses our authentication").await;
    let mut line = String::new();
    TcpStream::connect(("127.0.0.1", port)).await.unwrap().read_to_string(&mut line).await.unwrap();
    assert!(line.ends_with("Z\n"), "the server still answers: {line:?}");
    for process in [server, watch] {
        process.signal(Signal::SIGINT);
        let exit = process.exit(SOON).await.unwrap();
        assert_eq!(exit.code, Some(0), "{}", exit.err);
    }
}
