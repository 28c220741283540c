//! SASL on a real Apache ZooKeeper that knows a user, and on one that knows none.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::time::Duration;

use common::{SOON, config, connected, path, trouble};
use tokio::time::{Instant, sleep, timeout};
use zk_core::{Acl, ConnectError, ErrorKind, Sasl, State, Zk};
use zk_testing::proxy::Proxy;
use zk_testing::{Server, raw};

fn ann(password: &str) -> Sasl {
    Sasl::digest_md5("ann", password).unwrap()
}

async fn strict_server() -> Server {
    Server::builder().sasl(&[("ann", "secret")]).require_sasl(true).start().await.unwrap()
}

#[tokio::test]
async fn the_right_password_makes_us_who_we_say_we_are() {
    let Some(_) = test_zookeeper::require_apache() else { return };
    let server = strict_server().await;
    let zk = Zk::start(config(&server.connect_string()).with_sasl(ann("secret"))).unwrap();
    let connection = connected(&zk).await;
    let identities = connection.identities().await.unwrap();
    assert!(identities.iter().any(|id| id.scheme == "sasl" && id.user == "ann"), "{identities:?}");
    // An ACL of the creator's own needs one: the server refuses it to nobody in particular.
    connection.create_ephemeral(&path("/mine"), b"", Acl::Creator).await.unwrap();
    zk.close(Duration::from_secs(2)).await.unwrap();
}

#[tokio::test]
async fn fault_28_a_wrong_password_is_told_and_tried_again_within_bounds() {
    let Some(_) = test_zookeeper::require_apache() else { return };
    let server = strict_server().await;
    let started = Instant::now();
    let zk = Zk::start(config(&server.connect_string()).with_sasl(ann("wrong"))).unwrap();
    let error = trouble(&zk).await;
    assert_eq!(error, ConnectError::AuthFailed { server: server.addr().to_string() });
    assert!(started.elapsed() < Duration::from_secs(2), "told after {:?}", started.elapsed());
    assert_eq!(zk.state().epoch, 0);
}

#[tokio::test]
async fn fault_28_a_server_that_ignores_the_authentication_is_noticed_and_left_no_session() {
    let Some(_) = test_zookeeper::require_apache() else { return };
    let server = Server::start().await.unwrap();
    let zk = Zk::start(config(&server.connect_string()).with_sasl(ann("secret"))).unwrap();
    let error = trouble(&zk).await;
    assert_eq!(
        error,
        ConnectError::NotAuthenticated { server: server.addr().to_string(), scheme: "sasl" },
        "let in as nobody"
    );
    zk.close(Duration::from_secs(2)).await.unwrap();
    // Ours would stay for its timeout of two seconds.
    let deadline = Instant::now() + Duration::from_secs(1);
    loop {
        let mntr = server.four_letter_word("mntr").await.unwrap();
        if mntr.lines().any(|line| line == "zk_global_sessions\t0") {
            break;
        }
        assert!(Instant::now() < deadline, "a session lingers: {mntr}");
        sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_server_that_wants_authentication_says_so_to_who_has_none() {
    let Some(_) = test_zookeeper::require_apache() else { return };
    let server = strict_server().await;
    let zk = Zk::start(config(&server.connect_string())).unwrap();
    let error = trouble(&zk).await;
    assert_eq!(error, ConnectError::AuthFailed { server: server.addr().to_string() });
}

#[tokio::test]
async fn fault_28_refused_at_run_time_it_is_told_and_mended_passwords_are_noticed() {
    let Some(_) = test_zookeeper::require_apache() else { return };
    let server = strict_server().await;
    let elsewhere = Server::builder().sasl(&[("ann", "changed")]).require_sasl(true).start().await.unwrap();
    let proxy = Proxy::start(server.addr()).await.unwrap();
    let zk = Zk::start(config(&proxy.connect_string()).with_sasl(ann("secret"))).unwrap();
    connected(&zk).await;
    let mut states = zk.states();

    proxy.redirect(elsewhere.addr());
    proxy.cut().await;
    let refused = |state: &State| matches!(state.trouble, Some(ConnectError::AuthFailed { .. }));
    let state = timeout(SOON, states.wait_for(refused)).await.expect("the refusal").unwrap();
    assert!(!state.is_connected() && !state.is_closed(), "{state:?}");

    let mended = Instant::now();
    proxy.redirect(server.addr());
    let state = timeout(SOON, states.wait_for(State::is_connected)).await.expect("a connection").unwrap();
    assert_eq!(state.trouble, None);
    // An attempt a second, and the time that it takes.
    assert!(mended.elapsed() < Duration::from_secs(2), "{:?}", mended.elapsed());
}

#[tokio::test]
async fn others_may_read_what_we_create_and_no_more() {
    let Some(_) = test_zookeeper::require_apache() else { return };
    let server = Server::builder().sasl(&[("ann", "secret")]).start().await.unwrap();
    let zk = Zk::start(config(&server.connect_string()).with_sasl(ann("secret"))).unwrap();
    connected(&zk).await.create_ephemeral(&path("/mine"), b"x", Acl::Creator).await.unwrap();
    let stranger = raw::Client::connect(server.addr(), Duration::from_secs(4)).await.unwrap();
    assert_eq!(stranger.get("/mine").await.unwrap().0, b"x");
    assert!(matches!(stranger.set("/mine", b"y", None).await, Err(raw::Error::NoAuth)));

    let other = Zk::start(config(&server.connect_string())).unwrap();
    let denied = connected(&other).await.set_data(&path("/mine"), b"y", None).await.unwrap_err();
    assert_eq!(*denied.kind(), ErrorKind::Denied);
}
