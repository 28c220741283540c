//! Row 44 with a silent name service: a look-up takes half a minute.

use std::net::UdpSocket;
use std::time::Duration;

use futures_util::future::join_all;
use nix::sys::signal::Signal;
use system_tests::{Process, TestBed, free_port};
use tokio::time::{Instant, sleep};

use crate::namespace::{is_inside, run, run_inside};
use crate::support::*;

const WHY: &str = "a name service of its own takes a mount namespace";

/// Milliseconds: in the middle of the first look-up, about at its timeout, and in a later look-up.
const MOMENTS: [u64; 6] = [0, 300, 1_000, 1_950, 2_050, 4_000];

#[tokio::test]
async fn fault_44_sigterm_ends_a_program_while_the_name_service_is_silent() {
    run_inside("resolver::in_namespace_fault_44_sigterm_ends_a_program", WHY).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "run by fault_44"]
async fn in_namespace_fault_44_sigterm_ends_a_program() {
    assert!(is_inside());
    run("ip", "link set lo up");
    // A name service that takes every question, and answers none.
    let _silent = UdpSocket::bind("127.0.0.53:53").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let table = folder.path().join("resolv.conf");
    std::fs::write(&table, "nameserver 127.0.0.53\n").unwrap();
    run("mount", &format!("--bind {} /etc/resolv.conf", table.display()));

    let bed = TestBed::new(real(), vec![]);
    // Servers that look for an embedded ZooKeeper's address, for their own address, and for the ensemble only.
    let starts: [&[&str]; 3] = [&["--embedded", "--udp"], &["--host", "0.0.0.0"], &[]];
    for start in starts {
        let named = ["--zookeeper", "one.test,two.test,three.test:2181"];
        let one = ["--zookeeper", "one.test:2181"];
        let hosts = if start.contains(&"--embedded") { &one } else { &named };
        let ended = MOMENTS.map(|moment| {
            let port = free_port().to_string();
            let server = bed.server_with(&[&hosts[..], start, &["--port", &port]].concat());
            async move {
                server.until_logged("listening").await;
                ended_soon(server, moment, start).await
            }
        });
        let longest = join_all(ended).await.into_iter().max();
        println!("server {start:?}: {longest:?}");
    }
    // The client.
    for command in ["watch", "list", "doctor"] {
        let client = bed.client_with(&[command, "--zookeeper", "one.test:2181"]);
        let took = ended_soon(client, 1_000, &[command]).await;
        println!("client {command}: {took:?}");
    }
    let server =
        bed.server_with(&["--zookeeper", "one.test", "--embedded", "--port", &free_port().to_string()]);
    // The fault took effect.
    let asked = Instant::now();
    server.until_logged("not resolved within").await;
    assert!(asked.elapsed() > Duration::from_secs(1), "the name service answers");
    server.until_logged("embedded ZooKeeper not started").await;
}

/// Sends SIGTERM at a moment, in milliseconds; returns how long the end took.
async fn ended_soon(program: Process, moment: u64, what: &[&str]) -> Duration {
    sleep(Duration::from_millis(moment)).await;
    let asked = Instant::now();
    program.signal(Signal::SIGTERM);
    let within = Duration::from_secs(2);
    let exit = program.exit(within).await.unwrap_or_else(|e| panic!("{what:?} at {moment} ms: {e}"));
    let took = asked.elapsed();
    assert!(exit.code.is_some(), "{what:?} at {moment} ms: {}", exit.err);
    no_panic(&exit.err).unwrap();
    took
}
