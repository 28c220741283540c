use std::time::Duration;

use zk_embedded::Server;
use zk_testing::four_letter_word;
use zk_testing::raw::{Client, CreateMode, WatchMode};

use crate::wire::{Wire, frame};

#[tokio::test]
async fn every_four_letter_word_gets_a_reply() {
    let server = Server::start().await.expect("a port is free");
    let client = Client::connect(server.addr(), Duration::from_secs(10)).await.expect("answered");
    client.create("/e", b"", CreateMode::Ephemeral).await.expect("created");
    client.watch("/e", WatchMode::Persistent).await.expect("watched");
    let session = format!("{:#x}", client.session_id());
    let port = format!("clientPort={}", server.addr().port());
    for (word, expected) in [
        ("ruok", "imok"),
        ("isro", "rw"),
        ("srvr", "Mode: standalone\n"),
        ("stat", "Clients:\n /127.0.0.1:"),
        ("mntr", "zk_ephemerals_count\t1\n"),
        ("conf", &port),
        ("cons", &session),
        ("wchs", "1 connections watching 1 paths\nTotal watches:1\n"),
        ("dump", &format!("Sessions with Ephemerals (1):\n{session}:\n\t/e\n")),
        ("envi", "zookeeper.version=3.8.0"),
        ("wchp", "not in the whitelist"),
    ] {
        let answer = four_letter_word(server.addr(), word).await.expect(word);
        assert!(answer.contains(expected), "{word}: {answer}");
    }
}

#[tokio::test]
async fn a_four_letter_word_with_a_line_end_gets_a_whole_reply() {
    let server = Server::start().await.expect("a port is free");
    assert_eq!(four_letter_word(server.addr(), "ruok\r\n").await.expect("answered"), "imok");
}

#[tokio::test]
async fn a_four_letter_word_in_a_session_is_a_bad_length() {
    let server = Server::start().await.expect("a port is free");
    let mut wire = Wire::connected(server.addr()).await;
    wire.send(b"ruok").await;
    assert_eq!(wire.end().await, 0);
}

#[tokio::test]
async fn a_frame_that_holds_a_four_letter_word_is_no_word() {
    let server = Server::start().await.expect("a port is free");
    let mut wire = Wire::open(server.addr()).await;
    wire.send(&frame(b"ruok")).await;
    assert_eq!(wire.end().await, 0);
}
