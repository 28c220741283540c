//! TLS to a real Apache ZooKeeper.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::time::Duration;

use common::{SOON, config, connected, path, state_within, trouble};
use zk_core::{Acl, State, Tls, Zk, ZkConfig, ZkConfigError};
use zk_testing::Server;
use zk_testing::tls::{Authority, ClientAuth};

async fn server(authority: &Authority, names: &[&str], client_auth: ClientAuth) -> Server {
    let identity = authority.issue_server(names).unwrap();
    Server::builder().tls(&identity, authority.certificate_pem(), client_auth).start().await.unwrap()
}

fn secure(server: &Server, host: &str) -> ZkConfig {
    config(&format!("{host}:{}", server.secure_addr().unwrap().port()))
}

fn trusting(authority: &Authority) -> Tls {
    Tls::from_pem(authority.certificate_pem()).unwrap()
}

#[tokio::test]
async fn a_link_connects_by_name_and_by_address_and_resumes_its_session_after_a_restart() {
    let Some(_) = test_zookeeper::require_apache() else { return };
    let authority = Authority::new().unwrap();
    let identity = authority.issue_server(&["localhost", "127.0.0.1"]).unwrap();
    let server = Server::builder().tls(&identity, authority.certificate_pem(), ClientAuth::None);
    // The session must outlive the start of a server on a busy machine, whose first handshakes are slow.
    let mut server = server.tick(Duration::from_secs(1)).start().await.unwrap();
    let patient = |config: ZkConfig| config.with_session_timeout(Duration::from_secs(20)).unwrap();
    for host in ["localhost", "127.0.0.1"] {
        let config = patient(secure(&server, host)).with_tls(trusting(&authority));
        let zk = Zk::start(config).unwrap();
        connected(&zk).await.create_ephemeral(&path("/here"), b"", Acl::Open).await.unwrap();
        let session = zk.state().session;
        server.restart().await.unwrap();
        let reconnected = |state: &State| state.is_connected() && state.reconnects == 1;
        let state = state_within(&zk, 2 * SOON, "a reconnect", reconnected).await;
        assert_eq!(state.session, session);
        zk.close(Duration::from_secs(2)).await.unwrap();
    }
}

#[tokio::test]
async fn a_link_sends_its_client_certificate_to_a_server_that_requires_one() {
    let Some(_) = test_zookeeper::require_apache() else { return };
    let authority = Authority::new().unwrap();
    let server = server(&authority, &["localhost"], ClientAuth::Need).await;
    let ann = authority.issue_client("ann").unwrap();
    let tls = trusting(&authority).with_identity(ann.certificate_pem(), ann.key_pem()).unwrap();
    let zk = Zk::start(secure(&server, "localhost").with_tls(tls)).unwrap();
    let identities = connected(&zk).await.identities().await.unwrap();
    assert!(identities.iter().any(|id| id.scheme == "x509" && id.user.contains("ann")), "{identities:?}");
}

/// The client crate does not report the cause.
#[tokio::test]
async fn a_failed_handshake_is_reported_with_its_cause() {
    let Some(_) = test_zookeeper::require_apache() else { return };
    let (authority, stranger) = (Authority::new().unwrap(), Authority::new().unwrap());
    let server = server(&authority, &["localhost"], ClientAuth::Need).await;
    let ann = authority.issue_client("ann").unwrap();
    let known = |tls: Tls| tls.with_identity(ann.certificate_pem(), ann.key_pem()).unwrap();
    let strange = stranger.issue_client("ann").unwrap();
    let strange = trusting(&authority).with_identity(strange.certificate_pem(), strange.key_pem()).unwrap();
    let cases = [
        (
            "another authority",
            secure(&server, "localhost"),
            known(trusting(&stranger)),
            "from no authority that we trust",
        ),
        ("another name", secure(&server, "127.0.0.1"), known(trusting(&authority)), "not for \"127.0.0.1\""),
        ("no client certificate", secure(&server, "localhost"), trusting(&authority), "none is configured"),
        (
            "a client certificate of another authority",
            secure(&server, "localhost"),
            strange,
            "does not accept our client certificate",
        ),
        (
            "a port without TLS",
            config(&format!("localhost:{}", server.addr().port())),
            known(trusting(&authority)),
            "is this the TLS port?",
        ),
    ];
    for (what, config, tls, expected) in cases {
        let zk = Zk::start(config.with_tls(tls)).unwrap();
        let error = trouble(&zk).await.to_string();
        assert!(error.contains("TLS: "), "{what}: {error}");
        assert!(error.contains(expected), "{what}: {error}");
    }
    // And no TLS to a server that requires it.
    let zk = Zk::start(secure(&server, "localhost")).unwrap();
    let error = trouble(&zk).await.to_string();
    assert!(error.contains("did not grant a session"), "{error}");
}

#[test]
fn unusable_certificates_and_keys_are_refused_by_the_constructors_and_no_key_is_shown() {
    let authority = Authority::new().unwrap();
    let ann = authority.issue_client("ann").unwrap();
    let bob = authority.issue_client("bob").unwrap();
    let refused = |result: Result<Tls, ZkConfigError>| result.unwrap_err().to_string();
    assert!(refused(Tls::from_pem("")).contains("certificate authority"));
    assert!(refused(Tls::from_pem("-----BEGIN CERTIFICATE-----\nAAAA")).contains("certificate authority"));
    let trusting = || trusting(&authority);
    assert!(refused(trusting().with_identity("", ann.key_pem())).contains("certificate"));
    let no_key = refused(trusting().with_identity(ann.certificate_pem(), ann.certificate_pem()));
    assert!(no_key.contains("private key"), "{no_key}");
    let mixed = refused(trusting().with_identity(ann.certificate_pem(), bob.key_pem()));
    assert!(mixed.contains("private key"), "{mixed}");
    let tls = trusting().with_identity(ann.certificate_pem(), ann.key_pem()).unwrap();
    assert!(!format!("{tls:?}").contains("PRIVATE"));
}

#[tokio::test]
async fn a_host_name_that_no_certificate_can_contain_is_reported() {
    let Some(_) = test_zookeeper::require_apache() else { return };
    let authority = Authority::new().unwrap();
    let server = server(&authority, &["localhost"], ClientAuth::None).await;
    // Resolves to 127.0.0.1, but is no valid name in a certificate.
    let zk = Zk::start(secure(&server, "127.1").with_tls(trusting(&authority))).unwrap();
    let error = trouble(&zk).await.to_string();
    assert!(error.contains("TLS: ") && error.contains("127.1"), "{error}");
}
