//! A program with a rustls provider of its own. It is the process's: one test, alone in its program.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::time::Duration;

use common::{config, connected};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use zk_core::{Tls, Zk};
use zk_testing::Server;
use zk_testing::tls::{Authority, ClientAuth};

#[tokio::test]
async fn a_provider_that_is_installed_before_the_start_is_used_and_stays() {
    let Some(_) = test_zookeeper::require_apache() else { return };
    let authority = Authority::new().unwrap();
    let identity = authority.issue_server(&["localhost"]).unwrap();
    let server = Server::builder().tls(&identity, authority.certificate_pem(), ClientAuth::None);
    let server = server.start().await.unwrap();
    let hosts = format!("localhost:{}", server.secure_addr().unwrap().port());

    // To be told from the one that would be installed otherwise.
    let mut ours = aws_lc_rs::default_provider();
    ours.cipher_suites.pop();
    let suites = ours.cipher_suites.len();
    ours.install_default().expect("nobody was faster");
    let zk = Zk::start(config(&hosts).with_tls(Tls::from_pem(authority.certificate_pem()).unwrap())).unwrap();
    connected(&zk).await;
    assert_eq!(CryptoProvider::get_default().unwrap().cipher_suites.len(), suites);
    zk.close(Duration::from_secs(2)).await.unwrap();
}
