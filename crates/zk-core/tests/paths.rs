//! Which characters a path may hold: one table, and four that must agree on it. Those are our own check, the
//! embedded server, Apache ZooKeeper, and the client crate, which must not refuse what we let through.

use std::net::SocketAddr;
use std::time::Duration;

use zk_core::ZnodePath;
use zk_testing::raw::{Client, CreateMode, Error};
use zookeeper_client as zk;

/// Both sides of every edge there is, and some between.
const CHARACTERS: [char; 30] = [
    '\0',
    '\u{1}',
    '\t',
    '\n',
    '\u{1f}',
    ' ',
    '@',
    ':',
    '\u{7e}',
    '\u{7f}',
    '\u{80}',
    '\u{9f}',
    '\u{a0}',
    'ü',
    '\u{d7ff}',
    '\u{e000}',
    '\u{f000}',
    '\u{f8fe}',
    '\u{f8ff}',
    '\u{f900}',
    '\u{feff}',
    '\u{ffef}',
    '\u{fff0}',
    '\u{fffd}',
    '\u{ffff}',
    '\u{10000}',
    '\u{1f600}',
    '\u{20000}',
    '\u{e0000}',
    '\u{10ffff}',
];

/// The path that has a character in the middle of a segment.
fn with(c: char) -> String {
    format!("/a{c}b")
}

fn ours() -> Vec<(char, bool)> {
    CHARACTERS.map(|c| (c, ZnodePath::parse(&with(c)).is_ok())).to_vec()
}

/// What a server says to the creation of each.
async fn of(server: SocketAddr) -> Vec<(char, bool)> {
    let client = Client::connect(server, Duration::from_secs(2)).await.expect("the server is up");
    let mut taken = Vec::new();
    for c in CHARACTERS {
        let taken_it = match client.create(&with(c), b"", CreateMode::Persistent).await {
            Ok(_) => true,
            Err(Error::BadArguments) => false,
            Err(error) => panic!("{c:?}: {error}"),
        };
        taken.push((c, taken_it));
    }
    client.close().await.expect("it can be closed");
    taken
}

#[tokio::test(flavor = "multi_thread")]
async fn the_embedded_server_takes_the_paths_that_we_take() {
    let server = zk_embedded::Server::start().await.unwrap();
    assert_eq!(of(server.addr()).await, ours());
    server.shutdown(zk_embedded::Shutdown::DropConnections).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn apache_zookeeper_takes_the_paths_that_we_take() {
    if test_zookeeper::require_apache().is_none() {
        return;
    }
    let server = zk_testing::Server::start().await.unwrap();
    assert_eq!(of(server.addr()).await, ours());
}

/// The crate looks at a chroot before it connects to anybody.
#[tokio::test(flavor = "multi_thread")]
async fn the_client_crate_takes_every_path_that_we_take() {
    // Free a moment ago: who connects is refused.
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for c in CHARACTERS {
        if ZnodePath::parse(&with(c)).is_err() || matches!(c, ',' | '/') {
            continue;
        }
        let hosts = format!("{nobody}{}", with(c));
        let connecting = zk::Client::connector().with_fail_eagerly().connect(&hosts).await;
        let refused = matches!(connecting, Err(zk::Error::BadArguments(_)));
        assert!(!refused, "the crate refuses {c:?}");
    }
}
