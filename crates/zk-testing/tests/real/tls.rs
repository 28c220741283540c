//! What a server with TLS demands, as OpenSSL's own client sees it.

use std::process::Stdio;
use std::time::Duration;

use tempfile::TempDir;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;
use tokio::time::timeout;
use zk_testing::Server;
use zk_testing::raw::CreateMode;
use zk_testing::tls::{Authority, ClientAuth, Identity};

use crate::connect;

const SOON: Duration = Duration::from_secs(10);

/// False, after a line that says so, where there is no OpenSSL that can check a name.
///
/// With `CI` set, where everything is expected to run, that is a failure.
fn have_openssl() -> bool {
    let mut probe = std::process::Command::new("openssl");
    let probe = probe.args(["s_client", "-verify_hostname", "localhost", "-help"]).output();
    let found = probe.is_ok_and(|output| output.status.success());
    if !found {
        assert!(std::env::var_os("CI").is_none(), "CI is set, and there is no openssl");
        zk_testing::skipped("no openssl with s_client -verify_hostname found on PATH");
    }
    found
}

/// Asks a server with TLS for `ruok` and returns its reply, empty if there was none.
async fn ask(server: &Server, trusted_pem: &str, name: &str, identity: Option<&Identity>) -> String {
    let folder = TempDir::new().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let mut openssl = Command::new("openssl");
    openssl
        .args(["s_client", "-quiet", "-verify_return_error", "-verify_hostname", name])
        .args(["-connect", &server.secure_addr().unwrap().to_string()])
        .arg("-CAfile")
        .arg(file("trusted.pem", trusted_pem));
    if let Some(identity) = identity {
        openssl.arg("-cert").arg(file("client.pem", identity.certificate_pem()));
        openssl.arg("-key").arg(file("key.pem", identity.key_pem()));
    }
    openssl.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
    let mut process = openssl.spawn().unwrap();
    let mut stdin = process.stdin.take().unwrap();
    // It may have ended already, refused.
    let _ = stdin.write_all(b"ruok").await;
    let output = timeout(SOON, process.wait_with_output()).await.unwrap().unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned()
}

const SERVED: &str = "imok";

#[tokio::test]
async fn a_server_that_needs_client_certificates_refuses_other_clients() {
    let Some(_) = zk_testing::require() else { return };
    let (authority, stranger) = (Authority::new().unwrap(), Authority::new().unwrap());
    let identity = authority.issue_server(&["localhost", "127.0.0.1"]).unwrap();
    let trusted = authority.certificate_pem();
    let mut server = Server::builder().tls(&identity, trusted, ClientAuth::Need).start().await.unwrap();
    let secure = server.secure_addr().unwrap();
    assert_ne!(secure, server.addr());
    connect(server.addr()).await.create("/a", b"", CreateMode::Persistent).await.unwrap();

    if have_openssl() {
        let ann = authority.issue_client("ann").unwrap();
        let answer = ask(&server, trusted, "localhost", Some(&ann)).await;
        assert_eq!(answer, SERVED);
        assert_eq!(ask(&server, trusted, "localhost", None).await, "");
        let strange = stranger.issue_client("ann").unwrap();
        assert_eq!(ask(&server, trusted, "localhost", Some(&strange)).await, "");
    }
    server.restart().await.unwrap();
    assert_eq!(server.secure_addr(), Some(secure));
}

#[tokio::test]
async fn a_server_without_client_certificates_proves_its_name_by_its_authority() {
    let Some(_) = zk_testing::require() else { return };
    if !have_openssl() {
        return;
    }
    let (authority, stranger) = (Authority::new().unwrap(), Authority::new().unwrap());
    let identity = authority.issue_server(&["zk.example"]).unwrap();
    let trusted = authority.certificate_pem();
    for client_auth in [ClientAuth::None, ClientAuth::Want] {
        let server = Server::builder().tls(&identity, trusted, client_auth).start().await.unwrap();
        let answer = ask(&server, trusted, "zk.example", None).await;
        assert_eq!(answer, SERVED, "{client_auth:?}");
        assert_eq!(ask(&server, trusted, "other.example", None).await, "");
        assert_eq!(ask(&server, stranger.certificate_pem(), "zk.example", None).await, "");
    }
}

#[tokio::test]
async fn a_server_without_tls_has_no_second_port() {
    let Some(_) = zk_testing::require() else { return };
    assert_eq!(Server::start().await.unwrap().secure_addr(), None);
}
