use std::fs;
use std::path::Path;
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use zk_embedded::Server;
use zk_testing::raw::{Client, CreateMode};
use zk_wire::ErrorCode;

use crate::wire::{Wire, connect, exists, frame};

async fn bystander(server: &Server) -> Client {
    let client = Client::connect(server.addr(), Duration::from_secs(10)).await.expect("answered");
    client.create("/bystander", b"", CreateMode::Ephemeral).await.expect("created");
    client
}

/// Sends bytes, closes its side, and waits for the server to close the other.
async fn throw(server: &Server, bytes: &[u8]) {
    let stream = TcpStream::connect(server.addr()).await.expect("somebody listens");
    let mut wire = Wire(stream);
    // The server may close before it has read all of it.
    let _ = wire.0.write_all(bytes).await;
    let _ = wire.0.shutdown().await;
    wire.end().await;
}

#[tokio::test]
async fn a_first_frame_that_is_no_connect_request_ends_the_connection() {
    let server = Server::start().await.expect("a port is free");
    for bytes in [&frame(b"")[..], &frame(b"abcd"), &(-1i32).to_be_bytes(), b"GET / HTTP/1.1\r\n\r\n"] {
        let mut wire = Wire::open(server.addr()).await;
        wire.send(bytes).await;
        assert_eq!(wire.end().await, 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_without_a_first_frame_is_closed_after_10_seconds() {
    let server = Server::start().await.expect("a port is free");
    let mut wire = Wire::open(server.addr()).await;
    let start = tokio::time::Instant::now();
    wire.send(&[0, 0]).await;
    let read = wire.0.read(&mut [0; 8]).await.expect("the end is no error");
    assert_eq!(read, 0);
    assert!(start.elapsed() >= Duration::from_secs(9), "{:?}", start.elapsed());
}

#[tokio::test]
async fn lengths_below_zero_or_above_the_limit_end_the_connection_and_no_other() {
    let server = Server::start().await.expect("a port is free");
    let client = bystander(&server).await;
    for length in [-1, i32::MIN, 0x10_0000, i32::MAX] {
        let mut wire = Wire::connected(server.addr()).await;
        wire.send(&length.to_be_bytes()).await;
        assert_eq!(wire.end().await, 0, "{length}");
    }
    client.sync("/").await.expect("it is served on");
}

#[tokio::test]
async fn the_largest_frame_is_served() {
    let server = Server::builder().max_frame(100).start().await.expect("a port is free");
    let mut wire = Wire::connected(server.addr()).await;
    // What is behind the request is ignored.
    let padded = |xid: i32, length: usize| {
        let mut body = exists(xid).split_off(4);
        body.resize(length, 0);
        frame(&body)
    };
    wire.send(&padded(1, 100)).await;
    assert_eq!(wire.header().await.code, ErrorCode::Ok);
    wire.send(&padded(2, 101)).await;
    assert_eq!(wire.end().await, 0);
}

#[tokio::test]
async fn a_malformed_body_gets_a_marshalling_error() {
    let server = Server::start().await.expect("a port is free");
    let mut wire = Wire::connected(server.addr()).await;
    for op in [1, 2, 4, 14, 101] {
        wire.send(&frame(&[&7i32.to_be_bytes()[..], &i32::to_be_bytes(op)].concat())).await;
        assert_eq!(wire.header().await.code, ErrorCode::MarshallingError, "op {op}");
    }
}

#[tokio::test]
async fn the_corpus_harms_no_other_client() {
    let server = Server::start().await.expect("a port is free");
    let client = bystander(&server).await;
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../zk-wire/corpus");
    for entry in fs::read_dir(folder).expect("the corpus is part of the crate") {
        throw(&server, &fs::read(entry.expect("a file").path()).expect("the file can be read")).await;
    }
    assert!(client.exists("/bystander").await.expect("it is served on").is_some());
    assert!(!client.is_closed());
}

#[test]
fn arbitrary_bytes_harm_no_other_client() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("threads can be had");
    let server = runtime.block_on(Server::start()).expect("a port is free");
    let client = runtime.block_on(bystander(&server));
    let frames = vec((-12i32..110, vec(any::<u8>(), 0..96)), 0..8);
    proptest!(ProptestConfig::with_cases(256), |(junk in vec(any::<u8>(), 0..256), frames in frames)| {
        let mut stream = connect();
        for (op, body) in frames {
            stream.extend(frame(&[&1i32.to_be_bytes()[..], &op.to_be_bytes(), &body].concat()));
        }
        stream.extend(&junk);
        runtime.block_on(async {
            throw(&server, &junk).await;
            throw(&server, &stream).await;
        });
    });
    runtime.block_on(async {
        assert!(client.exists("/bystander").await.expect("it is served on").is_some());
    });
}
