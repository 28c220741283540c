//! How long a request may be, here and on Apache ZooKeeper.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::time::timeout;
use zk_embedded::Server;
use zk_testing::SOON;
use zk_testing::raw::{Client, CreateMode, Error};

const SESSION: Duration = Duration::from_secs(4);
const LIMIT: usize = 4096;
/// What a create of a path of two bytes with the open ACL takes beside its data.
const AROUND: usize = 8 + 6 + 4 + (4 + 4 + 9 + 10) + 4;
/// What the reply to a get takes beside the data: header, length and stat.
const AROUND_REPLY: usize = 16 + 4 + 68;

#[tokio::test]
async fn a_request_may_be_as_long_as_the_limit() {
    let server = Server::builder().max_frame(LIMIT).start().await.expect("a port is free");
    obeys_the_limit(server.addr()).await;
}

#[tokio::test]
async fn apache_zookeeper_has_the_same_limit() {
    let Some(_) = zk_testing::require() else { return };
    let server = zk_testing::Server::builder().java_property("jute.maxbuffer", LIMIT);
    let server = server.start().await.expect("it starts");
    obeys_the_limit(server.addr()).await;
}

async fn obeys_the_limit(addr: SocketAddr) {
    let client = Client::connect(addr, SESSION).await.expect("answered");
    let data = vec![b'x'; LIMIT - AROUND + 1];
    client.create("/a", &data[1..], CreateMode::Persistent).await.expect("just not too long");
    let (data_read, _) = client.get("/a").await.expect("answered");
    assert!(data_read.len() + AROUND_REPLY > LIMIT, "a reply may be longer");

    let refused = client.create("/b", &data, CreateMode::Persistent).await;
    assert!(matches!(refused, Err(Error::Io(_))), "{refused:?}");
    timeout(SOON, client.closed()).await.expect("the connection is cut");
    let again = Client::connect_with(addr, SESSION, client.session_id(), client.password()).await;
    let created = again.expect("the session stays").exists("/b").await.expect("answered");
    assert_eq!(created, None);
}
