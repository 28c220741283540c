//! SASL on a real Apache ZooKeeper that knows a user, and on one without SASL.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::time::Duration;

use common::{config, connected, observer, path, state_where, trouble};
use tokio::time::Instant;
use zk_core::{Acl, ConnectError, ErrorKind, Sasl, State, Zk};
use zk_testing::proxy::Proxy;
use zk_testing::{Server, holds_within, raw};

fn ann(password: &str) -> Sasl {
    Sasl::digest_md5("ann", password).unwrap()
}

async fn strict_server() -> Server {
    Server::builder().sasl(&[("ann", "secret")]).require_sasl(true).start().await.unwrap()
}

#[tokio::test]
async fn the_server_records_our_identity_after_sasl_authentication() {
    let Some(_) = test_zookeeper::require_apache() else { return };
    let server = strict_server().await;
    let zk = Zk::start(config(&server.connect_string()).with_sasl(ann("secret"))).unwrap();
    let connection = connected(&zk).await;
    let identities = connection.identities().await.unwrap();
    assert!(identities.iter().any(|id| id.scheme == "sasl" && id.user == "ann"), "{identities:?}");
    // The server accepts the creator's ACL only from an authenticated client.
    connection.create_ephemeral(&path("/mine"), b"", Acl::Creator).await.unwrap();
    zk.close(Duration::from_secs(2)).await.unwrap();
}

#[tokio::test]
async fn fault_28_a_wrong_password_is_reported_within_two_seconds() {
    let Some(_) = test_zookeeper::require_apache() else { return };
    let server = strict_server().await;
    let started = Instant::now();
    let zk = Zk::start(config(&server.connect_string()).with_sasl(ann("wrong"))).unwrap();
    let error = trouble(&zk).await;
    assert_eq!(error, ConnectError::AuthFailed { server: server.addr().to_string() });
    assert!(started.elapsed() < Duration::from_secs(2), "reported after {:?}", started.elapsed());
    assert_eq!(zk.state().epoch, 0);
}

#[tokio::test]
async fn fault_28_a_server_that_ignores_the_authentication_is_refused_and_keeps_no_session() {
    let Some(_) = test_zookeeper::require_apache() else { return };
    let server = Server::start().await.unwrap();
    let zk = Zk::start(config(&server.connect_string()).with_sasl(ann("secret"))).unwrap();
    let error = trouble(&zk).await;
    assert_eq!(
        error,
        ConnectError::NotAuthenticated { server: server.addr().to_string(), scheme: "sasl" },
        "served unauthenticated"
    );
    zk.close(Duration::from_secs(2)).await.unwrap();
    // A session that was not closed would stay for its timeout of two seconds.
    let no_session = async || {
        let mntr = server.four_letter_word("mntr").await.unwrap();
        mntr.lines().any(|line| line == "zk_global_sessions\t0")
    };
    holds_within("the server has no session", Duration::from_secs(1), no_session).await.unwrap();
}

#[tokio::test]
async fn a_server_that_requires_sasl_refuses_a_link_without_it() {
    let Some(_) = test_zookeeper::require_apache() else { return };
    let server = strict_server().await;
    let zk = Zk::start(config(&server.connect_string())).unwrap();
    let error = trouble(&zk).await;
    assert_eq!(error, ConnectError::AuthFailed { server: server.addr().to_string() });
}

#[tokio::test]
async fn fault_28_a_refusal_at_run_time_is_reported_and_the_link_reconnects_when_the_password_is_valid_again()
{
    let Some(_) = test_zookeeper::require_apache() else { return };
    let server = strict_server().await;
    let elsewhere = Server::builder().sasl(&[("ann", "changed")]).require_sasl(true).start().await.unwrap();
    let proxy = Proxy::start(server.addr()).await.unwrap();
    let zk = Zk::start(config(&proxy.connect_string()).with_sasl(ann("secret"))).unwrap();
    connected(&zk).await;

    proxy.redirect(elsewhere.addr());
    proxy.cut().await;
    let refused = |state: &State| matches!(state.trouble, Some(ConnectError::AuthFailed { .. }));
    let state = state_where(&zk, "a refusal", refused).await;
    assert!(!state.is_connected() && !state.is_closed(), "{state:?}");

    let corrected = Instant::now();
    proxy.redirect(server.addr());
    let state = state_where(&zk, "a connection", State::is_connected).await;
    assert_eq!(state.trouble, None);
    // One attempt each second, and the time that it takes.
    assert!(corrected.elapsed() < Duration::from_secs(2), "{:?}", corrected.elapsed());
}

#[tokio::test]
async fn the_creators_acl_lets_other_clients_read_and_not_write() {
    let Some(_) = test_zookeeper::require_apache() else { return };
    let server = Server::builder().sasl(&[("ann", "secret")]).start().await.unwrap();
    let zk = Zk::start(config(&server.connect_string()).with_sasl(ann("secret"))).unwrap();
    connected(&zk).await.create_ephemeral(&path("/mine"), b"x", Acl::Creator).await.unwrap();
    let stranger = observer(server.addr()).await;
    assert_eq!(stranger.get("/mine").await.unwrap().0, b"x");
    assert!(matches!(stranger.set("/mine", b"y", None).await, Err(raw::Error::NoAuth)));

    let other = Zk::start(config(&server.connect_string())).unwrap();
    let denied = connected(&other).await.set_data(&path("/mine"), b"y", None).await.unwrap_err();
    assert_eq!(*denied.kind(), ErrorKind::Denied);
}
