//! Rows of the fault matrix that concern the link alone: slow servers, dead hosts, dropped futures.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use common::{SESSION, SOON, config, connected, observer, path, state_where, trouble};
use test_zookeeper::Server;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::coop::unconstrained;
use tokio::time::{Instant, sleep, timeout};
use zk_core::{Acl, CloseReason, Outcome, Phase, State, Zk, ZnodePath};
use zk_testing::proxy::{Action, Op, Proxy};
use zk_testing::{eventually, four_letter_word, poll_at_most};

fn start(hosts: &str, session_timeout: Duration) -> Zk {
    Zk::start(config(hosts).with_session_timeout(session_timeout).unwrap()).unwrap()
}

// === 22: slow servers ===

/// The longest session timeout that the server grants.
const SLOW_SESSION: Duration = Duration::from_secs(4);

#[tokio::test]
async fn fault_22_a_link_stays_up_if_a_round_trip_takes_less_than_7_20_of_the_session_timeout() {
    let Some(_) = test_zookeeper::require() else { return };
    let server = Server::start().await.unwrap();
    let proxy = Proxy::start(server.addr()).await.unwrap();
    let round_trip = SLOW_SESSION * 6 / 20;
    proxy.delay(round_trip / 2).await.unwrap();
    let zk = start(&proxy.connect_string(), SLOW_SESSION);
    let connection = connected(&zk).await;
    assert_eq!(connection.session().timeout, SLOW_SESSION);
    let before = connection.create_ephemeral(&path("/here"), b"", Acl::Open).await.unwrap();
    // Idle: only pings keep the session.
    sleep(3 * SLOW_SESSION).await;
    assert!(!connection.has_ended(), "{:?}", zk.state());
    assert_eq!(connection.stat(&path("/here")).await.unwrap(), Some(before));
    assert_eq!((zk.state().epoch, zk.state().reconnects), (1, 0));
}

#[tokio::test]
async fn fault_22_with_slower_round_trips_the_link_reports_trouble_and_resumes_its_session_later() {
    let Some(_) = test_zookeeper::require() else { return };
    let server = Server::start().await.unwrap();
    let proxy = Proxy::start(server.addr()).await.unwrap();
    let zk = start(&proxy.connect_string(), SLOW_SESSION);
    let session = connected(&zk).await.session();
    proxy.delay(SLOW_SESSION * 5 / 20).await.unwrap();
    let state = state_where(&zk, "trouble", |state| state.trouble.is_some()).await;
    assert!(!state.is_connected());
    assert!(state.trouble.unwrap().to_string().contains("resume the session"), "{:?}", zk.state());
    proxy.pass().await.unwrap();
    let state = state_where(&zk, "a connection", State::is_connected).await;
    assert_eq!((state.session, state.epoch), (Some(session), 1));
}

// === 36: hosts that are dead ===

/// How long one host may take to accept a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// A port that silently accepts no more connections, because its queue is full, for as long as the returned values
/// live.
async fn black_hole() -> (SocketAddr, TcpListener, Vec<TcpStream>) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let addr = listener.local_addr().unwrap();
    let mut queue = Vec::new();
    while let Ok(connected) = timeout(Duration::from_millis(200), TcpStream::connect(addr)).await {
        queue.push(connected.unwrap());
        assert!(queue.len() < 100, "the queue is never full");
    }
    (addr, listener, queue)
}

fn refusing() -> SocketAddr {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

const UNRESOLVABLE: &str = "no-such-host.invalid:2181";

#[tokio::test]
async fn fault_36_a_link_connects_within_two_connect_timeouts_although_other_hosts_are_dead() {
    let Some(_) = test_zookeeper::require() else { return };
    let server = Server::start().await.unwrap();
    let (hole, _listener, _queue) = black_hole().await;
    let hosts = format!("{},{hole},{UNRESOLVABLE},{}", refusing(), server.connect_string());
    // The order is random: sooner or later each of the hosts is the first.
    for _ in 0..10 {
        let started = Instant::now();
        let zk = start(&hosts, SLOW_SESSION);
        connected(&zk).await;
        assert!(started.elapsed() < 2 * CONNECT_TIMEOUT, "{:?}", started.elapsed());
        zk.close(SOON).await.unwrap();
    }
}

#[tokio::test]
async fn fault_36_the_error_names_each_dead_host_and_its_cause() {
    let (hole, _listener, _queue) = black_hole().await;
    let refusing = refusing();
    let zk = start(&format!("{refusing},{hole},{UNRESOLVABLE}"), SLOW_SESSION);
    let started = Instant::now();
    let trouble = trouble(&zk).await.to_string();
    assert!(started.elapsed() < 2 * CONNECT_TIMEOUT + Duration::from_secs(1), "{:?}", started.elapsed());
    for expected in
        [format!("{refusing}: "), format!("{hole}: connection not accepted"), "no-such-host.invalid".into()]
    {
        assert!(trouble.contains(&expected), "{expected} is missing: {trouble}");
    }
}

/// A session timeout beyond what the server grants.
const LONG_SESSION: Duration = Duration::from_secs(30);

#[tokio::test]
async fn fault_11_a_link_leaves_a_hung_server_and_dials_the_other_one_first() {
    let Some(_) = test_zookeeper::require() else { return };
    let server = Server::start().await.unwrap();
    let proxies = [Proxy::start(server.addr()).await.unwrap(), Proxy::start(server.addr()).await.unwrap()];
    let zk = start(
        &format!("{},{}", proxies[0].connect_string(), proxies[1].connect_string()),
        Duration::from_secs(2),
    );
    let session = connected(&zk).await.session();
    for round in 1..=5 {
        let used = connected(&zk).await.server().unwrap();
        let hung = proxies.iter().find(|proxy| proxy.connect_string() == used).unwrap();
        hung.hang().await.unwrap();
        let before = hung.connections_accepted();
        let state =
            state_where(&zk, "another server", |state| state.reconnects == round && state.is_connected())
                .await;
        assert_eq!(state.session, Some(session));
        assert_ne!(connected(&zk).await.server().unwrap(), used);
        // The kernel of a hung server accepts, and no request gets a reply. The client crate dials once more when it
        // loses the connection; an attempt of ours would be two connections.
        let tried = hung.connections_accepted() - before;
        assert!(tried <= 1, "{tried} connections");
        hung.pass().await.unwrap();
    }
}

#[tokio::test]
async fn fault_11_a_server_that_closes_every_connection_is_tried_once_before_the_other_one() {
    let Some(_) = test_zookeeper::require() else { return };
    let server = Server::start().await.unwrap();
    let broken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let hosts = format!("{},{}", broken.local_addr().unwrap(), server.connect_string());
    let accepted = Arc::new(AtomicUsize::new(0));
    let counted = accepted.clone();
    let closing = tokio::spawn(async move {
        while broken.accept().await.is_ok() {
            counted.fetch_add(1, Ordering::SeqCst);
        }
    });
    let mut met = 0;
    // The order is random: in half of the rounds the broken server is the first.
    for _ in 0..24 {
        accepted.store(0, Ordering::SeqCst);
        let zk = start(&hosts, SLOW_SESSION);
        connected(&zk).await;
        let accepted = accepted.load(Ordering::SeqCst);
        // Each attempt dials, and then the client crate connects.
        assert!(accepted <= 2, "tried again before the other one: {accepted} connections");
        met += accepted.min(1);
        zk.close(SOON).await.unwrap();
    }
    assert!(met > 0, "the broken server was never the first");
    closing.abort();
}

/// The client crate alone would wait for 2/5 of the session timeout.
#[tokio::test]
async fn fault_11_an_attempt_with_a_silent_server_ends_after_five_seconds() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let started = Instant::now();
    let zk = start(&silent.local_addr().unwrap().to_string(), LONG_SESSION);
    let trouble = trouble(&zk).await.to_string();
    assert!(started.elapsed() < Duration::from_secs(7), "{:?}", started.elapsed());
    assert!(trouble.contains("no reply within 5s"), "{trouble}");
}

// === 47: a future is dropped at any await ===

/// The number of watches that the server keeps, for all clients.
async fn watches(server: &Server) -> usize {
    let words = four_letter_word(server.addr(), "wchs").await.unwrap();
    let total = words.lines().find_map(|line| line.strip_prefix("Total watches:"));
    total.and_then(|total| total.trim().parse().ok()).unwrap_or_else(|| panic!("{words}"))
}

#[tokio::test]
async fn fault_47_operations_dropped_at_any_await_leave_no_watch_and_take_effect_in_order() {
    // An old server keeps the watch of a dropped future: it does not know the request that removes a watch.
    if test_zookeeper::is_old() {
        return;
    }
    let Some(_) = test_zookeeper::require() else { return };
    let server = Server::start().await.unwrap();
    let zk = start(&server.connect_string(), SLOW_SESSION);
    let connection = connected(&zk).await;
    // Each kind of watch on its own path: before 3.9 a path has only one kind of watch in a session.
    let (parent, at, other) = (path("/r"), path("/r/x"), path("/other"));
    connection.ensure_path(&parent, Acl::Open).await.unwrap();
    let mut watch = connection.watch_recursive(&parent).await.unwrap();
    assert_eq!(watches(&server).await, 1, "the server counts its watches");

    let (mut dropped, mut done) = (0, 0);
    for polls in 1..=12 {
        let mut count = |finished: bool| if finished { done += 1 } else { dropped += 1 };
        count(poll_at_most(polls, connection.create_ephemeral(&at, b"1", Acl::Open)).await.is_some());
        // Operations take effect in order: this stat is final for the creation that was dropped before.
        let stat = connection.stat(&at).await.unwrap().expect("it was sent before it was dropped");
        assert_eq!(stat.ephemeral_owner, Some(connection.session().id));
        count(poll_at_most(polls, connection.set_data(&at, b"2", None)).await.is_some());
        count(poll_at_most(polls, connection.data(&at)).await.is_some());
        count(poll_at_most(polls, connection.watch_recursive(&other)).await.is_some());
        count(poll_at_most(polls, connection.watch_exists(&at)).await.is_some());
        count(poll_at_most(polls, connection.sync(&at)).await.is_some());
        assert_eq!(connection.data(&at).await.unwrap().0, b"2");
        count(poll_at_most(polls, connection.delete(&at, None)).await.is_some());
        assert_eq!(connection.stat(&at).await.unwrap(), None);
        let deep = path(&format!("/p{polls}/a/b/c/d"));
        count(poll_at_most(polls, connection.ensure_path(&deep, Acl::Open)).await.is_some());
        connection.ensure_path(&deep, Acl::Open).await.unwrap();
    }
    // A watch that never fires, and that the caller drops.
    drop(connection.watch_exists(&path("/unchanged")).await.unwrap());
    assert!(dropped >= 12 && done >= 12, "dropped {dropped}, done {done}");
    eventually("only the watch that this test keeps is left", async || watches(&server).await == 1).await;
    let events = std::iter::from_fn(|| watch.try_next()).count();
    assert_eq!(events, 12 * 3, "created, written and deleted once each time");
    assert_eq!((zk.state().epoch, zk.state().reconnects), (1, 0));
}

#[tokio::test]
async fn fault_47_thousands_of_dropped_operations_do_not_block_later_ones() {
    let Some(_) = test_zookeeper::require() else { return };
    let server = Server::start().await.unwrap();
    let zk = start(&server.connect_string(), SLOW_SESSION);
    let connection = connected(&zk).await;
    // More than may be in flight.
    for _ in 0..5_000 {
        let _ = poll_at_most(1, unconstrained(connection.stat(&ZnodePath::root()))).await;
    }
    connection.sync(&ZnodePath::root()).await.unwrap();
}

#[tokio::test]
async fn fault_47_waiting_for_a_connection_can_be_dropped_and_repeated() {
    let Some(_) = test_zookeeper::require() else { return };
    let server = Server::start().await.unwrap();
    let proxy = Proxy::start(server.addr()).await.unwrap();
    proxy.refuse().await;
    let zk = start(&proxy.connect_string(), SLOW_SESSION);
    for _ in 0..100 {
        assert!(poll_at_most(1, zk.connected()).await.is_none(), "the proxy refuses connections");
    }
    proxy.pass().await.unwrap();
    connected(&zk).await;
}

#[tokio::test]
async fn fault_47_a_close_continues_when_its_future_is_dropped() {
    let Some(_) = test_zookeeper::require() else { return };
    let server = Server::start().await.unwrap();
    let observer = observer(server.addr()).await;
    for polls in 1..=3 {
        let zk = start(&server.connect_string(), SLOW_SESSION);
        connected(&zk).await.create_ephemeral(&path("/here"), b"", Acl::Open).await.unwrap();
        let _ = poll_at_most(polls, zk.close(SOON)).await;
        eventually("the session has ended", async || observer.exists("/here").await.unwrap().is_none()).await;
        zk.close(SOON).await.unwrap();
        assert_eq!(zk.state().phase, Phase::Closed(CloseReason::Clean));
    }
}

#[tokio::test]
async fn fault_47_a_link_that_is_dropped_while_it_starts_leaves_no_connection() {
    let Some(_) = test_zookeeper::require() else { return };
    let server = Server::start().await.unwrap();
    let proxy = Proxy::start(server.addr()).await.unwrap();
    proxy.delay(Duration::from_millis(10)).await.unwrap();
    for step in 0..30 {
        let zk = start(&proxy.connect_string(), SLOW_SESSION);
        sleep(Duration::from_millis(3 * step)).await;
        drop(zk);
    }
    assert!(proxy.connections_accepted() > 30, "{}", proxy.connections_accepted());
    eventually("no connection is left", async || proxy.connections_open() == 0).await;
}

// === 51, 52: unusual replies ===

/// The client crate panics if a reply is shorter than it expects.
#[tokio::test]
async fn a_panic_in_the_client_crate_ends_the_connection_and_the_link_resumes_the_session() {
    let Some(_) = test_zookeeper::require() else { return };
    let server = Server::start().await.unwrap();
    let proxy = Proxy::start(server.addr()).await.unwrap();
    let zk = start(&proxy.connect_string(), SESSION);
    let connection = connected(&zk).await;
    let born = connection.create_ephemeral(&path("/here"), b"data", Acl::Open).await.unwrap();
    let broken = proxy.on(Op::GetData, Action::EmptyReply);
    let error = connection.data(&path("/here")).await.unwrap_err();
    assert!(broken.fired());
    assert_eq!(error.outcome(), Outcome::Unknown, "{error}");

    let again = state_where(&zk, "another connection", |state| state.reconnects == 1).await;
    assert!(again.is_connected() && again.epoch == 1, "{again:?}");
    let (data, stat) = connected(&zk).await.data(&path("/here")).await.unwrap();
    assert_eq!((data.as_slice(), stat.czxid), (&b"data"[..], born.czxid), "the same session's znode");
    assert!(connection.has_ended());
    zk.close(SESSION).await.unwrap();
}

/// ZooKeeper's `WatchManagerOptimized` knows recursive watches, and refuses them.
#[tokio::test]
async fn a_refused_recursive_watch_is_requested_once_in_a_session_and_other_requests_of_3_6_work() {
    let Some(_) = test_zookeeper::require_apache() else { return };
    let optimized = "org.apache.zookeeper.server.watch.WatchManagerOptimized";
    let server = zk_testing::Server::builder().java_property("zookeeper.watchManagerName", optimized);
    let server = server.start().await.unwrap();
    let proxy = Proxy::start(server.addr()).await.unwrap();
    let zk = start(&proxy.connect_string(), SESSION);
    let connection = connected(&zk).await;
    assert!(connection.has_recursive_watches(), "before the first refusal");
    let refused = connection.watch_recursive(&path("/")).await.unwrap_err();
    assert!(refused.kind().is_refusal(), "{refused}");
    assert!(!connection.has_recursive_watches());
    assert!(connection.watch_recursive(&path("/")).await.unwrap_err().kind().is_refusal());
    let reads = connection.read_many(&[path("/zookeeper"), path("/none")]).await.unwrap();
    assert!(reads[0].is_ok() && reads[1].is_err());
    let (_, _, _watch) = connection.watch_children(&path("/")).await.unwrap();
    assert!(!connection.has_ended());

    proxy.cut().await;
    state_where(&zk, "another connection", |state| state.reconnects == 1).await;
    assert!(!connected(&zk).await.has_recursive_watches(), "the session remembers");
    assert_eq!(proxy.requests().iter().filter(|seen| seen.op == Op::AddWatch).count(), 1);
    assert!(proxy.requests().iter().any(|seen| seen.op == Op::MultiRead), "in one request");
}
