//! The characters that a path may contain. Our own check, the embedded server and Apache ZooKeeper must agree on them,
//! and the client crate must not refuse a path that we accept.

use std::net::SocketAddr;
use std::time::Duration;

use zk_core::ZnodePath;
use zk_testing::raw::{Client, CreateMode, Error};
use zookeeper_client as zk;

/// Both sides of every boundary, and some characters between.
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

/// A path with the character in the middle of a segment.
fn with(c: char) -> String {
    format!("/a{c}b")
}

fn accepted_by_us() -> Vec<(char, bool)> {
    CHARACTERS.map(|c| (c, ZnodePath::parse(&with(c)).is_ok())).to_vec()
}

/// Whether a server creates the path, for each character.
async fn accepted_by(server: SocketAddr) -> Vec<(char, bool)> {
    let client = Client::connect(server, Duration::from_secs(2)).await.expect("the server is up");
    let mut accepted = Vec::new();
    for c in CHARACTERS {
        let is_accepted = match client.create(&with(c), b"", CreateMode::Persistent).await {
            Ok(_) => true,
            Err(Error::BadArguments) => false,
            Err(error) => panic!("{c:?}: {error}"),
        };
        accepted.push((c, is_accepted));
    }
    client.close().await.expect("the session can be closed");
    accepted
}

#[tokio::test(flavor = "multi_thread")]
async fn the_embedded_server_accepts_the_same_paths() {
    let server = zk_embedded::Server::start().await.unwrap();
    assert_eq!(accepted_by(server.addr()).await, accepted_by_us());
    server.shutdown(zk_embedded::Shutdown::DropConnections).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn apache_zookeeper_accepts_the_same_paths() {
    if test_zookeeper::require_apache().is_none() {
        return;
    }
    let server = zk_testing::Server::start().await.unwrap();
    assert_eq!(accepted_by(server.addr()).await, accepted_by_us());
}

/// The crate checks a chroot before it connects.
#[tokio::test(flavor = "multi_thread")]
async fn the_client_crate_accepts_every_path_that_we_accept() {
    // A port without a listener.
    let unused = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for c in CHARACTERS {
        if ZnodePath::parse(&with(c)).is_err() || matches!(c, ',' | '/') {
            continue;
        }
        let hosts = format!("{unused}{}", with(c));
        let connecting = zk::Client::connector().with_fail_eagerly().connect(&hosts).await;
        let refused = matches!(connecting, Err(zk::Error::BadArguments(_)));
        assert!(!refused, "the crate refuses {c:?}");
    }
}
