use zk_testing::raw::{CreateMode, Error};
use zk_testing::{Ensemble, Server};

use crate::connect;

#[tokio::test]
async fn an_old_server_serves_and_keeps_its_data() {
    let Some(_) = zk_testing::require_old() else { return };
    let mut server = Server::builder().old().start().await.unwrap();
    let version = server.four_letter_word("srvr").await.unwrap();
    assert!(version.starts_with("Zookeeper version: 3.4."), "{version}");
    let client = connect(server.addr()).await;
    client.create("/a", b"", CreateMode::Persistent).await.unwrap();
    let unknown = client.create("/b", b"", CreateMode::Container).await;
    assert!(matches!(unknown, Err(Error::Unimplemented)), "{unknown:?}");
    server.restart().await.unwrap();
    assert!(connect(server.addr()).await.exists("/a").await.unwrap().is_some());
}

#[tokio::test]
async fn old_servers_form_an_ensemble() {
    let Some(_) = zk_testing::require_old() else { return };
    let ensemble = Ensemble::start_with(3, Server::builder().old()).await.unwrap();
    assert!(ensemble.leader().await.is_some());
}
