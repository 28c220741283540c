use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;
use zk_embedded::Server;
use zk_testing::SOON;
use zk_testing::raw::{Client, CreateMode};
use zk_wire::{ErrorCode, Request};

use crate::wire::{Wire, request};

const TIMEOUT: Duration = Duration::from_secs(10);

#[tokio::test]
async fn a_client_that_does_not_read_is_not_read_either_and_still_gets_every_reply() {
    let server = Server::start().await.expect("a port is free");
    let client = Client::connect(server.addr(), TIMEOUT).await.expect("answered");
    client.create("/big", &vec![7; 1_000_000], CreateMode::Persistent).await.expect("created");

    // The replies are 20,000 times as long as the requests, so these would be 10 GB.
    let (mut reader, mut writer) = Wire::connected(server.addr()).await.0.into_split();
    let mut sent = 0;
    let send = async {
        while sent < 10_000 {
            let get = Request::GetData { path: "/big".into(), watch: false };
            writer.write_all(&request(sent + 1, get)).await.expect("the connection stands");
            sent += 1;
        }
    };
    // The buffers on the way may be too small for all of them.
    let _ = timeout(Duration::from_secs(3), send).await;
    let recved = cons(&server, "lop=GETD").await;
    assert!(sent > 2000 && recved < 2000, "{recved} of {sent} requests were read");
    client.sync("/").await.expect("others are served");

    // The pipelined requests are still answered, in order.
    let mut header = [0; 20];
    for xid in 1..=30 {
        reader.read_exact(&mut header).await.expect("a reply");
        assert_eq!(header[4..8], i32::to_be_bytes(xid));
        let mut rest = vec![0; u32::from_be_bytes(*header.first_chunk().expect("a length")) as usize - 16];
        reader.read_exact(&mut rest).await.expect("the whole reply");
    }
}

#[tokio::test]
async fn a_client_that_does_not_read_its_events_is_disconnected() {
    let server = Server::start().await.expect("a port is free");
    let client = Client::connect(server.addr(), TIMEOUT).await.expect("answered");
    // Long names make long events: 100 kB each.
    let long = format!("/{}", "n".repeat(100_000));
    let mut wire = Wire::connected(server.addr()).await;
    wire.send(&request(1, Request::AddWatch { path: "/".into(), mode: 1 })).await;
    assert_eq!(wire.header().await.code, ErrorCode::Ok);
    let cut = async {
        while cons(&server, "lop=ADDW").await > 0 {
            for _ in 0..10 {
                client.create(&long, b"", CreateMode::Persistent).await.expect("created");
                client.delete(&long, None).await.expect("deleted");
            }
        }
    };
    timeout(SOON * 3, cut).await.expect("it is cut off");
    client.sync("/").await.expect("others are served");
}

/// How many requests were read from the connection whose line in `cons` has these words; 0 if there is none.
async fn cons(server: &Server, words: &str) -> u64 {
    let answer = zk_testing::four_letter_word(server.addr(), "cons").await.expect("answered");
    let line = answer.lines().find(|line| line.contains(words)).unwrap_or_default();
    let (_, rest) = line.split_once("recved=").unwrap_or_default();
    rest.split(',').next().and_then(|count| count.parse().ok()).unwrap_or(0)
}
