//! Programs of others that register instances, and tell that they leave: one transaction writes the znode and deletes it.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::process::Stdio;
use std::time::Duration;

use discovery::Discovery;
use test_zookeeper::Server;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::Command;
use tokio::time::{sleep, timeout};
use zk_core::{Zk, ZnodePath};
use zk_testing::raw::{Client, CreateMode, MultiOp};
use zk_testing::{SESSION, SOON};

const ROOT: &str = "/go_servers";
/// More than half of a set, and three: together they are held, unless each tells that it leaves.
const NAMES: [&str; 3] = ["10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80"];

/// An instance that came within the last second is fresh, and does not count when it goes.
const NOT_FRESH: Duration = Duration::from_millis(1100);

/// Follows the root, and would hold a mass disappearance for longer than any test.
fn follow(server: &Server) -> Discovery {
    let config = zk_core::ZkConfig::new(&server.connect_string()).unwrap().with_session_timeout(SESSION);
    let hold =
        discovery::DiscoveryConfig::new(ZnodePath::parse(ROOT).unwrap()).with_hold(Duration::from_secs(600));
    Discovery::start(&Zk::start(config.unwrap()).unwrap(), hold.unwrap())
}

async fn count_becomes(discovery: &Discovery, count: usize) {
    let mut views = discovery.views();
    let as_many = |view: &discovery::View| view.snapshot.as_ref().is_some_and(|set| set.len() == count);
    let found = timeout(SOON, views.wait_for(|view| as_many(view))).await.is_ok();
    assert!(found, "there are not {count}: {:?}", discovery.view());
}

fn requires_recursive_watches() -> Option<()> {
    test_zookeeper::require().filter(|()| test_zookeeper::has_recursive_watches())
}

#[tokio::test]
async fn a_leave_that_any_client_tells_is_believed_at_once_and_a_plain_deletion_is_held() {
    let Some(_) = requires_recursive_watches() else { return };
    let server = Server::start().await.unwrap();
    let discovery = follow(&server);
    let writer = Client::connect(server.addr(), 2 * SESSION).await.unwrap();
    writer.create_all(ROOT).await.unwrap();
    let paths = NAMES.map(|name| format!("{ROOT}/{name}"));
    for tells in [true, false] {
        for path in &paths {
            writer.create(path, b"", CreateMode::Ephemeral).await.unwrap();
        }
        count_becomes(&discovery, 3).await;
        sleep(NOT_FRESH).await;
        for path in &paths {
            if tells {
                // What it writes does not matter: nobody can read it.
                let leave = [MultiOp::set(path, b"", Some(0)), MultiOp::delete(path, Some(1))];
                writer.multi(&leave).await.unwrap();
            } else {
                writer.delete(path, None).await.unwrap();
            }
        }
        if tells {
            count_becomes(&discovery, 0).await;
        } else {
            let mut views = discovery.views();
            timeout(SOON, views.wait_for(|view| view.held == 3)).await.expect("held in time").unwrap();
        }
    }
}

/// The first Python that has kazoo: Debian's package is for Debian's Python, which need not be the first one in the path.
async fn python_with_kazoo() -> Option<&'static str> {
    for python in ["python3", "/usr/bin/python3"] {
        let probe = Command::new(python).args(["-c", "import kazoo.client"]).stderr(Stdio::null()).status();
        if probe.await.is_ok_and(|status| status.success()) {
            return Some(python);
        }
    }
    zk_testing::skipped("no Python with kazoo; Debian's package is python3-kazoo");
    None
}

#[tokio::test]
async fn a_leave_that_kazoo_tells_is_believed_at_once() {
    let Some(_) = requires_recursive_watches() else { return };
    let Some(python) = python_with_kazoo().await else { return };
    let server = Server::start().await.unwrap();
    let discovery = follow(&server);
    let mut kazoo = Command::new(python)
        .args(["-c", include_str!("kazoo_leave.py"), &server.connect_string(), ROOT])
        .args(NAMES)
        .kill_on_drop(true)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(kazoo.stdout.take().unwrap()).lines();
    let mut printed = async || timeout(SOON, lines.next_line()).await.expect("a line in time").unwrap();
    assert_eq!(printed().await.as_deref(), Some("registered"));
    count_becomes(&discovery, 3).await;
    sleep(NOT_FRESH).await;
    kazoo.stdin.as_mut().unwrap().write_all(b"leave\n").await.unwrap();
    assert_eq!(printed().await.as_deref(), Some("left"));
    // Its session lasts until it is told to end: the znodes have gone by their transactions.
    count_becomes(&discovery, 0).await;
}
