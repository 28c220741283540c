//! An old server among new clients and new servers.

use std::time::Duration;

use discovery::{Change, Changes, Discovery, Records, View};
use instance::Instance;
use registry::{Registrar, Registration, RegistrationStatus};
use system_tests::name;
use test_zookeeper::Server;
use tokio::time::{sleep, timeout};
use zk_core::{Zk, ZnodePath};
use zk_testing::proxy::Proxy;
use zk_testing::{SESSION, SOON, raw};

use crate::recording::{Recording, SERVER, TAKE_OVER};
use crate::replay::Replay;

pub(crate) const ROOT: &str = "/go_servers";
/// The port of the take-over.
const PORT: u16 = 8897;

pub(crate) fn link(hosts: &str) -> Zk {
    let config = zk_core::ZkConfig::new(hosts).unwrap().with_session_timeout(2 * SESSION).unwrap();
    Zk::start(config).unwrap()
}

pub(crate) fn registrar(zk: &Zk) -> Registrar {
    Registrar::new(zk, registry::RegistrarConfig::new(ZnodePath::parse(ROOT).unwrap()))
}

/// Registers a port as the owner of its socket.
pub(crate) async fn register(registrar: &Registrar, port: u16) -> Registration {
    let instance = Instance::new(name(port).parse().unwrap());
    let registration = registrar.register_bound(instance, name(port).parse().unwrap()).unwrap();
    timeout(SOON, registration.registered()).await.expect("registered in time").unwrap();
    registration
}

/// A reader of records that would hold a mass disappearance for longer than any test.
fn follow(server: &Server) -> Discovery {
    let config = discovery::DiscoveryConfig::new(ZnodePath::parse(ROOT).unwrap()).with_records(Records::Read);
    let config = config.with_hold(Duration::from_secs(600)).unwrap();
    Discovery::start(&link(&server.connect_string()), config)
}

async fn view_where(discovery: &Discovery, claim: &str, wanted: impl Fn(&View) -> bool) {
    let mut views = discovery.views();
    let found = timeout(SOON, views.wait_for(|view| wanted(view))).await.is_ok();
    assert!(found, "not in time: {claim}; there is {:?}", discovery.view());
}

/// Which incarnation a view shows for a port.
fn incarnation(view: &View, port: u16) -> Option<String> {
    let endpoint = name(port).parse().unwrap();
    let instance = view.snapshot.as_ref()?.get(&endpoint)?.clone();
    instance.owner().map(|owner| owner.incarnation().to_string())
}

/// Checks that no instance was missing at any time so far.
async fn assert_none_left(changes: &mut Changes) {
    while let Ok(Some(change)) = timeout(Duration::from_millis(100), changes.next()).await {
        assert!(!matches!(change, Change::Removed(_)), "{change:?}");
    }
}

/// The value of a tag in a record, as it is written.
fn tag<'a>(record: &'a str, name: &str) -> &'a str {
    let (_, rest) = record.split_once(&format!("\"{name}\":\"")).unwrap();
    rest.split_once('"').unwrap().0
}

/// The record of an old server with facts of another one.
fn with_facts_of(record: &str, other: &str, facts: &[&str]) -> String {
    let replace = |record: String, fact: &&str| {
        let value = |of: &str| format!("\"{fact}\":\"{}\"", tag(of, fact));
        record.replace(&value(&record), &value(other))
    };
    facts.iter().fold(record.to_owned(), replace)
}

const PLACE: [&str; 3] = ["owner.boot-id", "owner.host", "owner.netns"];
const PROCESS: [&str; 3] = ["owner.incarnation", "owner.pid", "owner.started"];

#[tokio::test]
async fn an_old_server_is_read_and_its_stop_of_three_ports_is_held_as_before() {
    let Some(_) = test_zookeeper::require() else { return };
    let server = Server::start().await.unwrap();
    let discovery = follow(&server);
    let recording = Recording::read(SERVER);
    let mut old = Replay::start(&server).await;
    old.run(recording.phase("a server registers three ports")).await;
    let written = recording.first_data(&format!("{ROOT}/{}", name(PORT)));
    let whose = tag(&written, "owner.incarnation");
    let ports = [8897, 8898, 8899];
    view_where(&discovery, "three records of the old server", |view| {
        ports.iter().all(|port| incarnation(view, *port).as_deref() == Some(whose)) && view.unreadable == 0
    })
    .await;

    // Fresh instances, of the last second, would not count.
    sleep(Duration::from_millis(1100)).await;
    // It does not tell that it leaves.
    old.run(recording.phase("it is stopped")).await;
    view_where(&discovery, "three are held", |view| view.held == 3).await;
    assert_eq!(discovery.view().snapshot.as_ref().unwrap().len(), 3);
    discovery.release_held();
    view_where(&discovery, "none", |view| view.snapshot.as_ref().is_some_and(|set| set.is_empty())).await;
}

#[tokio::test]
async fn a_new_server_takes_over_the_stale_znode_of_an_old_one_at_the_same_place() {
    let Some(_) = test_zookeeper::require() else { return };
    let server = Server::start().await.unwrap();
    let observer = raw::Client::connect(server.addr(), 2 * SESSION).await.unwrap();
    let zk = link(&server.connect_string());
    // Another znode, to see what this machine's facts are.
    let registrar = registrar(&zk);
    let other = register(&registrar, 1).await;
    let (here, _) = observer.get(other.path().as_str()).await.unwrap();
    let here = String::from_utf8(here).unwrap();
    other.deregister(SOON).await.unwrap();

    let recording = Recording::read(SERVER).with_data(|record| with_facts_of(record, &here, &PLACE));
    let mut old = Replay::start(&server).await;
    old.create(recording.phase("a server registers three ports")).await;
    let discovery = follow(&server);
    view_where(&discovery, "three", |view| view.snapshot.as_ref().is_some_and(|set| set.len() == 3)).await;
    let mut changes = discovery.changes();

    let registration = register(&registrar, PORT).await;
    let ours = registrar.owner().incarnation().to_string();
    view_where(&discovery, "the new server's record", |view| {
        incarnation(view, PORT).as_deref() == Some(&ours)
    })
    .await;
    let stat = observer.exists(registration.path().as_str()).await.unwrap().unwrap();
    assert_eq!(stat.ephemeral_owner, zk.state().session.unwrap().id.0);
    assert_none_left(&mut changes).await;
    // The end of the old session takes the other two, and not this one.
    old.run(recording.phase("it closes its session")).await;
    view_where(&discovery, "one", |view| view.snapshot.as_ref().is_some_and(|set| set.len() == 1)).await;
    assert!(registration.status().is_registered());
}

#[tokio::test]
async fn a_new_server_writes_what_an_old_one_reads() {
    let Some(_) = test_zookeeper::require() else { return };
    let server = Server::start().await.unwrap();
    let observer = raw::Client::connect(server.addr(), 2 * SESSION).await.unwrap();
    let registrar = registrar(&link(&server.connect_string()));
    let registration = register(&registrar, PORT).await;
    let (written, stat) = observer.get(registration.path().as_str()).await.unwrap();
    let written = String::from_utf8(written).unwrap();
    let old = Recording::read(SERVER).first_data(registration.path().as_str());
    // Byte for byte what the old one would have written in its place, at a version that its take-over counts with.
    assert_eq!(with_facts_of(&old, &written, &[PLACE, PROCESS].concat()), written);
    assert_eq!(stat.version, 0);
}

#[tokio::test]
async fn an_old_server_takes_over_the_stale_znode_of_a_new_one_and_gives_the_name_back() {
    let Some(_) = test_zookeeper::require() else { return };
    let server = Server::start().await.unwrap();
    let proxy = Proxy::start(server.addr()).await.unwrap();
    let registrar = registrar(&link(&proxy.connect_string()));
    let registration = register(&registrar, PORT).await;
    let discovery = follow(&server);
    let ours = registrar.owner().incarnation().to_string();
    view_where(&discovery, "the new server", |view| incarnation(view, PORT).as_deref() == Some(&ours)).await;
    let mut changes = discovery.changes();

    proxy.refuse().await;
    let recording = Recording::read(TAKE_OVER);
    let mut old = Replay::start(&server).await;
    old.run(recording.phase("a server finds the znode of its killed predecessor")).await;
    let written = recording.first_data(registration.path().as_str());
    let theirs = tag(&written, "owner.incarnation");
    view_where(&discovery, "the old server", |view| incarnation(view, PORT).as_deref() == Some(theirs)).await;
    assert_none_left(&mut changes).await;

    // The new one, which was not dead, leaves the name alone, and has it again when the old one has left.
    proxy.pass().await.unwrap();
    let mut statuses = registration.statuses();
    let is_conflict = |status: &RegistrationStatus| matches!(status, RegistrationStatus::Conflict(_));
    // What is awaited is borrowed, and must not be kept: the keeper could not publish another status.
    let conflict = timeout(SOON, statuses.wait_for(is_conflict)).await.is_ok();
    assert!(conflict, "{:?}", registration.status());
    old.run(recording.phase("it is stopped")).await;
    timeout(SOON, registration.registered()).await.expect("the name is taken in time").unwrap();
}
