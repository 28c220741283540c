use std::time::Duration;

use tokio::time::{Instant, timeout};
use zk_embedded::Server;
use zk_embedded::faults::{AfterLoss, Matching, Op, Scope, Stopped};
use zk_embedded::proto::ErrorCode;
use zk_testing::SOON;
use zk_testing::raw::{Client, CreateMode, Error, Event, EventKind};

use crate::wire::{Wire, exists};

const TIMEOUT: Duration = Duration::from_secs(10);
/// Long enough to see that nothing comes.
const MOMENT: Duration = Duration::from_millis(100);

async fn start() -> (Server, Client) {
    let server = Server::start().await.expect("a port is free");
    let client = connect(&server).await;
    (server, client)
}

async fn connect(server: &Server) -> Client {
    Client::connect(server.addr(), TIMEOUT).await.expect("answered")
}

#[tokio::test]
async fn an_expired_session_loses_its_ephemerals_and_its_connection() {
    let (server, observer) = start().await;
    let owner = connect(&server).await;
    owner.create("/e", b"", CreateMode::Ephemeral).await.expect("created");
    let fault = server.faults().expire(Scope::Session(owner.session_id())).await.expect("it runs");
    assert_eq!(fault.fired(), 1);
    assert_eq!(observer.exists("/e").await.expect("answered"), None);
    timeout(SOON, owner.closed()).await.expect("it ends");
    let again = Client::connect_with(server.addr(), TIMEOUT, owner.session_id(), owner.password()).await;
    assert!(matches!(again, Err(Error::SessionExpired)), "{again:?}");

    let fault = server.faults().expire(Scope::Session(owner.session_id())).await.expect("it runs");
    assert_eq!(fault.fired(), 0, "it is over already");
    let fault = server.faults().expire(Scope::All).await.expect("it runs");
    assert_eq!(fault.fired(), 1);
    timeout(SOON, observer.closed()).await.expect("it ends");
}

#[tokio::test]
async fn a_dropped_connection_leaves_its_session() {
    let (server, observer) = start().await;
    let owner = connect(&server).await;
    owner.create("/e", b"", CreateMode::Ephemeral).await.expect("created");
    let scope = Scope::Session(owner.session_id());
    assert_eq!(server.faults().drop_connections(scope).await.expect("it runs").fired(), 1);
    timeout(SOON, owner.closed()).await.expect("it ends");
    assert!(observer.exists("/e").await.expect("answered").is_some());
    Client::connect_with(server.addr(), TIMEOUT, owner.session_id(), owner.password())
        .await
        .expect("the session lives");
}

#[tokio::test]
async fn new_connections_are_refused_until_the_fault_ends() {
    let (server, client) = start().await;
    let fault = server.faults().refuse(Scope::All).await.expect("it runs");
    assert!(Client::connect(server.addr(), TIMEOUT).await.is_err());
    assert_eq!(fault.fired(), 1);
    client.sync("/").await.expect("those that are there are served");
    assert_eq!(fault.end().await, Ok(1));
    connect(&server).await;
}

#[tokio::test]
async fn one_session_is_refused_and_others_are_not() {
    let (server, client) = start().await;
    let fault = server.faults().refuse(Scope::Session(client.session_id())).await.expect("it runs");
    connect(&server).await;
    let again = || Client::connect_with(server.addr(), TIMEOUT, client.session_id(), client.password());
    assert!(again().await.is_err());
    assert_eq!(fault.end().await, Ok(1));
    again().await.expect("the session lives");
}

#[tokio::test]
async fn a_stalled_server_serves_the_waiting_requests_when_it_resumes() {
    let (server, client) = start().await;
    let fault = server.faults().stall(Scope::All).await.expect("it runs");
    let create = client.create("/a", b"", CreateMode::Persistent);
    tokio::pin!(create);
    assert!(timeout(MOMENT, &mut create).await.is_err(), "nobody answers");
    assert!(fault.wait_fired(SOON).await);
    fault.end().await.expect("it runs");
    create.await.expect("created");
}

#[tokio::test]
async fn a_stalled_session_gets_no_events_and_others_are_served() {
    let (server, writer) = start().await;
    let watcher = connect(&server).await;
    watcher.exists_and_watch("/a").await.expect("answered");
    let fault = server.faults().stall(Scope::Session(watcher.session_id())).await.expect("it runs");
    writer.create("/a", b"", CreateMode::Persistent).await.expect("created");
    assert!(timeout(MOMENT, watcher.next_event()).await.is_err(), "nothing goes out");
    fault.end().await.expect("it runs");
    let event = timeout(SOON, watcher.next_event()).await.expect("it comes late");
    assert_eq!(event, Some(Event { kind: EventKind::Created, path: "/a".into() }));
}

#[tokio::test]
async fn no_session_expires_while_the_whole_server_is_stalled() {
    let server = Server::builder().tick(Duration::from_millis(100)).start().await.expect("a port is free");
    let client = Client::connect(server.addr(), Duration::from_secs(2)).await.expect("answered");
    let fault = server.faults().stall(Scope::All).await.expect("it runs");
    // So long that the session would have expired; its client pings in vain, and gives up.
    server.faults().step_clock(Duration::from_secs(5)).await.expect("it runs");
    assert!(fault.wait_fired(SOON).await, "a ping comes in");
    fault.end().await.expect("it runs");
    client.sync("/").await.expect("the ping was heard first");
}

#[tokio::test]
async fn a_lost_reply_leaves_the_write_done() {
    let (server, observer) = start().await;
    let client = connect(&server).await;
    let matching = Matching::op(Op::Create).session(client.session_id()).path("/a");
    let fault = server.faults().lose_reply(matching, AfterLoss::Cut).await.expect("it runs");
    observer.create("/other", b"", CreateMode::Persistent).await.expect("another session");
    client.create("/b", b"", CreateMode::Persistent).await.expect("another path");
    assert_eq!(fault.fired(), 0);
    assert!(client.create("/a", b"", CreateMode::Persistent).await.is_err());
    assert_eq!(fault.fired(), 1);
    assert!(client.is_closed());
    assert!(observer.exists("/a").await.expect("answered").is_some());
}

#[tokio::test]
async fn a_lost_reply_can_leave_the_connection_open() {
    let (server, _client) = start().await;
    let mut wire = Wire::connected(server.addr()).await;
    let fault = server.faults().lose_reply(Matching::op(Op::Exists), AfterLoss::Keep).await.expect("it runs");
    wire.send(&exists(1)).await;
    wire.send(&exists(2)).await;
    assert_eq!(wire.header().await.xid, 2);
    assert_eq!(fault.fired(), 1);
}

#[tokio::test]
async fn a_lost_connect_reply_leaves_a_session_open() {
    let (server, client) = start().await;
    let fault = server.faults().lose_reply(Matching::op(Op::Connect), AfterLoss::Cut).await.expect("it runs");
    assert!(Client::connect(server.addr(), TIMEOUT).await.is_err());
    assert_eq!(fault.fired(), 1);
    client.sync("/").await.expect("others are served");
    let mntr = zk_testing::four_letter_word(server.addr(), "mntr").await.expect("answered");
    assert!(mntr.contains("zk_global_sessions\t2\n"), "{mntr}");
}

#[tokio::test]
async fn a_delayed_reply_comes_late_and_the_write_is_done_at_once() {
    let (server, client) = start().await;
    let observer = connect(&server).await;
    let by = Duration::from_millis(300);
    let fault = server.faults().delay(Matching::op(Op::Create), by).await.expect("it runs");
    let start = Instant::now();
    let create = client.create("/a", b"", CreateMode::Persistent);
    tokio::pin!(create);
    tokio::select! {
        _ = &mut create => panic!("the reply is late"),
        fired = fault.wait_fired(SOON) => assert!(fired),
    }
    assert!(observer.exists("/a").await.expect("answered").is_some());
    create.await.expect("created");
    assert!(start.elapsed() >= by);
    client.create("/b", b"", CreateMode::Persistent).await.expect("it struck once");
    assert_eq!(fault.fired(), 1);
}

#[tokio::test]
async fn a_failed_operation_gets_the_error_and_is_not_done() {
    let (server, client) = start().await;
    let matching = Matching::op(Op::Create).times(2);
    let fault = server.faults().fail(matching, ErrorCode::NoAuth).await.expect("it runs");
    for _ in 0..2 {
        let refused = client.create("/a", b"", CreateMode::Persistent).await;
        assert!(matches!(refused, Err(Error::NoAuth)), "{refused:?}");
    }
    assert_eq!(client.exists("/a").await.expect("answered"), None);
    client.create("/a", b"", CreateMode::Persistent).await.expect("it struck twice");
    assert_eq!(fault.fired(), 2);
}

#[tokio::test]
async fn an_injected_error_has_the_xid_of_the_request() {
    let (server, _client) = start().await;
    let mut wire = Wire::connected(server.addr()).await;
    server.faults().fail(Matching::any().path("/"), ErrorCode::BadArguments).await.expect("it runs");
    wire.send(&exists(41)).await;
    let header = wire.header().await;
    assert_eq!((header.xid, header.code), (41, ErrorCode::BadArguments));
}

#[tokio::test]
async fn a_frozen_clock_expires_no_session_and_a_step_expires_it_at_once() {
    let (server, observer) = start().await;
    let faults = server.faults();
    let frozen = faults.freeze_clock().await.expect("it runs");
    let owner = connect(&server).await;
    owner.create("/e", b"", CreateMode::Ephemeral).await.expect("created");
    let stat = observer.exists("/e").await.expect("answered").expect("it is there");
    assert_eq!(stat.ctime, frozen);
    let after = faults.step_clock(TIMEOUT + Duration::from_secs(4)).await.expect("it runs");
    assert_eq!(after, frozen + 14_000);
    timeout(SOON, owner.closed()).await.expect("it is over");
    let other = connect(&server).await;
    assert_eq!(other.exists("/e").await.expect("answered"), None);
    assert!(faults.release_clock().await.expect("it runs") >= after);
}

#[tokio::test]
async fn clearing_ends_all_faults() {
    let (server, client) = start().await;
    let faults = server.faults();
    faults.fail(Matching::any().always(), ErrorCode::NoAuth).await.expect("it runs");
    faults.refuse(Scope::All).await.expect("it runs");
    assert!(client.sync("/").await.is_err());
    faults.clear().await.expect("it runs");
    client.sync("/").await.expect("answered");
    connect(&server).await;
}

#[tokio::test]
async fn a_stopped_server_takes_no_faults() {
    let (server, _client) = start().await;
    let faults = server.faults();
    let fault = faults.stall(Scope::All).await.expect("it runs");
    server.shutdown(zk_embedded::Shutdown::DropConnections).await;
    assert_eq!(faults.clear().await, Err(Stopped));
    assert!(!fault.wait_fired(SOON).await);
    assert_eq!(fault.end().await, Err(Stopped));
}
