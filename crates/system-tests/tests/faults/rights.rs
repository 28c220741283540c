//! Rows in which ZooKeeper denies a request, or refuses the authentication or the TLS handshake.

use std::time::Duration;

use nix::sys::signal::Signal;
use system_tests::{Process, Programs, SESSION, TestBed, free_port};
use test_zookeeper::Server;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep};
use zk_testing::eventually;
use zk_testing::raw::{Acl, Client, CreateMode, Error, permission};

use crate::support::*;

const ROOT: &str = "/go_servers";

/// B + 1 s.
const REPAIRED: Duration = BACKOFF.saturating_add(Duration::from_secs(1));

/// The real programs with a password, and with the log that they write by default.
fn with_password(password: &'static str) -> Programs {
    let environment =
        vec![("DAYTIME_ZOOKEEPER_PASSWORD", password), ("RUST_LOG", "info,zookeeper_client=error")];
    Programs { environment, ..real() }
}

async fn session(zk: &Server) -> Client {
    Client::connect(zk.addr(), Duration::from_secs(4)).await.unwrap()
}

async fn serves(port: u16) {
    let mut line = String::new();
    TcpStream::connect(("127.0.0.1", port)).await.unwrap().read_to_string(&mut line).await.unwrap();
    assert!(line.ends_with("Z\n"), "not the whole line: {line:?}");
}

async fn stops(server: Process) {
    server.signal(Signal::SIGTERM);
    let exit = server.exit(Duration::from_secs(5)).await.unwrap();
    assert_eq!(exit.code, Some(0), "{}", exit.err);
    no_panic(&exit.err).unwrap();
}

/// The output of `list`, which must end within a time.
async fn listed(bed: &TestBed, within: Duration) -> system_tests::Exit {
    bed.client(&["list", "--json", "--wait", "5s"]).exit(within).await.unwrap()
}

/// Waits until `list` shows a server, where an observer has no rights.
async fn until_listed(bed: &TestBed, port: u16) {
    eventually(&format!("{} is listed", name(port)), async || {
        let exit = listed(bed, SOON).await;
        assert_eq!(exit.code, Some(0), "{}", exit.err);
        exit.out.iter().any(|(_, line)| line.contains(&name(port)))
    })
    .await;
}

// === 27: an ACL denies ===

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fault_27_a_server_without_the_right_to_register_keeps_serving_and_registers_once_it_has_it() {
    let Some(_) = test_zookeeper::require() else { return };
    let zk = Server::start().await.unwrap();
    let bed = TestBed::new(default_log(real()), vec![zk.addr()]);
    let admin = session(&zk).await;
    let no_create = Acl::new(permission::READ | permission::ADMIN, "world", "anyone");
    admin.create_with_acl(ROOT, b"", CreateMode::Persistent, &[no_create]).await.unwrap();
    let (port, other) = (free_port(), free_port());
    let (server, short) = (bed.server(&[port]), bed.server(&[other]));
    for process in [&server, &short] {
        process.until_logged("access denied").await;
    }
    stops(short).await;

    let before = server.log().len();
    sleep(Duration::from_secs(3)).await;
    let lines = server.log().split_off(before);
    assert!(lines.len() <= 8, "more than a line a wait, in 3 s: {lines:#?}");
    serves(port).await;
    assert_eq!(bed.observer.now().map(|nodes| nodes.len()), Some(0));

    admin.set_acl(ROOT, &[Acl::open()]).await.unwrap();
    let nodes = bed.observer.until("registered", REPAIRED, all_of(&[port])).await.unwrap();
    owned(&nodes).unwrap();
    stops(server).await;
    bed.observer.until("gone", SESSION, all_of(&[])).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fault_27_a_client_without_the_right_to_list_says_so_and_follows_once_it_has_it() {
    let Some(_) = test_zookeeper::require() else { return };
    let zk = Server::start().await.unwrap();
    // Without an observer, which could not read the root, either.
    let bed = TestBed::new(default_log(real()), vec![]).through(zk.addr());
    let port = free_port();
    let _registration = register_by_hand(zk.addr(), &[name(port)]).await;
    let admin = session(&zk).await;
    let no_read = Acl::new(permission::ALL & !permission::READ, "world", "anyone");
    admin.set_acl(ROOT, &[no_read]).await.unwrap();

    let exit = listed(&bed, Duration::from_secs(5)).await;
    let denied = "cannot read from ZooKeeper: list /go_servers: access denied";
    assert!(exit.code == Some(1) && exit.out.is_empty() && exit.err.contains(denied), "{exit:?}");
    let asking = bed.client(&["--rounds", "1", "--wait", "1s"]).exit(SOON).await.unwrap();
    let gave_up = "gave up after 1s: cannot follow /go_servers: ";
    assert!(asking.code == Some(1) && asking.err.contains(gave_up), "{asking:?}");
    let (watch, json) = (bed.client(&["watch"]), bed.client(&["watch", "--json"]));
    watch.until_printed("! cannot follow /go_servers: ").await;
    json.until_printed(r#""event":"trouble""#).await;
    let before = watch.log().len();
    sleep(Duration::from_secs(3)).await;
    let lines = watch.log().split_off(before);
    assert!(lines.len() <= 8 && watch.out().len() <= 3, "{lines:#?} {:#?}", watch.out());

    admin.set_acl(ROOT, &[Acl::open()]).await.unwrap();
    let repaired = Instant::now();
    for process in [&watch, &json] {
        let left = REPAIRED.saturating_sub(repaired.elapsed());
        until("the server is shown", left, || process.has_printed(&name(port))).await.unwrap();
    }
    watch.until_printed("= following /go_servers again").await;
    for process in [watch, json] {
        process.signal(Signal::SIGINT);
        assert_eq!(process.exit(SOON).await.unwrap().code, Some(0));
    }
}

const DIGEST: &str = "[zookeeper.auth]\nscheme = 'digest'\nuser = 'daytime'\n[registry]\nacl = 'creator'\n";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn acl_creator_lets_everybody_read_and_only_the_creator_delete() {
    let Some(_) = test_zookeeper::require() else { return };
    let zk = Server::start().await.unwrap();
    let bed = TestBed::new(with_password("hunter2"), vec![zk.addr()]);
    bed.write("config/daytime.toml", DIGEST);
    let port = free_port();
    let server = bed.server(&[port]);
    bed.observer.until("registered", SOON, all_of(&[port])).await.unwrap();

    let stranger = session(&zk).await;
    let path = format!("{ROOT}/{}", name(port));
    for path in [ROOT, &path] {
        let (acl, _) = stranger.get_acl(path).await.unwrap();
        let (ours, others): (Vec<_>, Vec<_>) = acl.into_iter().partition(|entry| entry.scheme == "digest");
        assert_eq!(others, [Acl::read_only()], "{path}");
        let [ours] = &ours[..] else { panic!("{path}: {ours:?}") };
        assert!(ours.id.starts_with("daytime:") && !ours.id.contains("hunter2"), "{path}: {ours:?}");
        assert_eq!(ours.permissions, permission::ALL, "{path}");
    }
    stranger.get(&path).await.expect("everybody can read it");
    stranger.add_auth("digest", b"daytime:guessed").await.unwrap();
    assert!(matches!(stranger.delete(&path, None).await, Err(Error::NoAuth)));
    assert!(matches!(stranger.set(&path, b"", None).await, Err(Error::NoAuth)));
    let beside = format!("{ROOT}/{}", name(1));
    assert!(matches!(stranger.create(&beside, b"", CreateMode::Ephemeral).await, Err(Error::NoAuth)));

    // A client needs no authentication to read.
    let anonymous = TestBed::new(default_log(real()), vec![]).through(zk.addr());
    let asking = anonymous.client(&["--rounds", "3", "--interval", "1ms"]).exit(SOON).await.unwrap();
    assert_eq!((asking.code, asking.out.len()), (Some(0), 3), "{}", asking.err);
    until_listed(&anonymous, port).await;
    assert!(!server.err().contains("hunter2"));
    stops(server).await;
    bed.observer.until("gone", SESSION, all_of(&[])).await.unwrap();
}

// === 28: authentication fails ===

#[cfg(feature = "sasl")]
mod sasl {
    use super::*;

    const SASL: &str = "[zookeeper.auth]\nscheme = 'sasl'\nuser = 'daytime'\n";

    fn bed(zk: &zk_testing::Server, password: &'static str) -> TestBed {
        let bed = TestBed::new(with_password(password), vec![]).through(zk.addr());
        bed.write("config/daytime.toml", SASL);
        bed
    }

    /// Both programs end at once, with the reason.
    async fn all_end(bed: &TestBed, why: &str) {
        let processes = [bed.server(&[free_port()]), bed.client(&["--rounds", "1"]), bed.client(&["list"])];
        for process in processes {
            let exit = process.exit(Duration::from_secs(2)).await.unwrap();
            assert!(exit.code == Some(1) && exit.err.contains(why), "no {why:?} in {exit:?}");
            assert!(!exit.err.contains("hunter"), "{}", exit.err);
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn fault_28_a_sasl_user_is_served_and_a_wrong_password_ends_the_programs() {
        let Some(_) = test_zookeeper::require_apache() else { return };
        let zk = zk_testing::Server::builder().sasl(&[("daytime", "hunter2")]).require_sasl(true);
        let zk = zk.start().await.unwrap();
        let right = bed(&zk, "hunter2");
        let port = free_port();
        let server = right.server(&[port]);
        until_listed(&right, port).await;
        let asking = right.client(&["--rounds", "3", "--interval", "1ms"]).exit(SOON).await.unwrap();
        assert_eq!((asking.code, asking.out.len()), (Some(0), 3), "{}", asking.err);
        let doctor = right.client(&["doctor"]).exit(SOON).await.unwrap();
        assert_eq!(doctor.code, Some(0), "{doctor:?}");

        all_end(&bed(&zk, "hunter3"), "refuses our authentication").await;
        serves(port).await;
        stops(server).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn fault_28_a_server_without_sasl_ends_the_programs_as_not_authenticated() {
        let Some(_) = test_zookeeper::require_apache() else { return };
        let zk = zk_testing::Server::start().await.unwrap();
        all_end(&bed(&zk, "hunter2"), "ignores the sasl authentication").await;
    }
}

// === TLS ===

#[cfg(feature = "tls")]
mod tls {
    use zk_testing::tls::{Authority, ClientAuth};

    use super::*;

    const TLS: &str = "[zookeeper.tls]\nca = 'ca.pem'\ncertificate = 'client.pem'\nkey = 'client.key'\n";

    /// Programs that trust the certificates that `trusted` has signed, and present one that `authority` has issued.
    fn bed(zk: &zk_testing::Server, trusted: &Authority, authority: &Authority) -> TestBed {
        let bed = TestBed::new(default_log(real()), vec![zk.addr()]).through(zk.secure_addr().unwrap());
        let client = authority.issue_client("daytime").unwrap();
        bed.write("config/daytime.toml", TLS);
        bed.write("config/ca.pem", trusted.certificate_pem());
        bed.write("config/client.pem", client.certificate_pem());
        bed.write("config/client.key", client.key_pem());
        bed
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn both_programs_work_over_tls_with_certificates_on_both_sides() {
        let Some(_) = test_zookeeper::require_apache() else { return };
        let authority = Authority::new().unwrap();
        let identity = authority.issue_server(&["127.0.0.1"]).unwrap();
        let zk = zk_testing::Server::builder();
        let zk = zk.tls(&identity, authority.certificate_pem(), ClientAuth::Need).start().await.unwrap();
        let bed = bed(&zk, &authority, &authority);
        let port = free_port();
        let server = bed.server(&[port]);
        bed.observer.until("registered", SOON, all_of(&[port])).await.unwrap();
        let asking = bed.client(&["--rounds", "3", "--interval", "1ms"]).exit(SOON).await.unwrap();
        assert_eq!((asking.code, asking.out.len()), (Some(0), 3), "{}", asking.err);
        until_listed(&bed, port).await;
        let doctor = bed.client(&["doctor"]).exit(SOON).await.unwrap();
        assert_eq!(doctor.code, Some(0), "{doctor:?}");
        stops(server).await;
        bed.observer.until("gone", SESSION, all_of(&[])).await.unwrap();
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn an_untrusted_server_is_not_used_and_tls_is_named() {
        let Some(_) = test_zookeeper::require_apache() else { return };
        let (authority, stranger) = (Authority::new().unwrap(), Authority::new().unwrap());
        let identity = authority.issue_server(&["127.0.0.1"]).unwrap();
        let zk = zk_testing::Server::builder();
        let zk = zk.tls(&identity, authority.certificate_pem(), ClientAuth::Need).start().await.unwrap();
        let bed = bed(&zk, &stranger, &authority);
        let server = bed.server(&[free_port()]);
        names_tls(&bed).await;
        let doctor = bed.client(&["doctor", "--wait", "5s"]).exit(SOON).await.unwrap();
        let hint = doctor.out.iter().find(|(_, line)| line.starts_with("hint: "));
        assert!(hint.is_some_and(|(_, hint)| hint.contains("[zookeeper.tls]")), "{doctor:?}");
        server.until_logged("TLS").await;
        assert_eq!(bed.observer.now().map(|nodes| nodes.len()), Some(0));
        stops(server).await;

        // The server wants a certificate of the client, which has none now.
        bed.write("config/ca.pem", authority.certificate_pem());
        bed.write("config/daytime.toml", "[zookeeper.tls]\nca = 'ca.pem'\n");
        names_tls(&bed).await;
    }

    /// A client that waits for ZooKeeper logs that TLS is the reason.
    async fn names_tls(bed: &TestBed) {
        let list = bed.client(&["list", "--wait", "60s"]);
        list.until_logged("TLS: ").await;
        assert!(list.out().is_empty());
        list.kill().await;
    }
}
