//! A client starts by a saved list while ZooKeeper is away, and goes by ZooKeeper as soon as that is there.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::task::AbortOnDropHandle;
use zk_roster::{CallConfig, Client, Endpoint, FollowError, MemberSource, Strategy, Zk};
use zk_simulated::{Operator, SimulatedEnsemble};
use zk_testing::{SESSION, eventually};

const ROOT: &str = "/services/web";
const LONG: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

fn node(port: u16) -> String {
    format!("{ROOT}/127.0.0.1:{port}")
}

fn register(operator: &Operator, port: u16, record: &str) {
    operator.create_ephemeral(node(port), record).unwrap();
}

/// A client that saves in a file.
async fn follow(zk: &Zk, path: &Path) -> Result<Client, FollowError> {
    Client::builder(zk, ROOT).unwrap().saved_at(path).follow().await
}

/// The ports that calls go to.
async fn called(client: &Client) -> Vec<u16> {
    let mut ports = Vec::new();
    for _ in 0..100 {
        let call = client.call(async |callee| Ok::<_, io::Error>(callee.endpoint().port()));
        ports.push(call.await.unwrap());
    }
    ports.sort_unstable();
    ports.dedup();
    ports
}

async fn source_is(client: &Client, source: MemberSource) {
    let mut members = client.members();
    timeout(LONG, members.wait_for(|members| members.source() == source)).await.expect("in time").unwrap();
}

/// A file that a client has saved: 127.0.0.1:1 and 127.0.0.1:2.
struct Saved {
    folder: tempfile::TempDir,
}

impl Saved {
    async fn new(ensemble: &SimulatedEnsemble) -> Self {
        let saved = Self { folder: tempfile::tempdir().unwrap() };
        let operator = ensemble.operator();
        register(&operator, 1, r#"{"Weight":7,"Tags":{"zone":"a"}}"#);
        register(
            &operator,
            2,
            r#"{"Weight":3,"Tags":{"owner.incarnation":"000102030405060708090a0b0c0d0e0f"}}"#,
        );
        register(&operator, 3, r#"{"Tags":{"owner.draining":"true"}}"#);
        let client = follow(&ensemble.zk(), &saved.path()).await.unwrap();
        assert!(!client.is_saved(), "ZooKeeper was quicker");
        client.shutdown().await;
        assert!(fs::read_to_string(saved.path()).unwrap().contains("127.0.0.1:2"));
        saved
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("web.saved")
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_starts_without_zookeeper_by_the_saved_list_and_then_goes_by_zookeeper() {
    let ensemble = SimulatedEnsemble::new(7);
    let saved = Saved::new(&ensemble).await;
    ensemble.refuse_connects(true);
    sleep(HOUR).await;
    let begun = Instant::now();
    let client = follow(&ensemble.zk(), &saved.path()).await.unwrap();
    assert!(begun.elapsed() <= Duration::from_secs(2), "{:?}", begun.elapsed());
    assert!(client.is_saved());
    assert_eq!(called(&client).await, [1, 2], "without the one that was draining");
    assert!(client.discovery().view().snapshot.is_none(), "the view shows what ZooKeeper says");
    let members = client.members().borrow().clone();
    let records: Vec<_> =
        members.instances().map(|one| (one.weight(), one.tag("zone"), one.owner().is_some())).collect();
    assert_eq!(records, [(7, Some("a"), false), (3, None, true)]);
    let status = client.status();
    assert_eq!((status.members, status.in_service, status.is_live), (2, 2, false));
    assert!((HOUR..HOUR + LONG).contains(&status.age), "{:?}", status.age);
    assert!(
        status.to_string().starts_with("/services/web: 2 members, saved 1h 0m ago (waiting for ZooKeeper"),
        "{status}"
    );

    let operator = ensemble.operator();
    operator.write_and_delete(node(1), "").unwrap();
    register(&operator, 9, "");
    ensemble.refuse_connects(false);
    source_is(&client, MemberSource::ZooKeeper).await;
    assert!(!client.is_saved());
    assert_eq!(called(&client).await, [2, 9]);
    let gone: Endpoint = "127.0.0.1:1".parse().unwrap();
    assert!(!client.is_member(&gone));
    assert_eq!(client.status().to_string(), "/services/web: 3 members, live; 3 in service");
    client.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn an_empty_list_of_zookeeper_replaces_a_saved_one_and_leaves_the_file() {
    let ensemble = SimulatedEnsemble::new(7);
    let saved = Saved::new(&ensemble).await;
    let before = fs::read(saved.path()).unwrap();
    let operator = ensemble.operator();
    (1..=3).for_each(|port| operator.write_and_delete(node(port), "").unwrap());
    ensemble.refuse_connects(true);
    let client = follow(&ensemble.zk(), &saved.path()).await.unwrap();
    assert!(client.is_saved());
    ensemble.refuse_connects(false);
    source_is(&client, MemberSource::ZooKeeper).await;
    client.call(async |_| Ok::<_, io::Error>(())).await.unwrap_err();
    assert_eq!(client.status().to_string(), "/services/web: no members, live");
    client.shutdown().await;
    assert_eq!(fs::read(saved.path()).unwrap(), before);
}

#[tokio::test(start_paused = true)]
async fn a_file_that_cannot_be_used_changes_nothing_about_the_start() {
    let ensemble = SimulatedEnsemble::new(7);
    let saved = Saved::new(&ensemble).await;
    let good = fs::read(saved.path()).unwrap();
    let text = String::from_utf8(good.clone()).unwrap();
    let mut flipped = good.clone();
    flipped[good.len() / 2] ^= 1;
    let newer = text.replacen("saved 1 ", "saved 2 ", 1);
    ensemble.refuse_connects(true);
    for (what, bytes) in [
        ("truncated", &good[..good.len() / 2]),
        ("damaged", &flipped),
        ("empty", &[]),
        ("newer", newer.as_bytes()),
        ("another file", b"[client]\n"),
    ] {
        fs::write(saved.path(), bytes).unwrap();
        assert_not_used(&ensemble, &saved.path(), ROOT, Duration::from_secs(1), what).await;
    }
    fs::write(saved.path(), &good).unwrap();
    let nothing = saved.folder.path().join("nothing");
    assert_not_used(&ensemble, &nothing, ROOT, HOUR, "missing").await;
    assert_not_used(&ensemble, saved.folder.path(), ROOT, HOUR, "a folder").await;
    assert_not_used(&ensemble, &saved.path(), "/services/other", HOUR, "another service").await;
    assert_not_used(&ensemble, &saved.path(), ROOT, Duration::ZERO, "too old").await;
    fs::set_permissions(saved.path(), fs::Permissions::from_mode(0o666)).unwrap();
    assert_not_used(&ensemble, &saved.path(), ROOT, HOUR, "others can write to it").await;
    fs::set_permissions(saved.path(), fs::Permissions::from_mode(0o600)).unwrap();
    // It was the file each time.
    let client = follow(&ensemble.zk(), &saved.path()).await.unwrap();
    assert!(client.is_saved());
    client.shutdown().await;
}

/// Without ZooKeeper, nothing is known; with it, its list.
async fn assert_not_used(
    ensemble: &SimulatedEnsemble,
    path: &Path,
    root: &str,
    max_age: Duration,
    what: &str,
) {
    let zk = ensemble.zk();
    let builder = Client::builder(&zk, root).unwrap().saved_at(path).saved_max_age(max_age);
    let error = builder.clone().known_within(Duration::from_secs(3)).follow().await.unwrap_err();
    let FollowError::NotKnown { waited, status } = &error else { panic!("{what}: {error:?}") };
    assert_eq!((*waited, status.members), (Duration::from_secs(3), 0), "{what}");
    let client = builder.start();
    ensemble.refuse_connects(false);
    source_is(&client, MemberSource::ZooKeeper).await;
    client.shutdown().await;
    zk.close(LONG).await.unwrap();
    ensemble.refuse_connects(true);
}

/// The file after each change, with the time for it.
#[tokio::test(start_paused = true)]
async fn the_file_follows_the_list_and_says_when_it_was_last_right() {
    let ensemble = SimulatedEnsemble::new(7);
    let operator = ensemble.operator();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("web.saved");
    let client = follow(&ensemble.zk(), &path).await.unwrap();
    sleep(LONG).await;
    assert!(!path.exists(), "an empty list is not saved");
    let ports = || -> Vec<u16> {
        let text = fs::read_to_string(&path).unwrap_or_default();
        (1..=50).filter(|port| text.contains(&format!("\"127.0.0.1:{port}\""))).collect()
    };
    register(&operator, 1, "");
    eventually("the first list is saved", async || ports() == [1]).await;
    let begun = Instant::now();
    for port in 2..=50 {
        register(&operator, port, "");
        sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(ports(), [1], "not with every change");
    eventually("the last list is saved", async || ports().len() == 50).await;
    assert!(begun.elapsed() < 2 * Duration::from_secs(5), "{:?}", begun.elapsed());

    // Nothing changes: the file is written again, as long as somebody confirms the list.
    let before = fs::read(&path).unwrap();
    sleep(2 * HOUR).await;
    let after = fs::read(&path).unwrap();
    assert_ne!(before, after);
    ensemble.refuse_connects(true);
    ensemble.cut();
    sleep(2 * HOUR).await;
    let confirmed = fs::read(&path).unwrap();
    sleep(6 * HOUR).await;
    assert_eq!(fs::read(&path).unwrap(), confirmed, "nobody confirms it");
    client.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_saves_what_is_not_saved_yet() {
    let ensemble = SimulatedEnsemble::new(7);
    let operator = ensemble.operator();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("web.saved");
    register(&operator, 1, "");
    let client = follow(&ensemble.zk(), &path).await.unwrap();
    eventually("the first list is saved", async || path.exists()).await;
    register(&operator, 2, "");
    let mut members = client.members();
    timeout(LONG, members.wait_for(|members| members.len() == 2)).await.unwrap().unwrap();
    client.shutdown().await;
    assert!(fs::read_to_string(&path).unwrap().contains("127.0.0.1:2"));
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_saved_is_saved_as_soon_as_that_is_possible() {
    let ensemble = SimulatedEnsemble::new(7);
    register(&ensemble.operator(), 1, "");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("later").join("web.saved");
    let client = follow(&ensemble.zk(), &path).await.unwrap();
    assert_eq!(called(&client).await, [1], "calls do not mind");
    sleep(LONG).await;
    fs::create_dir(path.parent().unwrap()).unwrap();
    sleep(3 * LONG).await;
    assert!(path.exists());
    client.shutdown().await;
}

/// A server that answers with its port.
struct Answering {
    at: SocketAddr,
    _task: AbortOnDropHandle<()>,
}

impl Answering {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        let answer = async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                stream.write_all(at.port().to_string().as_bytes()).await.unwrap();
            }
        };
        Self { at, _task: AbortOnDropHandle::new(tokio::spawn(answer)) }
    }
}

async fn ask(client: &Client) -> u16 {
    let call = client.call(|callee| async move {
        let mut answer = String::new();
        zk_roster::dial(&callee).await?.read_to_string(&mut answer).await?;
        Ok::<_, io::Error>(answer)
    });
    call.await.unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_client_calls_a_healthy_server_from_the_file_while_zookeeper_is_down() {
    let Some(()) = test_zookeeper::require() else { return };
    let mut zookeeper = test_zookeeper::Server::start().await.unwrap();
    let (old, new, nobody) = (Answering::start().await, Answering::start().await, "127.0.0.3:1");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("web.saved");
    let config = zk_roster::ZkConfig::new(&zookeeper.connect_string()).unwrap();
    let link = || Zk::start(config.clone()).unwrap();
    let register = |zk: &Zk, endpoint: &str| {
        let config = zk_roster::RegistrarConfig::new(ROOT.parse().unwrap());
        let registrar = registry::Registrar::new(zk, config);
        registrar.register(instance::Instance::new(endpoint.parse().unwrap())).unwrap()
    };
    let follow = |zk: &Zk| {
        let calls = CallConfig::new(Duration::from_secs(5), LONG).unwrap();
        Client::builder(zk, ROOT).unwrap().strategy(Strategy::RoundRobin).calls(calls).saved_at(&path)
    };

    let servers = link();
    let registrations = [register(&servers, &old.at.to_string()), register(&servers, nobody)];
    for registration in &registrations {
        registration.registered().await.unwrap();
    }
    let (zk, client) = (link(), follow(&servers).start());
    let mut members = client.members();
    timeout(SESSION, members.wait_for(|members| members.len() == 2)).await.unwrap().unwrap();
    client.shutdown().await;
    drop(client);
    for registration in &registrations {
        registration.deregister(SESSION).await.unwrap();
    }
    zk.close(SESSION).await.unwrap();

    let after = register(&servers, &new.at.to_string());
    after.registered().await.unwrap();
    zookeeper.kill().await;
    let zk = link();
    let client = follow(&zk).follow().await.unwrap();
    assert!(client.is_saved(), "{}", client.status());
    for _ in 0..4 {
        assert_eq!(ask(&client).await, old.at.port(), "the other one refuses");
    }
    zookeeper.start_again().await.unwrap();
    timeout(4 * SESSION, members_of(&client, new.at)).await.expect("the list of ZooKeeper");
    assert!(!client.is_saved());
    assert_eq!(ask(&client).await, new.at.port());
    client.shutdown().await;
    zk.close(SESSION).await.unwrap();
    servers.close(SESSION).await.unwrap();
}

/// Waits until a server is the only member.
async fn members_of(client: &Client, only: SocketAddr) {
    let only = Endpoint::try_from(only).unwrap();
    let mut members = client.members();
    members.wait_for(|members| members.len() == 1 && members.contains(&only)).await.unwrap();
}
