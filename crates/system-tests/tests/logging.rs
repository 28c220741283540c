//! How the programs read `RUST_LOG`.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use nix::sys::signal::Signal;
use system_tests::{Process, Programs, TestBed, free_port};
use zk_testing::SOON;

fn bed(rust_log: &'static str) -> TestBed {
    let environment = vec![("RUST_LOG", rust_log)];
    TestBed::new(Programs { environment, ..system_tests::programs!() }, vec![])
}

/// A server and a client with something to log: nobody listens at their ZooKeeper's address.
fn both(bed: &TestBed) -> [Process; 2] {
    let nobody = format!("127.0.0.1:{}", free_port());
    let port = free_port().to_string();
    [
        bed.server_with(&["--zookeeper", &nobody, "--port", &port]),
        bed.client_with(&["watch", "--zookeeper", &nobody]),
    ]
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
            program.until_logged("WARN zk_core").await;
            assert!(!stopped(program).await.contains("RUST_LOG"));
        }
    }
}

#[tokio::test]
async fn a_wrong_directive_of_rust_log_is_reported_once_and_the_rest_is_used() {
    for program in both(&bed("zk_core=debug,registry=verbose")) {
        program.until_logged("DEBUG zk_core").await;
        let log = stopped(program).await;
        let reports: Vec<_> = log.lines().filter(|line| line.contains("RUST_LOG")).collect();
        assert_eq!(reports.len(), 1, "{log}");
        assert!(reports[0].contains("registry=verbose"), "{log}");
    }
    // Without a valid directive the default is used.
    for program in both(&bed("zk_core=verbose")) {
        program.until_logged("zk_core=verbose").await;
        program.until_logged("WARN zk_core").await;
        stopped(program).await;
    }
}
