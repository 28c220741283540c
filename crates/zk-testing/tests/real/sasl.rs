use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use zk_testing::SESSION;
use zk_testing::Server;
use zk_testing::raw::{Acl, Client, CreateMode, Error, permission};

use crate::connect;

const SOON: Duration = Duration::from_secs(5);

#[tokio::test]
async fn a_server_with_users_offers_digest_md5_and_serves_others_too() {
    let Some(_) = zk_testing::require() else { return };
    let server = Server::builder().sasl(&[("ann", "secret")]).start().await.unwrap();
    let challenge = challenge(server.addr()).await;
    assert!(challenge.contains("algorithm=md5-sess") && challenge.contains("nonce="), "{challenge}");
    let client = connect(server.addr()).await;
    let ann = Acl::new(permission::ALL, "sasl", "ann");
    client.create_with_acl("/a", b"", CreateMode::Persistent, &[ann]).await.unwrap();
    assert!(matches!(client.get("/a").await, Err(Error::NoAuth)), "it has not authenticated");
}

#[tokio::test]
async fn a_server_that_requires_sasl_refuses_a_session_that_has_not_authenticated() {
    let Some(_) = zk_testing::require() else { return };
    let server = Server::builder().sasl(&[("ann", "secret")]).require_sasl(true).start().await.unwrap();
    let client = Client::connect(server.addr(), 2 * SESSION).await.unwrap();
    let refused = client.create("/a", b"", CreateMode::Persistent).await;
    assert!(matches!(refused, Err(Error::SaslRequired)), "{refused:?}");
    timeout(SOON, client.closed()).await.unwrap();
}

/// Opens a session, begins SASL with an empty token, and returns what the server challenges with.
async fn challenge(addr: std::net::SocketAddr) -> String {
    let mut stream = TcpStream::connect(addr).await.unwrap();
    let mut connect = vec![0; 28];
    connect[12..16].copy_from_slice(&4_000_i32.to_be_bytes());
    connect.splice(24..28, 16_i32.to_be_bytes().into_iter().chain([0; 16]));
    send(&mut stream, &connect).await;
    receive(&mut stream).await;
    // xid 1, operation 102, an empty token.
    send(&mut stream, &[0, 0, 0, 1, 0, 0, 0, 102, 0, 0, 0, 0]).await;
    let reply = receive(&mut stream).await;
    assert_eq!(reply[12..16], [0; 4], "the code of {reply:?}");
    String::from_utf8_lossy(&reply[20..]).into_owned()
}

async fn send(stream: &mut TcpStream, body: &[u8]) {
    let length = u32::try_from(body.len()).unwrap();
    stream.write_all(&[&length.to_be_bytes(), body].concat()).await.unwrap();
}

async fn receive(stream: &mut TcpStream) -> Vec<u8> {
    let length = timeout(SOON, stream.read_u32()).await.unwrap().unwrap();
    let mut body = vec![0; length as usize];
    timeout(SOON, stream.read_exact(&mut body)).await.unwrap().unwrap();
    body
}
