use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::time::timeout;
use zk_embedded::faults::{Matching, Op};
use zk_embedded::{Server, Shutdown};
use zk_testing::SOON;
use zk_testing::raw::{Client, CreateMode, Error, Event, EventKind};

use crate::wire::{Wire, exists};

const TIMEOUT: Duration = Duration::from_secs(10);

async fn server() -> Server {
    Server::start().await.expect("a port is free")
}

async fn client(server: &Server) -> Client {
    Client::connect(server.addr(), TIMEOUT).await.expect("the server answers")
}

#[tokio::test]
async fn a_client_reads_what_another_one_creates() {
    let server = server().await;
    let (one, other) = (client(&server).await, client(&server).await);
    one.create("/a", b"data", CreateMode::Persistent).await.expect("created");
    let (data, stat) = other.get("/a").await.expect("it is there");
    assert_eq!((data.as_slice(), stat.version, stat.data_length), (&b"data"[..], 0, 4));
    assert!(matches!(other.delete("/b", None).await, Err(Error::NoNode)));
}

#[tokio::test]
async fn a_watch_notifies_another_client_of_a_change() {
    let server = server().await;
    let (watcher, writer) = (client(&server).await, client(&server).await);
    assert_eq!(watcher.exists_and_watch("/a").await.expect("answered"), None);
    writer.create("/a", b"", CreateMode::Persistent).await.expect("created");
    let event = timeout(SOON, watcher.next_event()).await.expect("it fires");
    assert_eq!(event, Some(Event { kind: EventKind::Created, path: "/a".into() }));
}

#[tokio::test]
async fn ephemerals_are_gone_when_the_reply_to_close_comes() {
    let server = server().await;
    let (owner, observer) = (client(&server).await, client(&server).await);
    owner.create("/e", b"", CreateMode::Ephemeral).await.expect("created");
    owner.close().await.expect("answered");
    assert_eq!(observer.exists("/e").await.expect("answered"), None);
}

#[tokio::test]
async fn a_silent_session_expires_by_the_clock_of_the_machine() {
    let server = Server::builder().tick(Duration::from_millis(100)).start().await.expect("a port is free");
    let observer = Client::connect(server.addr(), TIMEOUT).await.expect("answered");
    let owner = Client::connect(server.addr(), Duration::from_millis(400)).await.expect("answered");
    assert_eq!(owner.negotiated_timeout(), Duration::from_millis(400));
    owner.create("/e", b"", CreateMode::Ephemeral).await.expect("created");
    assert!(observer.exists_and_watch("/e").await.expect("answered").is_some());
    drop(owner);
    let event = timeout(SOON, observer.next_event()).await.expect("it expires");
    assert_eq!(event, Some(Event { kind: EventKind::Deleted, path: "/e".into() }));
}

#[tokio::test]
async fn a_session_is_taken_over_with_its_password_and_the_old_connection_ends() {
    let server = server().await;
    let first = client(&server).await;
    let second = Client::connect_with(server.addr(), TIMEOUT, first.session_id(), first.password())
        .await
        .expect("the password is right");
    assert_eq!(second.session_id(), first.session_id());
    timeout(SOON, first.closed()).await.expect("the old connection ends");
    let wrong = Client::connect_with(server.addr(), TIMEOUT, second.session_id(), &[1; 16]).await;
    assert!(matches!(wrong, Err(Error::SessionExpired)), "{wrong:?}");
}

#[tokio::test]
async fn only_loopback_addresses_are_served() {
    for addr in ["0.0.0.0:0", "192.0.2.1:0", "[::]:0", "[::ffff:192.0.2.1]:0"] {
        let addr: SocketAddr = addr.parse().expect("an address");
        let error = Server::builder().listen(addr).start().await.expect_err("refused");
        assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
        assert!(error.to_string().contains("not a loopback address"), "{error}");
    }
}

#[tokio::test]
async fn a_tick_of_0_is_refused() {
    let error = Server::builder().tick(Duration::ZERO).start().await.expect_err("refused");
    assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
}

#[tokio::test]
async fn connections_above_the_limit_are_closed_and_the_others_are_served() {
    let server = Server::builder().max_connections(2).start().await.expect("a port is free");
    let first = client(&server).await;
    let second = Wire::connected(server.addr()).await;
    assert_eq!(Wire::open(server.addr()).await.end().await, 0);
    first.sync("/").await.expect("it serves on");

    drop(second);
    // The place is free as soon as the server knows.
    let free = async {
        while Client::connect(server.addr(), TIMEOUT).await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    timeout(SOON, free).await.expect("a place becomes free");
}

#[tokio::test]
async fn a_shutdown_closes_connections_and_frees_the_port() {
    for how in [Shutdown::CloseConnections, Shutdown::DropConnections] {
        let server = server().await;
        let (addr, client) = (server.addr(), client(&server).await);
        timeout(SOON, server.shutdown(how)).await.expect("it ends");
        timeout(SOON, client.closed()).await.expect("its client knows");
        TcpListener::bind(addr).await.expect("the port is free");
    }
}

#[tokio::test]
async fn close_connections_sends_the_pending_replies_and_drop_connections_does_not() {
    for (how, sent) in [(Shutdown::CloseConnections, true), (Shutdown::DropConnections, false)] {
        let server = server().await;
        let mut wire = Wire::connected(server.addr()).await;
        let by = Duration::from_millis(200);
        let late = server.faults().delay(Matching::op(Op::Exists), by).await.expect("it runs");
        wire.send(&exists(1)).await;
        assert!(late.wait_fired(SOON).await);
        let (reply, ()) = tokio::join!(wire.frame(), server.shutdown(how));
        assert_eq!(reply.is_some(), sent, "{how:?}");
    }
}

#[tokio::test]
async fn a_dropped_server_closes_connections_and_frees_the_port() {
    let server = server().await;
    let (addr, client) = (server.addr(), client(&server).await);
    drop(server);
    timeout(SOON, client.closed()).await.expect("its client knows");
    let free = async {
        while TcpListener::bind(addr).await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    timeout(SOON, free).await.expect("the port becomes free");
}

#[tokio::test]
async fn a_later_server_has_higher_zxids_than_an_earlier_one() {
    let earlier = Server::builder().first_zxid(77 << 32).start().await.expect("a port is free");
    let old = client(&earlier).await.exists("/").await.expect("answered").expect("the root");
    assert_eq!(old.czxid, 0);
    let later = server().await;
    let writer = client(&later).await;
    writer.create("/a", b"", CreateMode::Persistent).await.expect("created");
    let new = writer.exists("/a").await.expect("answered").expect("it is there");
    assert!(new.czxid > 1_700_000_000 << 32, "{:#x}", new.czxid);
}
