use std::io::ErrorKind;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};
use zk_testing::proxy::{Action, Match, Op, Proxy};
use zk_testing::raw::{Client, CreateMode, Error, EventKind, WatchMode};
use zk_testing::{Server, eventually, four_letter_word};

use crate::connect;

const SOON: Duration = Duration::from_secs(2);
const SHORT: Duration = Duration::from_millis(150);

/// A server, a proxy before it, and an observer that does not use the proxy.
async fn setup() -> Option<(Server, Proxy, Client)> {
    zk_testing::require()?;
    let server = Server::start().await.unwrap();
    let proxy = Proxy::start(server.addr()).await.unwrap();
    let observer = connect(server.addr()).await;
    Some((server, proxy, observer))
}

async fn create(client: &Client, path: &str) -> Result<String, Error> {
    client.create(path, b"", CreateMode::Persistent).await
}

fn io_kind(error: &Error) -> ErrorKind {
    let Error::Io(error) = error else { panic!("{error:?} is no lost connection") };
    error.kind()
}

#[tokio::test]
async fn requests_that_pass_are_recorded() {
    let Some((_server, proxy, _observer)) = setup().await else { return };
    let client = connect(proxy.addr()).await;
    create(&client, "/a").await.unwrap();
    client.exists("/b").await.unwrap();
    let seen = proxy.requests();
    let ops: Vec<(Op, Option<&str>)> =
        seen.iter().filter(|seen| seen.op != Op::Ping).map(|seen| (seen.op, seen.path.as_deref())).collect();
    assert_eq!(ops, [(Op::Connect, None), (Op::Create, Some("/a")), (Op::Exists, Some("/b"))]);
    assert!(seen.iter().all(|seen| seen.connection == 1));
    assert_eq!((proxy.connections_accepted(), proxy.connections_open()), (1, 1));
    proxy.clear();
    client.close().await.unwrap();
    assert!(proxy.requests().iter().any(|seen| seen.op == Op::CloseSession));
    eventually("the connection is closed", async || proxy.connections_open() == 0).await;

    assert_eq!(four_letter_word(proxy.addr(), "ruok").await.unwrap(), "imok");
}

#[tokio::test]
async fn a_cut_ends_present_connections_and_lets_new_ones_pass() {
    let Some((_server, proxy, _observer)) = setup().await else { return };
    let client = connect(proxy.addr()).await;
    proxy.cut().await;
    assert_eq!(proxy.connections_open(), 0);
    timeout(SOON, client.closed()).await.unwrap();
    let client = connect(proxy.addr()).await;
    client.exists("/").await.unwrap();
    proxy.cut_cleanly().await;
    timeout(SOON, client.closed()).await.unwrap();
    connect(proxy.addr()).await;
}

#[tokio::test]
async fn a_client_sees_whether_a_cut_is_a_reset_or_an_orderly_end() {
    let Some((_server, proxy, _observer)) = setup().await else { return };
    let read_to_end = async |stream: &TcpStream| {
        stream.readable().await.unwrap();
        stream.try_read(&mut [0; 8])
    };
    for (cleanly, expected) in [(false, Err(ErrorKind::ConnectionReset)), (true, Ok(0))] {
        let accepted = proxy.connections_accepted();
        let stream = TcpStream::connect(proxy.addr()).await.unwrap();
        eventually("it is accepted", async || proxy.connections_accepted() > accepted).await;
        if cleanly {
            proxy.cut_cleanly().await;
        } else {
            proxy.cut().await;
        }
        let end = timeout(SOON, read_to_end(&stream)).await.unwrap().map_err(|error| error.kind());
        assert_eq!(end, expected);
    }
}

#[tokio::test]
async fn refusing_closes_the_port_until_it_passes_again() {
    let Some((_server, proxy, _observer)) = setup().await else { return };
    let client = connect(proxy.addr()).await;
    proxy.refuse().await;
    timeout(SOON, client.closed()).await.unwrap();
    let refused = TcpStream::connect(proxy.addr()).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    proxy.pass().await.unwrap();
    connect(proxy.addr()).await;
}

#[tokio::test]
async fn a_hang_holds_everything_back_both_ways_and_passing_resumes() {
    let Some((_server, proxy, observer)) = setup().await else { return };
    let client = connect(proxy.addr()).await;
    client.watch("/", WatchMode::Recursive).await.unwrap();
    proxy.hang().await.unwrap();

    let creation = create(&client, "/a");
    tokio::pin!(creation);
    assert!(timeout(SHORT, &mut creation).await.is_err());
    assert!(observer.exists("/a").await.unwrap().is_none(), "the request is held back");
    create(&observer, "/b").await.unwrap();
    assert!(timeout(SHORT, client.next_event()).await.is_err(), "the event is held back");
    let newcomer = TcpStream::connect(proxy.addr()).await.unwrap();
    let hung = Client::connect(proxy.addr(), SOON);
    assert!(timeout(SHORT, hung).await.is_err(), "the proxy accepts, and nothing replies");
    assert!(timeout(SHORT, newcomer.readable()).await.is_err(), "nothing is closed");
    assert_eq!(proxy.connections_open(), 3);

    proxy.clear();
    proxy.pass().await.unwrap();
    creation.await.unwrap();
    assert_eq!(client.next_event().await.unwrap().path, "/b");
    assert!(observer.exists("/a").await.unwrap().is_some());
    eventually("who left in between is forgotten", async || proxy.connections_open() == 2).await;
    assert!(proxy.requests().iter().all(|seen| seen.op != Op::Connect), "and never reaches the server");
}

#[tokio::test]
async fn a_hang_hides_the_end_of_the_server() {
    let Some((mut server, proxy, _observer)) = setup().await else { return };
    let client = connect(proxy.addr()).await;
    proxy.hang().await.unwrap();
    server.kill().await;
    assert!(timeout(SHORT, client.closed()).await.is_err());
    proxy.pass().await.unwrap();
    timeout(SOON, client.closed()).await.unwrap();
}

#[tokio::test]
async fn a_delay_adds_latency_each_way_without_limiting_throughput() {
    let Some((_server, proxy, _observer)) = setup().await else { return };
    let client = connect(proxy.addr()).await;
    let each_way = Duration::from_millis(100);
    proxy.delay(each_way).await.unwrap();
    let began = Instant::now();
    let (a, b, c) = tokio::join!(client.exists("/"), client.exists("/"), client.exists("/"));
    assert!(a.is_ok() && b.is_ok() && c.is_ok());
    assert!(began.elapsed() >= 2 * each_way, "took {:?}", began.elapsed());
    assert!(began.elapsed() < 4 * each_way, "took {:?}", began.elapsed());
    proxy.pass().await.unwrap();
    let began = Instant::now();
    client.exists("/").await.unwrap();
    assert!(began.elapsed() < each_way, "took {:?}", began.elapsed());
}

#[tokio::test]
async fn a_cut_before_the_request_leaves_the_server_untouched() {
    let Some((_server, proxy, observer)) = setup().await else { return };
    let injection = proxy.on(Match::creates(), Action::CutBeforeRequest);
    let client = connect(proxy.addr()).await;
    client.exists("/a").await.unwrap();
    assert!(!injection.fired());
    assert_eq!(io_kind(&create(&client, "/a").await.unwrap_err()), ErrorKind::ConnectionReset);
    assert!(injection.fired());
    observer.sync("/").await.unwrap();
    assert!(observer.exists("/a").await.unwrap().is_none());
    create(&connect(proxy.addr()).await, "/a").await.unwrap();
    assert_eq!(injection.count(), 1, "it happens once");
}

#[tokio::test]
async fn a_cut_in_the_middle_of_the_request_leaves_the_server_untouched() {
    let Some((_server, proxy, observer)) = setup().await else { return };
    for bytes in [0, 3, 4, 11, 20] {
        let injection = proxy.on(Match::creates(), Action::CutMidRequest(bytes));
        let client = connect(proxy.addr()).await;
        assert!(create(&client, "/a").await.is_err());
        assert!(injection.fired());
        observer.sync("/").await.unwrap();
        assert!(observer.exists("/a").await.unwrap().is_none(), "after {bytes} bytes");
    }
}

#[tokio::test]
async fn a_cut_after_the_request_loses_only_the_reply() {
    let Some((_server, proxy, observer)) = setup().await else { return };
    let injection = proxy.on(Match::creates().path("/a"), Action::CutAfterRequest);
    let client = connect(proxy.addr()).await;
    create(&client, "/other").await.unwrap();
    let (lost, fired) = tokio::join!(create(&client, "/a"), injection.wait_fired(SOON));
    assert_eq!(io_kind(&lost.unwrap_err()), ErrorKind::ConnectionReset);
    assert!(fired);
    assert!(observer.exists("/a").await.unwrap().is_some());
}

#[tokio::test]
async fn a_cut_after_the_reply_delivers_it_first() {
    let Some((_server, proxy, _observer)) = setup().await else { return };
    for round in 0..20 {
        let injection = proxy.on(Op::Create, Action::CutAfterReply);
        let client = connect(proxy.addr()).await;
        create(&client, &format!("/{round}")).await.unwrap();
        timeout(SOON, client.closed()).await.unwrap();
        assert!(injection.fired());
    }
}

#[tokio::test]
async fn a_swallowed_reply_leaves_the_connection_open() {
    let Some((_server, proxy, observer)) = setup().await else { return };
    let injection = proxy.on(Op::Create, Action::SwallowReply);
    let client = connect(proxy.addr()).await;
    assert!(timeout(SHORT, create(&client, "/a")).await.is_err());
    assert!(injection.wait_fired(SOON).await);
    assert!(observer.exists("/a").await.unwrap().is_some());
    assert!(client.exists("/a").await.unwrap().is_some(), "later replies arrive");
}

#[tokio::test]
async fn the_reply_to_a_connect_can_be_lost() {
    let Some((server, proxy, _observer)) = setup().await else { return };
    let before = sessions(&server).await;
    let injection = proxy.on(Op::Connect, Action::CutAfterRequest);
    assert!(Client::connect(proxy.addr(), SOON).await.is_err());
    assert!(injection.fired());
    assert_eq!(sessions(&server).await, before + 1, "the server has opened a session");
}

/// How many sessions the server holds.
async fn sessions(server: &Server) -> usize {
    // Not by the word `dump`, which misses a session for the moment in which it is moved to a later expiry.
    let mntr = server.four_letter_word("mntr").await.unwrap();
    let sessions = mntr.lines().find_map(|line| line.strip_prefix("zk_global_sessions\t"));
    sessions.and_then(|count| count.trim().parse().ok()).expect("it is counted")
}

#[tokio::test]
async fn rules_count_and_can_be_lifted() {
    let Some((_server, proxy, _observer)) = setup().await else { return };
    let client = connect(proxy.addr()).await;
    let second = proxy.on(Match::op(Op::Exists).skip(1), Action::SwallowReply);
    client.exists("/").await.unwrap();
    assert!(timeout(SHORT, client.exists("/")).await.is_err());
    assert!(second.fired());
    client.exists("/").await.unwrap();

    let lifted = proxy.on(Match::any().always(), Action::CutBeforeRequest);
    lifted.lift();
    proxy.on(Match::any().always(), Action::CutBeforeRequest);
    proxy.clear_rules();
    client.exists("/").await.unwrap();
    assert!(!lifted.wait_fired(Duration::ZERO).await);
}

#[tokio::test]
async fn events_are_dropped_until_the_rule_is_lifted() {
    let Some((_server, proxy, observer)) = setup().await else { return };
    let client = connect(proxy.addr()).await;
    client.watch("/", WatchMode::Recursive).await.unwrap();
    let dropping = proxy.drop_events();
    create(&observer, "/a").await.unwrap();
    create(&observer, "/b").await.unwrap();
    eventually("both are dropped", async || dropping.count() == 2).await;
    dropping.lift();
    create(&observer, "/c").await.unwrap();
    let event = client.next_event().await.unwrap();
    assert_eq!((event.kind, event.path.as_str()), (EventKind::Created, "/c"));
    assert_eq!(dropping.count(), 2);
}

#[tokio::test]
async fn dropping_the_proxy_closes_port_and_connections() {
    let Some((_server, proxy, _observer)) = setup().await else { return };
    let addr = proxy.addr();
    let client = connect(addr).await;
    drop(proxy);
    timeout(SOON, client.closed()).await.unwrap();
    eventually("the port is closed", async || TcpStream::connect(addr).await.is_err()).await;
}
