use std::time::Duration;

use tokio::time::{Instant, timeout};
use zk_testing::raw::{Client, CreateMode, Error};
use zk_testing::{SESSION, Server, expire_session, session_password};

use crate::connect;

#[tokio::test]
async fn the_password_is_computed_as_the_server_does() {
    let Some(_) = zk_testing::require() else { return };
    let server = Server::start().await.unwrap();
    for _ in 0..3 {
        let client = connect(server.addr()).await;
        assert_eq!(session_password(client.session_id()), *client.password());
    }
}

#[tokio::test]
async fn an_expired_session_loses_its_ephemerals_and_its_owner_learns() {
    let Some(_) = zk_testing::require() else { return };
    let server = Server::start().await.unwrap();
    let (owner, bystander) = (connect(server.addr()).await, connect(server.addr()).await);
    owner.create("/mine", b"", CreateMode::Ephemeral).await.unwrap();
    owner.create("/lasting", b"", CreateMode::Persistent).await.unwrap();
    bystander.create("/other", b"", CreateMode::Ephemeral).await.unwrap();

    let began = Instant::now();
    expire_session(server.addr(), owner.session_id()).await.unwrap();
    assert!(bystander.exists("/mine").await.unwrap().is_none());
    assert!(began.elapsed() < Duration::from_secs(1), "took {:?}", began.elapsed());
    timeout(SESSION, owner.closed()).await.unwrap();
    let again = Client::connect_with(server.addr(), 2 * SESSION, owner.session_id(), owner.password()).await;
    assert!(matches!(again, Err(Error::SessionExpired)));

    assert!(bystander.exists("/lasting").await.unwrap().is_some());
    assert!(bystander.exists("/other").await.unwrap().is_some());
}

#[tokio::test]
async fn an_unknown_session_cannot_be_expired() {
    let Some(_) = zk_testing::require() else { return };
    let server = Server::start().await.unwrap();
    assert!(matches!(expire_session(server.addr(), 0x1234).await, Err(Error::SessionExpired)));
    assert!(matches!(expire_session(server.addr(), 0).await, Err(Error::SessionExpired)));
    let client = connect(server.addr()).await;
    let wrong = Client::connect_with(server.addr(), 2 * SESSION, client.session_id(), &[7; 16]).await;
    assert!(matches!(wrong, Err(Error::SessionExpired)));
    let again =
        Client::connect_with(server.addr(), 2 * SESSION, client.session_id(), client.password()).await;
    assert!(again.is_ok(), "a wrong password costs a connection, not the session");
}
