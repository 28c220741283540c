//! Rows in which a program cannot write its output.

use std::time::Duration;

use nix::errno::Errno;
use nix::sys::signal::Signal;
use system_tests::{PROPAGATION, Process, TestBed, free_port, os_message};
use test_zookeeper::Server;
use tokio::net::TcpStream;

use crate::support::*;

// === 46: standard output and standard error are full, or closed ===

/// Both outputs on a full disk.
const ALL_FULL: &str = "exec \"$@\" >/dev/full 2>&1";
/// Both outputs into a pipe whose reader has gone.
const ALL_GONE: &str = "mkfifo gone.$$; : <gone.$$ & exec \"$@\" >gone.$$ 2>&1";

async fn stopped(process: Process) {
    process.signal(Signal::SIGTERM);
    let exit = process.exit(Duration::from_secs(5)).await.unwrap();
    assert_eq!(exit.code, Some(0), "I11");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fault_46_a_server_that_cannot_log_keeps_serving() {
    let Some(_) = test_zookeeper::require() else { return };
    let mut zk = Server::start().await.unwrap();
    let bed = TestBed::new(real(), vec![zk.addr()]);
    let ports = [free_port(), free_port()];
    let full = bed.server_in(ALL_FULL, &["--port", &ports[0].to_string()]);
    let gone = bed.server_in(ALL_GONE, &["--port", &ports[1].to_string()]);
    let before = bed.observer.until("both", SOON, all_of(&ports)).await.unwrap();
    for server in [&full, &gone] {
        let to = std::fs::read_link(format!("/proc/{}/fd/2", server.pid())).unwrap();
        let to = to.to_string_lossy().into_owned();
        assert!(to == "/dev/full" || to.contains("gone."), "the fault did not take effect: {to}");
    }
    // The servers log an outage of ZooKeeper.
    zk.kill().await;
    zk.start_again().await.unwrap();
    all_answered(bed.client(&["--rounds", "100", "--interval", "10ms"]), 100).await.unwrap();
    tokio::time::sleep(gone_within()).await;
    let after = bed.observer.until("both", PROPAGATION, all_of(&ports)).await.unwrap();
    assert_eq!(after, before, "I7");
    stopped(full).await;
    stopped(gone).await;
    bed.observer.until("none", PROPAGATION, all_of(&[])).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fault_46_a_client_that_cannot_log_keeps_asking() {
    let Some(_) = test_zookeeper::require() else { return };
    let zk = Server::start().await.unwrap();
    let bed = TestBed::new(real(), vec![zk.addr()]);
    let port = free_port();
    let _server = bed.server(&[port]);
    // The client logs that nobody listens there.
    let dead = free_port();
    assert!(TcpStream::connect(("127.0.0.1", dead)).await.is_err());
    let _by_hand = register_by_hand(zk.addr(), &[name(dead)]).await;
    bed.observer.until("both", SOON, all_of(&[port, dead])).await.unwrap();
    for silent in ["exec \"$@\" 2>/dev/full", "mkfifo err.$$; : <err.$$ & exec \"$@\" 2>err.$$"] {
        let client = bed.client_in(silent, &["--rounds", "50", "--interval", "10ms"]);
        all_answered(client, 50).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fault_46_a_client_that_cannot_print_ends_with_1_or_with_0_if_its_reader_has_gone() {
    let Some(_) = test_zookeeper::require() else { return };
    let zk = Server::start().await.unwrap();
    let bed = TestBed::new(default_log(real()), vec![zk.addr()]);
    let port = free_port();
    let _server = bed.server(&[port]);
    bed.observer.until("the server", SOON, all_of(&[port])).await.unwrap();
    let commands: [&[&str]; 4] =
        [&["--rounds", "1000", "--interval", "10ms"], &["list"], &["list", "--json"], &["watch"]];
    for command in commands {
        let full = bed.client_in("exec \"$@\" >/dev/full", command);
        let exit = full.exit(Duration::from_secs(3)).await.unwrap_or_else(|e| panic!("{command:?}: {e}"));
        assert_eq!(exit.code, Some(1), "{command:?}: {}", exit.err);
        let error = exit.err.lines().last().unwrap_or_default();
        let full = os_message(Errno::ENOSPC);
        assert!(error.contains("standard output") && error.contains(&full), "{command:?}: {}", exit.err);
        no_panic(&exit.err).unwrap();
    }
    // The reader takes one line, as `head -1` does; the line about the next server finds no reader.
    let head = "mkfifo out.$$; { read -r line; echo \"$line\" >&2; } <out.$$ & exec \"$@\" >out.$$";
    for command in [commands[0], commands[3]] {
        let client = bed.client_in(head, command);
        until("a line is taken", SOON, || !client.err().is_empty()).await.unwrap();
        let port = free_port();
        let _comes = bed.server(&[port]);
        let exit = client.exit(SOON).await.unwrap();
        assert_eq!(exit.code, Some(0), "{command:?}: {}", exit.err);
        let others: Vec<_> = exit.err.lines().filter(|line| !line.contains(" INFO ")).collect();
        assert_eq!(others.len(), 1, "{command:?}: {others:#?}");
    }
}
