//! Registrations on a real Apache ZooKeeper, with a proxy in between where the network is to blame.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::net::SocketAddr;
use std::time::Duration;

use instance::{Format, Instance, Plain};
use registry::{Config, RegisterError, Registrar, Registration, Socket, Status};
use test_zookeeper::Server;
use tokio::time::{Instant, sleep, timeout};
use zk_core::{Phase, Zk, ZnodePath};
use zk_testing::proxy::{Action, Match, Op, Proxy};
use zk_testing::{SESSION, SOON, eventually, expire_session, raw};

const ROOT: &str = "/go_servers";
const BOUND: &str = "127.0.0.1:8897";
const NODE: &str = "/go_servers/127.0.0.1:8897";

struct Service {
    zk: Zk,
    registrar: Registrar,
}

fn service(hosts: &str) -> Service {
    // Audits are out of the way, but where a test asks for them.
    service_with(hosts, Duration::from_secs(3600))
}

fn service_with(hosts: &str, audit: Duration) -> Service {
    let config = zk_core::Config::new(hosts).unwrap().with_session_timeout(SESSION).unwrap();
    let zk = Zk::start(config).unwrap();
    let root = ZnodePath::parse(ROOT).unwrap();
    let registrar = Registrar::new(zk.clone(), Config::new(root).with_audit_interval(audit).unwrap());
    Service { zk, registrar }
}

fn instance() -> Instance {
    Instance::new(BOUND.parse().unwrap())
}

fn held() -> Socket {
    Socket::Bound(BOUND.parse::<SocketAddr>().unwrap())
}

impl Service {
    fn register(&self) -> Registration {
        self.registrar.register(instance(), Socket::Unvouched).unwrap()
    }

    fn session(&self) -> i64 {
        self.zk.state().session.unwrap().id.0
    }
}

async fn registered(registration: &Registration) {
    let done = timeout(SOON, registration.registered()).await;
    done.unwrap_or_else(|_| panic!("it is {:?}", registration.status())).unwrap();
}

async fn status_where(registration: &Registration, wanted: impl FnMut(&Status) -> bool) -> Status {
    let mut statuses = registration.statuses();
    let found = timeout(SOON, statuses.wait_for(wanted)).await;
    found.unwrap_or_else(|_| panic!("it is {:?}", registration.status())).unwrap().clone()
}

async fn observer(server: &Server) -> raw::Client {
    raw::Client::connect(server.addr(), Duration::from_secs(4)).await.unwrap()
}

fn writes(proxy: &Proxy) -> Vec<Op> {
    let is_write = |op: &Op| op.is_create() || matches!(op, Op::Delete | Op::SetData | Op::Multi);
    proxy.requests().into_iter().map(|request| request.op).filter(is_write).collect()
}

/// Exactly one znode, of the session in use, with the data of our instance.
async fn assert_in_place(observer: &raw::Client, service: &Service) -> raw::Stat {
    let (names, _) = observer.children(ROOT).await.unwrap();
    assert_eq!(names, ["127.0.0.1:8897"]);
    let (data, stat) = observer.get(NODE).await.unwrap();
    assert_eq!(stat.ephemeral_owner, service.session());
    let read = Plain.decode("127.0.0.1:8897", &data).unwrap();
    assert_eq!(read.remarks, []);
    let incarnation = read.instance.owner().unwrap().incarnation();
    assert_eq!(incarnation, service.registrar.owner().incarnation());
    stat
}

/// Whether a test can run whose observer sets a recursive watch: on a server that knows them.
fn require_recursive_watches() -> Option<()> {
    if test_zookeeper::has_recursive_watches() { test_zookeeper::require() } else { None }
}

#[tokio::test]
async fn a_reconnect_in_the_same_session_writes_nothing() {
    let Some(_) = test_zookeeper::require() else { return };
    let server = Server::start().await.unwrap();
    let proxy = Proxy::start(server.addr()).await.unwrap();
    let service = service(&proxy.connect_string());
    let registration = service.register();
    registered(&registration).await;
    let observer = observer(&server).await;
    let before = assert_in_place(&observer, &service).await;

    proxy.clear();
    proxy.cut().await;
    status_where(&registration, |status| *status == Status::Unconfirmed).await;
    registered(&registration).await;
    assert_eq!(service.zk.state().reconnects, 1);
    assert_eq!(assert_in_place(&observer, &service).await, before);
    assert_eq!(writes(&proxy), []);
    // D7: the server may lag behind what we have seen, until it is told to catch up.
    let looks = proxy.requests().into_iter().map(|request| request.op).filter(|op| *op != Op::Ping);
    assert_eq!(looks.collect::<Vec<_>>(), [Op::Connect, Op::Sync, Op::Exists]);
}

#[tokio::test]
async fn fault_12_an_expired_session_is_followed_by_a_new_registration() {
    let Some(_) = test_zookeeper::require() else { return };
    let server = Server::start().await.unwrap();
    let service = service(&server.connect_string());
    let registration = service.register();
    registered(&registration).await;
    let observer = observer(&server).await;
    let before = assert_in_place(&observer, &service).await;
    let heavier = instance().with_weight(7).with_tag("zone", "a");
    registration.update(heavier.clone()).unwrap();
    eventually("the update", || async { observer.get(NODE).await.unwrap().1.version == 1 }).await;
    assert_eq!(assert_in_place(&observer, &service).await.czxid, before.czxid, "written in place");

    expire_session(server.addr(), service.session()).await.unwrap();
    let started = Instant::now();
    status_where(&registration, |status| !status.is_registered()).await;
    registered(&registration).await;
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
    let after = assert_in_place(&observer, &service).await;
    assert_ne!(after.czxid, before.czxid);
    let (data, _) = observer.get(NODE).await.unwrap();
    let read = Plain.decode("127.0.0.1:8897", &data).unwrap().instance;
    assert_eq!((read.weight(), read.tag("zone")), (7, Some("a")), "the update survives");
}

#[tokio::test]
async fn fault_18_a_create_cut_at_any_byte_ends_in_one_znode() {
    let Some(_) = test_zookeeper::require() else { return };
    let server = Server::start().await.unwrap();
    let observer = observer(&server).await;
    observer.create_all(ROOT).await.unwrap();
    for bytes in [0, 1, 4, 8, 20, 100] {
        let proxy = Proxy::start(server.addr()).await.unwrap();
        let cut = proxy.on(Match::creates().path(NODE), Action::CutMidRequest(bytes));
        let service = service(&proxy.connect_string());
        let registration = service.register();
        assert!(cut.wait_fired(SOON).await, "the create was cut after {bytes} bytes");
        registered(&registration).await;
        assert_in_place(&observer, &service).await;
        registration.deregister(SOON).await.unwrap();
        assert!(observer.exists(NODE).await.unwrap().is_none());
    }
}

#[tokio::test]
async fn fault_19_a_create_whose_reply_is_lost_is_found_to_be_ours() {
    let Some(_) = test_zookeeper::require() else { return };
    let server = Server::start().await.unwrap();
    let observer = observer(&server).await;
    observer.create_all(ROOT).await.unwrap();
    let proxy = Proxy::start(server.addr()).await.unwrap();
    let lost = proxy.on(Match::creates().path(NODE), Action::CutAfterRequest);
    let service = service(&proxy.connect_string());
    let registration = service.register();
    registered(&registration).await;
    assert!(lost.fired());
    assert_in_place(&observer, &service).await;
    let creates =
        proxy.requests().into_iter().filter(|r| r.op.is_create() && r.path.as_deref() == Some(NODE));
    assert_eq!(creates.count(), 1, "not created twice");
}

#[tokio::test]
async fn fault_21_a_delete_whose_reply_is_lost_stays_deleted() {
    let Some(_) = test_zookeeper::require() else { return };
    let server = Server::start().await.unwrap();
    let proxy = Proxy::start(server.addr()).await.unwrap();
    let service = service(&proxy.connect_string());
    let registration = service.register();
    registered(&registration).await;
    let lost = proxy.on(Match::op(Op::Delete), Action::CutAfterRequest);
    let started = Instant::now();
    registration.deregister(SOON).await.unwrap();
    assert!(lost.fired());
    assert!(started.elapsed() < Duration::from_secs(5));

    // What brings a registration back, if anything does: another connection, another session.
    let observer = observer(&server).await;
    proxy.clear();
    proxy.cut().await;
    let mut states = service.zk.states();
    timeout(SOON, states.wait_for(|state| state.reconnects == 2 && state.is_connected())).await.unwrap();
    expire_session(server.addr(), service.session()).await.unwrap();
    timeout(SOON, states.wait_for(|state| state.epoch == 2)).await.unwrap();
    service.zk.connected().await.unwrap().sync(&ZnodePath::root()).await.unwrap();
    assert!(observer.exists(NODE).await.unwrap().is_none());
    assert_eq!(writes(&proxy), []);
    assert_eq!(registration.status(), Status::Deregistered);
    assert!(matches!(registration.registered().await, Err(RegisterError::Deregistered(_))));
    assert!(matches!(registration.update(instance()), Err(RegisterError::Deregistered(_))));
}

#[tokio::test]
async fn fault_24_a_znode_deleted_by_hand_is_back_at_once() {
    let Some(_) = test_zookeeper::require() else { return };
    let server = Server::start().await.unwrap();
    let service = service(&server.connect_string());
    let registration = service.register();
    let observer = observer(&server).await;
    for _ in 0..5 {
        registered(&registration).await;
        let before = assert_in_place(&observer, &service).await;
        let started = Instant::now();
        observer.delete(NODE, None).await.unwrap();
        eventually("a new znode", || async {
            observer.exists(NODE).await.unwrap().is_some_and(|stat| stat.czxid != before.czxid)
        })
        .await;
        assert!(started.elapsed() < Duration::from_secs(1), "{:?}", started.elapsed());
    }
}

#[tokio::test]
async fn fault_24_the_audit_brings_it_back_where_the_watch_was_lost() {
    let Some(_) = test_zookeeper::require() else { return };
    let server = Server::start().await.unwrap();
    let proxy = Proxy::start(server.addr()).await.unwrap();
    let service = service_with(&proxy.connect_string(), Duration::from_millis(400));
    let registration = service.register();
    registered(&registration).await;
    let observer = observer(&server).await;
    let dropped = proxy.drop_events();
    observer.delete(NODE, None).await.unwrap();
    eventually("the audit", || async { observer.exists(NODE).await.unwrap().is_some() }).await;
    assert!(dropped.fired(), "there was an event, and it was lost");
    registered(&registration).await;
    assert_in_place(&observer, &service).await;
}

#[tokio::test]
async fn fault_24_what_is_gone_is_not_called_registered_while_it_is_made_anew() {
    let Some(_) = test_zookeeper::require() else { return };
    let server = Server::start().await.unwrap();
    let proxy = Proxy::start(server.addr()).await.unwrap();
    let config = zk_core::Config::new(&proxy.connect_string()).unwrap();
    let zk = Zk::start(config.with_operation_timeout(3 * SOON).unwrap()).unwrap();
    let config = Config::new(ZnodePath::parse(ROOT).unwrap());
    let config = config.with_audit_interval(Duration::from_millis(400)).unwrap();
    let registration = Registrar::new(zk, config).register(instance(), Socket::Unvouched).unwrap();
    registered(&registration).await;
    proxy.drop_events();
    proxy.on(Match::creates(), Action::SwallowReply);
    observer(&server).await.delete(NODE, None).await.unwrap();
    status_where(&registration, |status| *status == Status::Pending { trouble: None }).await;
}

#[tokio::test]
async fn fault_25_the_root_is_made_where_it_is_missing_and_made_again() {
    let Some(_) = test_zookeeper::require() else { return };
    let server = Server::start().await.unwrap();
    let observer = observer(&server).await;
    let service = service(&format!("{}/chroot/of/ours", server.connect_string()));
    let registration = service.register();
    registered(&registration).await;
    let node = format!("/chroot/of/ours{NODE}");
    let before = observer.exists(&node).await.unwrap().unwrap();
    observer.delete_recursive("/chroot").await.unwrap();
    eventually("everything is back", || async {
        observer.exists(&node).await.unwrap().is_some_and(|stat| stat.czxid != before.czxid)
    })
    .await;
}

#[tokio::test]
async fn fault_26_a_rival_is_left_alone_until_it_goes() {
    let Some(_) = test_zookeeper::require() else { return };
    let server = Server::start().await.unwrap();
    let service = service(&server.connect_string());
    let rival = observer(&server).await;
    rival.create_all(ROOT).await.unwrap();
    rival.create(NODE, b"theirs", raw::CreateMode::Ephemeral).await.unwrap();
    let theirs = rival.get(NODE).await.unwrap();

    let registration = service.registrar.register(instance(), held()).unwrap();
    let status = status_where(&registration, |status| matches!(status, Status::Conflict(_))).await;
    let Status::Conflict(holder) = status else { unreachable!() };
    assert_eq!(holder.session.map(|session| session.0), Some(rival.session_id()));
    // Changes of a rival's data are no invitation either.
    rival.set(NODE, b"still theirs", None).await.unwrap();
    service.zk.connected().await.unwrap().sync(&ZnodePath::root()).await.unwrap();
    sleep(SESSION).await;
    let now = rival.get(NODE).await.unwrap();
    assert_eq!((now.1.czxid, now.1.ephemeral_owner), (theirs.1.czxid, theirs.1.ephemeral_owner));

    let started = Instant::now();
    rival.delete(NODE, None).await.unwrap();
    registered(&registration).await;
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
    assert_in_place(&rival, &service).await;
}

/// Nobody hears of the rival's end here, and it is not asked for more often than there is reason to.
#[tokio::test]
async fn fault_26_a_rival_is_looked_for_now_and_then_where_the_watch_was_lost() {
    let Some(_) = test_zookeeper::require() else { return };
    let server = Server::start().await.unwrap();
    let rival = observer(&server).await;
    rival.create_all(ROOT).await.unwrap();
    rival.create(NODE, b"theirs", raw::CreateMode::Ephemeral).await.unwrap();
    let proxy = Proxy::start(server.addr()).await.unwrap();
    let service = service_with(&proxy.connect_string(), Duration::from_secs(1));
    let registration = service.register();
    status_where(&registration, |status| matches!(status, Status::Conflict(_))).await;
    proxy.clear();
    sleep(Duration::from_secs(3)).await;
    let looks = proxy.requests().into_iter().filter(|seen| seen.op == Op::Exists).count();
    assert!((1..=7).contains(&looks), "{looks} looks in 3 s");
    assert_eq!(writes(&proxy), []);
    let dropped = proxy.drop_events();
    rival.delete(NODE, None).await.unwrap();
    registered(&registration).await;
    assert!(dropped.fired(), "there was an event, and it was lost");
    assert_in_place(&rival, &service).await;
}

#[tokio::test]
async fn fault_26_two_servers_of_one_name_do_not_fight() {
    let Some(_) = require_recursive_watches() else { return };
    let server = Server::start().await.unwrap();
    let observer = observer(&server).await;
    let (first, second) = (service(&server.connect_string()), service(&server.connect_string()));
    let one = first.registrar.register(instance(), held()).unwrap();
    registered(&one).await;
    observer.watch(ROOT, raw::WatchMode::Recursive).await.unwrap();
    // Both say that they hold the socket; one of them is wrong. The second has never held the name.
    let two = second.registrar.register(instance(), held()).unwrap();
    registered(&two).await;
    status_where(&one, |status| matches!(status, Status::Conflict(_))).await;
    sleep(2 * SESSION).await;
    assert_in_place(&observer, &second).await;
    let mut events = Vec::new();
    while let Ok(event) = timeout(Duration::from_millis(50), observer.next_event()).await {
        events.push(event.unwrap().kind);
    }
    assert_eq!(events, [raw::EventKind::Deleted, raw::EventKind::Created], "one change of owner");
    // The loser takes the name back when it falls free.
    two.deregister(SOON).await.unwrap();
    registered(&one).await;
    assert_in_place(&observer, &first).await;
}

#[tokio::test]
async fn fault_26_who_gives_up_before_it_held_the_name_leaves_its_successor_alone() {
    let Some(_) = test_zookeeper::require() else { return };
    let server = Server::start().await.unwrap();
    let observer = observer(&server).await;
    observer.create_all(ROOT).await.unwrap();
    let proxy = Proxy::start(server.addr()).await.unwrap();
    let cut = proxy.on(Match::creates().path(NODE), Action::CutBeforeRequest);
    let first = service(&proxy.connect_string());
    let given_up = first.registrar.register(instance(), held()).unwrap();
    assert!(cut.wait_fired(SOON).await);
    proxy.refuse().await;
    given_up.deregister(Duration::from_millis(100)).await.unwrap_err();
    // The socket is another's now, on the same host, who says so truthfully.
    let second = service(&server.connect_string());
    let registration = second.registrar.register(instance(), held()).unwrap();
    registered(&registration).await;
    let before = assert_in_place(&observer, &second).await;
    proxy.pass().await.unwrap();
    status_where(&given_up, |status| *status == Status::Deregistered).await;
    assert_eq!(assert_in_place(&observer, &second).await, before);
}

/// As far as versions can tell: the documented window is that of two znodes that were never written again.
#[tokio::test]
async fn fault_26_a_rival_that_comes_between_the_look_and_the_delete_is_left_alone() {
    let Some(_) = test_zookeeper::require() else { return };
    let server = Server::start().await.unwrap();
    let proxy = Proxy::start(server.addr()).await.unwrap();
    let service = service(&proxy.connect_string());
    let registration = service.register();
    registered(&registration).await;
    let rival = observer(&server).await;
    registration.update(instance().with_weight(7)).unwrap();
    eventually("the update", || async { rival.get(NODE).await.unwrap().1.version == 1 }).await;
    // Which is followed by a look of its own.
    let last = |op: Op| proxy.requests().iter().rposition(|seen| seen.op == op);
    eventually("the look after it", || async { last(Op::Exists) > last(Op::SetData) }).await;
    service.zk.connected().await.unwrap().sync(&ZnodePath::root()).await.unwrap();
    proxy.delay(Duration::from_millis(250)).await.unwrap();
    proxy.clear();
    let (ended, theirs) = tokio::join!(registration.deregister(SOON), async {
        eventually("the look", || async { proxy.requests().iter().any(|seen| seen.op == Op::Exists) }).await;
        // Its answer and the delete are half a second away.
        rival.exists(NODE).await.unwrap().expect("the look has found ours");
        rival.delete(NODE, None).await.unwrap();
        rival.create(NODE, b"theirs", raw::CreateMode::Ephemeral).await.unwrap();
        rival.get(NODE).await.unwrap()
    });
    ended.unwrap();
    assert_eq!(writes(&proxy), [Op::Delete], "it was on its way");
    assert_eq!(rival.get(NODE).await.unwrap(), theirs);
}

#[tokio::test]
async fn a_link_that_is_closed_ends_its_registrations_with_the_truth() {
    let Some(_) = test_zookeeper::require() else { return };
    let mut server = Server::start().await.unwrap();
    let observer = observer(&server).await;
    let first = service(&server.connect_string());
    let registration = first.register();
    registered(&registration).await;
    first.zk.close(SOON).await.unwrap();
    status_where(&registration, |status| *status == Status::Deregistered).await;
    assert!(observer.exists(NODE).await.unwrap().is_none());

    let second = service(&server.connect_string());
    let registration = second.register();
    registered(&registration).await;
    server.kill().await;
    second.zk.close(Duration::from_millis(100)).await.unwrap_err();
    status_where(&registration, |status| *status == Status::Abandoned).await;
    registration.deregister(SOON).await.unwrap_err();
    assert!(matches!(registration.update(instance()), Err(RegisterError::Deregistered(_))));
}

#[tokio::test]
async fn another_instances_record_written_over_ours_is_mended() {
    let Some(_) = test_zookeeper::require() else { return };
    let server = Server::start().await.unwrap();
    let observer = observer(&server).await;
    let service = service(&server.connect_string());
    let registration = service.register();
    registered(&registration).await;
    let ours = observer.get(NODE).await.unwrap().0;
    let theirs = String::from_utf8(ours.clone()).unwrap();
    let at = theirs.find("owner.incarnation").unwrap() + "owner.incarnation\":\"".len();
    let theirs = format!("{}{}{}", &theirs[..at], "0".repeat(32), &theirs[at + 32..]);
    observer.set(NODE, theirs.as_bytes(), None).await.unwrap();
    eventually("our record", || async { observer.get(NODE).await.unwrap().0 == ours }).await;
    registered(&registration).await;
    assert_in_place(&observer, &service).await;
}

#[tokio::test]
async fn a_persistent_znode_is_a_conflict_and_is_never_touched() {
    let Some(_) = test_zookeeper::require() else { return };
    let server = Server::start().await.unwrap();
    let service = service(&server.connect_string());
    let observer = observer(&server).await;
    observer.create_all(NODE).await.unwrap();
    let registration = service.registrar.register(instance(), held()).unwrap();
    let status = status_where(&registration, |status| matches!(status, Status::Conflict(_))).await;
    let Status::Conflict(holder) = status else { unreachable!() };
    assert_eq!(holder.session, None);
    assert!(holder.to_string().contains("by hand"));
    registration.deregister(SOON).await.unwrap();
    assert!(observer.exists(NODE).await.unwrap().is_some());
}

/// The seed's fix, EPHEMERAL alone, fails this: the old session's end takes the znode with it.
#[tokio::test]
async fn fault_23_a_dead_predecessor_is_taken_over_without_a_gap() {
    let Some(_) = require_recursive_watches() else { return };
    let server = Server::start().await.unwrap();
    let proxy = Proxy::start(server.addr()).await.unwrap();
    let observer = observer(&server).await;
    let dead = service(&proxy.connect_string());
    let before = dead.registrar.register(instance(), held()).unwrap();
    registered(&before).await;
    proxy.hang().await.unwrap();
    let old_session = dead.session();

    observer.watch(ROOT, raw::WatchMode::Recursive).await.unwrap();
    let seen = Proxy::start(server.addr()).await.unwrap();
    let service = service(&seen.connect_string());
    let started = Instant::now();
    let registration = service.registrar.register(instance(), held()).unwrap();
    registered(&registration).await;
    assert!(started.elapsed() < Duration::from_secs(1), "{:?}", started.elapsed());
    // On an old server it is two requests, sent together.
    if !test_zookeeper::is_old() {
        assert_eq!(
            writes(&seen),
            [Op::Create2, Op::Multi],
            "in one transaction, once the name is known to stand"
        );
    }
    let taken = assert_in_place(&observer, &service).await;
    assert_ne!(taken.ephemeral_owner, old_session);
    // Past the end of the old session.
    sleep(SESSION + Duration::from_secs(1)).await;
    assert_eq!(assert_in_place(&observer, &service).await, taken);
    for kind in [raw::EventKind::Deleted, raw::EventKind::Created] {
        assert_eq!(observer.next_event().await.unwrap().kind, kind);
    }
    assert!(timeout(Duration::from_millis(50), observer.next_event()).await.is_err(), "and nothing else");
}

#[tokio::test]
async fn a_predecessor_is_waited_for_where_nobody_vouches_for_the_socket() {
    let Some(_) = test_zookeeper::require() else { return };
    let server = Server::start().await.unwrap();
    let proxy = Proxy::start(server.addr()).await.unwrap();
    let observer = observer(&server).await;
    let dead = service(&proxy.connect_string());
    let before = dead.registrar.register(instance(), held()).unwrap();
    registered(&before).await;
    let theirs = observer.exists(NODE).await.unwrap();
    proxy.hang().await.unwrap();
    let service = service(&server.connect_string());
    let registration = service.register();
    status_where(&registration, |status| matches!(status, Status::Conflict(_))).await;
    assert_eq!(observer.exists(NODE).await.unwrap(), theirs);
    registered(&registration).await;
    assert_in_place(&observer, &service).await;
}

#[tokio::test]
async fn what_is_overwritten_by_hand_is_written_again() {
    let Some(_) = test_zookeeper::require() else { return };
    let server = Server::start().await.unwrap();
    let service = service(&server.connect_string());
    let registration = service.register();
    registered(&registration).await;
    let observer = observer(&server).await;
    let ours = observer.get(NODE).await.unwrap().0;
    observer.set(NODE, b"vandalised", None).await.unwrap();
    eventually("our data", || async { observer.get(NODE).await.unwrap().0 == ours }).await;
}

#[tokio::test]
async fn who_overwrites_again_and_again_is_answered_ever_more_slowly() {
    let Some(_) = test_zookeeper::require() else { return };
    let server = Server::start().await.unwrap();
    let proxy = Proxy::start(server.addr()).await.unwrap();
    let service = service(&proxy.connect_string());
    let registration = service.register();
    registered(&registration).await;
    let observer = observer(&server).await;
    let ours = observer.get(NODE).await.unwrap().0;
    let until = Instant::now() + Duration::from_secs(3);
    while Instant::now() < until {
        observer.set(NODE, b"vandalised", None).await.unwrap();
        sleep(Duration::from_millis(5)).await;
    }
    let answers = writes(&proxy).into_iter().filter(|op| *op == Op::SetData).count();
    assert!((2..=40).contains(&answers), "{answers} in 3 s");
    eventually("our data", || async { observer.get(NODE).await.unwrap().0 == ours }).await;
}

#[tokio::test]
async fn a_conflict_is_not_told_of_while_nobody_can_know_of_it() {
    let Some(_) = test_zookeeper::require() else { return };
    let server = Server::start().await.unwrap();
    let proxy = Proxy::start(server.addr()).await.unwrap();
    let service = service(&proxy.connect_string());
    let rival = observer(&server).await;
    rival.create_all(ROOT).await.unwrap();
    rival.create(NODE, b"theirs", raw::CreateMode::Ephemeral).await.unwrap();
    let registration = service.register();
    status_where(&registration, |status| matches!(status, Status::Conflict(_))).await;
    proxy.refuse().await;
    status_where(&registration, |status| *status == Status::Pending { trouble: None }).await;
    proxy.pass().await.unwrap();
    status_where(&registration, |status| matches!(status, Status::Conflict(_))).await;
}

#[tokio::test]
async fn one_registrar_has_one_registration_of_a_name() {
    let Some(_) = test_zookeeper::require() else { return };
    let server = Server::start().await.unwrap();
    let service = service(&server.connect_string());
    let registration = service.register();
    let again = service.registrar.register(instance(), Socket::Unvouched);
    assert!(matches!(again, Err(RegisterError::Duplicate(_))));
    let elsewhere = Instance::new("127.0.0.1:1".parse().unwrap());
    assert!(matches!(registration.update(elsewhere), Err(RegisterError::OtherName { .. })));
    registered(&registration).await;
    registration.deregister(SOON).await.unwrap();
    registered(&service.register()).await;
}

#[tokio::test]
async fn a_dropped_registration_is_deregistered() {
    let Some(_) = test_zookeeper::require() else { return };
    let server = Server::start().await.unwrap();
    let service = service(&server.connect_string());
    let registration = service.register();
    registered(&registration).await;
    let observer = observer(&server).await;
    drop(registration);
    eventually("the znode is gone", || async { observer.exists(NODE).await.unwrap().is_none() }).await;
    assert!(service.zk.state().is_connected(), "by a delete, and not by the session's end");
}

#[tokio::test]
async fn deregistering_does_not_wait_for_a_zookeeper_that_never_came() {
    // Nobody listens there.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let service = service(&free.to_string());
    let registration = service.register();
    let mut states = service.zk.states();
    timeout(SOON, states.wait_for(|state| state.trouble.is_some())).await.unwrap();
    assert_eq!(registration.status(), Status::Pending { trouble: None });
    timeout(Duration::from_secs(1), registration.deregister(SOON)).await.expect("at once").unwrap();
}

#[tokio::test]
async fn deregistering_says_when_nobody_confirms_it() {
    let Some(_) = test_zookeeper::require() else { return };
    let mut server = Server::start().await.unwrap();
    let service = service(&server.connect_string());
    let registration = service.register();
    registered(&registration).await;
    server.kill().await;
    let error = registration.deregister(Duration::from_millis(200)).await.unwrap_err();
    assert_eq!(error.path.as_str(), NODE);
    let mut states = service.zk.states();
    timeout(SOON, states.wait_for(|state| state.phase == Phase::Suspended)).await.unwrap();
    // It is still wanted, and done when it can be.
    server.start_again().await.unwrap();
    status_where(&registration, |status| *status == Status::Deregistered).await;
    assert!(observer(&server).await.exists(NODE).await.unwrap().is_none());
}
