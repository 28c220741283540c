//! What of `RUST_LOG` reaches the programs.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::time::Duration;

use nix::sys::signal::Signal;
use system_tests::{Process, Programs, TestBed, free_port};
use tokio::time::{Instant, sleep};
use zk_testing::SOON;

fn bed(rust_log: &'static str) -> TestBed {
    let programs = Programs {
        server: env!("CARGO_BIN_EXE_system-daytime-server").into(),
        client: env!("CARGO_BIN_EXE_system-daytime-client").into(),
        environment: vec![("RUST_LOG", rust_log)],
    };
    TestBed::new(programs, vec![])
}

/// A server and a client that have something to log: nobody listens where they look for ZooKeeper.
fn both(bed: &TestBed) -> [Process; 2] {
    let nobody = format!("127.0.0.1:{}", free_port());
    let port = free_port().to_string();
    [
        bed.server_with(&["--zookeeper", &nobody, "--port", &port]),
        bed.client_with(&["watch", "--zookeeper", &nobody]),
    ]
}

async fn said(process: &Process, text: &str) {
    let deadline = Instant::now() + SOON;
    while !process.err().contains(text) {
        assert!(Instant::now() < deadline, "{text:?} was not said:\n{}", process.err());
        sleep(Duration::from_millis(5)).await;
    }
}

async fn stopped(process: Process) -> String {
    process.signal(Signal::SIGTERM);
    let exit = process.exit(SOON).await.unwrap();
    assert_eq!(exit.code, Some(0), "{}", exit.err);
    exit.err
}

#[tokio::test]
async fn an_empty_rust_log_is_unset() {
    for empty in ["", " ", ","] {
        for program in both(&bed(empty)) {
            said(&program, "WARN zk_core").await;
            assert!(!stopped(program).await.contains("RUST_LOG"));
        }
    }
}

#[tokio::test]
async fn a_wrong_directive_of_rust_log_is_reported_once_and_the_rest_is_used() {
    for program in both(&bed("zk_core=debug,registry=verbose")) {
        said(&program, "DEBUG zk_core").await;
        let log = stopped(program).await;
        let told: Vec<_> = log.lines().filter(|line| line.contains("RUST_LOG")).collect();
        assert_eq!(told.len(), 1, "{log}");
        assert!(told[0].contains("registry=verbose"), "{log}");
    }
    // With nothing left of it, there is what there would be without.
    for program in both(&bed("zk_core=verbose")) {
        said(&program, "zk_core=verbose").await;
        said(&program, "WARN zk_core").await;
        stopped(program).await;
    }
}
