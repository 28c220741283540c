//! The life of a service with real sockets and a real ZooKeeper.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::time::Duration;

use test_zookeeper::Server;
use tokio::net::TcpListener;
use zk_roster::{RegistrationStatus, RunningService, Service, Zk};
use zk_testing::{SOON, eventually, expire_session, raw};

const ROOT: &str = "/services/web";

/// The service on this link, as the status of its one instance has it.
fn registration(service: &RunningService) -> Option<RegistrationStatus> {
    service.status().instances[0].registration.clone()
}

async fn listed(observer: &raw::Client) -> Vec<String> {
    observer.children(ROOT).await.map(|(names, _)| names).unwrap_or_default()
}

async fn started() -> Option<(Server, Zk, raw::Client)> {
    test_zookeeper::require()?;
    let server = Server::start().await.unwrap();
    let zk = zk_roster::connect(&server.connect_string()).unwrap();
    let observer = raw::Client::connect(server.addr(), Duration::from_secs(4)).await.unwrap();
    Some((server, zk, observer))
}

#[tokio::test]
async fn a_service_comes_back_in_a_new_session_and_leaves_nothing_behind() {
    let Some((server, zk, observer)) = started().await else { return };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let name = listener.local_addr().unwrap().to_string();
    let service = Service::new(&zk, ROOT).weight(50).serve_on(&listener).unwrap();
    service.registered_within(SOON).await.unwrap();
    assert_eq!(listed(&observer).await, [&*name]);
    let session = zk.state().session.unwrap().id;
    expire_session(server.addr(), session.0).await.unwrap();
    let is_back = || matches!(registration(&service), Some(RegistrationStatus::Registered { session: now, .. }) if now != session);
    eventually("it is registered in another session", async || is_back()).await;
    assert_eq!(listed(&observer).await, [&*name]);
    service.leave().await.unwrap();
    assert_eq!(listed(&observer).await, [""; 0]);
    zk.close(SOON).await.unwrap();
}

#[tokio::test]
async fn a_listener_vouches_and_takes_over_from_a_predecessor_and_a_bare_address_waits() {
    let Some((server, zk, observer)) = started().await else { return };
    let first = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let bound = first.local_addr().unwrap();
    let dead = Service::new(&zk, ROOT).serve_on(&first).unwrap();
    dead.registered_within(SOON).await.unwrap();
    drop(first);

    let next = zk_roster::connect(&server.connect_string()).unwrap();
    let waiting = Service::new(&next, ROOT).serve_on(&bound).unwrap();
    let conflict =
        |service: &RunningService| matches!(registration(service), Some(RegistrationStatus::Conflict(_)));
    eventually("the name is held by the predecessor", async || conflict(&waiting)).await;
    drop(waiting);

    let listener = TcpListener::bind(bound).await.unwrap();
    let service = Service::new(&next, ROOT).serve_on(&listener).unwrap();
    service.registered_within(SOON).await.unwrap();
    assert_eq!(listed(&observer).await, [bound.to_string()]);
    eventually("the predecessor gives way", async || conflict(&dead)).await;
}

/// Of UDP and TCP each has its own ports: a socket of the one says nothing about who listens with the other.
#[tokio::test]
async fn a_udp_socket_takes_nothing_over_from_a_listener_with_the_same_address() {
    let Some((server, zk, observer)) = started().await else { return };
    let (listener, bound, socket) = loop {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let bound = listener.local_addr().unwrap();
        if let Ok(socket) = tokio::net::UdpSocket::bind(bound).await {
            break (listener, bound, socket);
        }
    };
    let living = Service::new(&zk, ROOT).serve_on(&listener).unwrap();
    living.registered_within(SOON).await.unwrap();
    let czxid = observer.exists(&format!("{ROOT}/{bound}")).await.unwrap().unwrap().czxid;

    let other = zk_roster::connect(&server.connect_string()).unwrap();
    let waiting = Service::new(&other, ROOT).serve_on(&socket).unwrap();
    let decided =
        || registration(&waiting).is_some_and(|now| !matches!(now, RegistrationStatus::Pending { .. }));
    eventually("the socket's registration is decided", async || decided()).await;
    let now = registration(&waiting);
    assert!(matches!(now, Some(RegistrationStatus::Conflict(_))), "{now:?}");
    assert!(living.status().is_registered(), "{}", living.status());
    assert_eq!(observer.exists(&format!("{ROOT}/{bound}")).await.unwrap().unwrap().czxid, czxid);
}

#[cfg(feature = "signals")]
#[tokio::test]
async fn a_signal_lets_the_service_leave_and_a_second_one_cuts_that_short() {
    use nix::sys::signal::{Signal, raise};
    use tokio::time::timeout;

    let Some((_server, zk, observer)) = started().await else { return };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let service = Service::new(&zk, ROOT).settle(20 * SOON).serve_on(&listener).unwrap();
    let left = tokio::spawn(service.leave_on_signal());
    // Of a program that is still starting.
    let second = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let not_polled_yet = Service::new(&zk, "/services/other").serve_on(&second).unwrap().leave_on_signal();
    service.registered_within(SOON).await.unwrap();
    raise(Signal::SIGTERM).unwrap();
    eventually("it is deregistered", async || listed(&observer).await.is_empty()).await;
    // Signals within a second of the first belong to the same stop.
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    assert!(!left.is_finished(), "it settles");
    raise(Signal::SIGTERM).unwrap();
    timeout(SOON, left).await.expect("it has left").unwrap();
    timeout(SOON, not_polled_yet).await.expect("no signal is lost");
}
