//! A program with its own rustls provider. The provider belongs to the process: one test, alone in its program.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::time::Duration;

use common::{config, connected};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use zk_core::{Tls, Zk};
use zk_testing::Server;
use zk_testing::tls::{Authority, ClientAuth};

#[tokio::test]
async fn a_link_uses_the_rustls_provider_that_the_program_has_installed() {
    let Some(_) = test_zookeeper::require_apache() else { return };
    let authority = Authority::new().unwrap();
    let identity = authority.issue_server(&["localhost"]).unwrap();
    let server = Server::builder().tls(&identity, authority.certificate_pem(), ClientAuth::None);
    let server = server.start().await.unwrap();
    let hosts = format!("localhost:{}", server.secure_addr().unwrap().port());

    // Differs from the provider that the link would install.
    let mut ours = aws_lc_rs::default_provider();
    ours.cipher_suites.pop();
    let suites = ours.cipher_suites.len();
    ours.install_default().expect("no other provider is installed");
    let zk = Zk::start(config(&hosts).with_tls(Tls::from_pem(authority.certificate_pem()).unwrap())).unwrap();
    connected(&zk).await;
    assert_eq!(CryptoProvider::get_default().unwrap().cipher_suites.len(), suites);
    zk.close(Duration::from_secs(2)).await.unwrap();
}
