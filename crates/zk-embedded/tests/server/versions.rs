use std::time::Duration;

use tokio::time::timeout;
use zk_embedded::{Server, Version};
use zk_testing::SOON;
use zk_testing::four_letter_word;
use zk_testing::raw::{Client, CreateMode, Error, WatchMode};

const SESSION: Duration = Duration::from_secs(10);

#[tokio::test]
async fn a_newer_request_ends_the_connection_to_an_old_server_and_not_the_session() {
    let server = Server::builder().version(Version::V3_5).start().await.expect("a port is free");
    let client = Client::connect(server.addr(), SESSION).await.expect("answered");
    client.create("/mine", b"", CreateMode::Ephemeral).await.expect("created");
    client.create("/box", b"", CreateMode::Container).await.expect("3.5 knows containers");
    let refused = client.watch("/mine", WatchMode::Persistent).await;
    assert!(matches!(refused, Err(Error::Unimplemented)), "{refused:?}");
    timeout(SOON, client.closed()).await.expect("the server closes the connection");

    let (id, password) = (client.session_id(), client.password());
    let again =
        Client::connect_with(server.addr(), SESSION, id, password).await.expect("it is the session's");
    let owner = again.exists("/mine").await.expect("answered").map(|stat| stat.ephemeral_owner);
    assert_eq!(owner, Some(id));
}

#[tokio::test]
async fn four_letter_words_report_the_version() {
    for (version, number) in [(Version::V3_4, "3.4.14"), (Version::V3_6, "3.6."), (Version::V3_8, "3.8.0")] {
        let server = Server::builder().version(version).start().await.expect("a port is free");
        for (word, before) in
            [("srvr", "Zookeeper version: "), ("mntr", "zk_version\t"), ("envi", "zookeeper.version=")]
        {
            let answer = four_letter_word(server.addr(), word).await.expect(word);
            assert!(answer.contains(&format!("{before}{number}")), "{answer}");
        }
    }
}
