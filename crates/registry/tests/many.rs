//! Thousands of registrations in one process.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::net::SocketAddr;
use std::time::Duration;

use discovery::Discovery;
use futures_util::future::join_all;
use instance::{Format, Instance, Plain};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use registry::{Registrar, Registration, Socket, Status};
use support::*;
use test_zookeeper::Server;
use tokio::time::Instant;
use zk_core::ZnodePath;
use zk_testing::proxy::{Action, Match, Op, Proxy, Seen};
use zk_testing::raw;

/// With a root of eleven bytes, a path of 72.
fn long_named(i: usize) -> Instance {
    Instance::new(format!("i{i:05}.{}.test:80", "a".repeat(45)).parse().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_thousand_are_registered_registered_again_updated_and_deregistered_each_once() {
    let Some(_) = test_zookeeper::require() else { return };
    let server = Server::start().await.unwrap();
    let service = service(&server.connect_string(), NEVER);
    let observer = observer(&server).await;
    let registrations = service.register_all((0..5_000).map(instance));
    all_registered(&registrations).await;
    assert_each_once(&observer, &service, &registrations).await;

    let first = service.session();
    expire(&server, &service).await;
    none_registered(&registrations).await;
    all_registered(&registrations).await;
    assert_ne!(service.session(), first);
    assert_each_once(&observer, &service, &registrations).await;

    for (i, registration) in registrations.iter().enumerate() {
        registration.update(instance(i).with_weight(7)).unwrap();
    }
    let is_updated =
        || async { stats(&observer, &registrations).await.iter().all(|stat| stat.unwrap().version == 1) };
    eventually("the updates, in place", is_updated).await;
    let (data, _) = observer.get(registrations[4_321].path().as_str()).await.unwrap();
    let read = Plain.decode(registrations[4_321].path().name(), &data).unwrap();
    assert_eq!(read.instance.weight(), 7);
    assert!(registrations.iter().all(|registration| registration.status().is_registered()));
    // One for all, where there is such a watch.
    let most = if test_zookeeper::has_recursive_watches() { 1 } else { registrations.len() };
    assert!(watches(&server).await as usize <= most, "{} watches", watches(&server).await);

    let ends = join_all(registrations.iter().map(|registration| registration.deregister(SOON))).await;
    assert!(ends.into_iter().all(|end| end.is_ok()));
    assert_eq!(observer.children(ROOT).await.unwrap().0, [""; 0]);
    assert!(service.zk.state().is_connected(), "by deletes, and not by the session's end");
}

/// 216,000 bytes of watched paths: more than the client crate could set again on one reconnect.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_thousand_watched_paths_survive_a_cut_without_a_look_each() {
    let Some(_) = require_recursive_watches() else { return };
    let server = Server::start().await.unwrap();
    let proxy = Proxy::start(server.addr()).await.unwrap();
    let service = service(&proxy.connect_string(), NEVER);
    let observer = observer(&server).await;
    let registrations = service.register_all((0..3_000).map(long_named));
    assert_eq!(registrations[0].path().as_str().len(), 72);
    all_registered(&registrations).await;
    settled(&proxy).await;
    let before = stats(&observer, &registrations).await;
    let session = service.session();
    assert_eq!(watches(&server).await, 1);

    for cut in 1..=3 {
        proxy.clear();
        cut_all_off(&proxy, &registrations).await;
        all_registered(&registrations).await;
        assert_eq!((service.zk.state().reconnects, service.session()), (cut, session));
        assert_eq!(requests(&proxy), [Op::Connect, Op::AddWatch, Op::Sync, Op::Exists]);
    }
    assert_eq!(stats(&observer, &registrations).await, before, "not one flapped");
    assert_eq!(watches(&server).await, 1);

    // Whoever was confirmed without a look is watched all the same.
    proxy.clear();
    let (started, one) = (Instant::now(), registrations[1_234].path().as_str());
    observer.delete(one, None).await.unwrap();
    eventually("the znode", || async { observer.exists(one).await.unwrap().is_some() }).await;
    assert!(started.elapsed() < Duration::from_secs(1), "{:?}", started.elapsed());
    assert_eq!(writes(&proxy), [Op::Create2]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn creates_are_sent_without_waiting_for_each_other_and_leave_room_for_others() {
    let Some(_) = test_zookeeper::require() else { return };
    let server = Server::start().await.unwrap();
    let proxy = Proxy::start(server.addr()).await.unwrap();
    let service = service(&proxy.connect_string(), NEVER);
    let mut registrations = service.register_all([instance(0)]);
    all_registered(&registrations).await;
    let unanswered = proxy.on(Match::creates().always(), Action::SwallowReply);
    proxy.clear();
    registrations.extend(service.register_all((1..1_000).map(instance)));
    let sent = || proxy.requests().iter().filter(|seen| seen.op.is_create()).count();
    eventually("256 at once", || async { sent() >= 256 }).await;
    // More would follow at once, if they did.
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(sent(), 256);
    unanswered.lift();
    proxy.cut().await;
    all_registered(&registrations).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_waits_for_a_turn_to_be_made_anew_is_not_called_registered() {
    let Some(_) = test_zookeeper::require() else { return };
    let server = Server::start().await.unwrap();
    let proxy = Proxy::start(server.addr()).await.unwrap();
    let config = zk_core::Config::new(&proxy.connect_string()).unwrap();
    let config = config.with_session_timeout(2 * SESSION).unwrap().with_operation_timeout(3 * SOON).unwrap();
    let zk = zk_core::Zk::start(config).unwrap();
    let service = Service { registrar: registrar(&zk, ROOT, NEVER), zk };
    let observer = observer(&server).await;
    let registrations = service.register_all((0..400).map(instance));
    all_registered(&registrations).await;
    let unanswered = proxy.on(Match::creates().always(), Action::SwallowReply);
    for registration in &registrations {
        observer.delete(registration.path().as_str(), None).await.unwrap();
    }
    none_registered(&registrations).await;
    unanswered.lift();
    proxy.cut().await;
    all_registered(&registrations).await;
}

#[tokio::test]
async fn audits_of_many_are_spread_over_time() {
    let Some(_) = test_zookeeper::require() else { return };
    // Without recursive watches there is no shared one, whose audit this is.
    if !test_zookeeper::has_recursive_watches() {
        return;
    }
    let server = Server::start().await.unwrap();
    let proxy = Proxy::start(server.addr()).await.unwrap();
    let service = service(&proxy.connect_string(), Duration::from_millis(100));
    let registrations = service.register_all((0..400).map(instance));
    all_registered(&registrations).await;
    settled(&proxy).await;
    proxy.clear();
    tokio::time::sleep(Duration::from_secs(3)).await;
    let seen = proxy.requests();
    let looks = seen.iter().filter(|s| s.op == Op::Exists && s.path.as_deref() != Some(ROOT)).count();
    // 200 a second, a quarter more or less.
    assert!((300..=900).contains(&looks), "{looks} looks in 3 s");
    let lists = requests(&proxy).iter().filter(|op| matches!(op, Op::GetChildren | Op::GetChildren2)).count();
    assert!(lists <= 1, "nothing has moved");
    assert!(seen.iter().filter(|s| s.op == Op::Exists && s.path.as_deref() == Some(ROOT)).count() >= 10);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_went_during_a_cut_is_back_after_one_look_each() {
    let Some(_) = require_recursive_watches() else { return };
    let server = Server::start().await.unwrap();
    let proxy = Proxy::start(server.addr()).await.unwrap();
    let service = service(&proxy.connect_string(), NEVER);
    let observer = observer(&server).await;
    let registrations = service.register_all((0..3_000).map(long_named));
    all_registered(&registrations).await;
    settled(&proxy).await;
    let before = stats(&observer, &registrations).await;

    proxy.refuse().await;
    observer.delete(registrations[1_234].path().as_str(), None).await.unwrap();
    // As many as before.
    observer.create(&format!("{ROOT}/10.0.0.1:80"), b"", raw::CreateMode::Persistent).await.unwrap();
    none_registered(&registrations).await;
    proxy.clear();
    proxy.pass().await.unwrap();
    all_registered(&registrations).await;
    let after = stats(&observer, &registrations).await;
    let changed = before.iter().zip(&after).filter(|(before, after)| before != after).count();
    assert_eq!(changed, 1);
    assert!(after[1_234].is_some());
    assert_eq!(writes(&proxy), [Op::Create2]);
    let is_read = |seen: &&Seen| matches!(seen.op, Op::Exists | Op::GetData) && is_below_root(seen);
    let reads = proxy.requests().iter().filter(is_read).count();
    assert!(reads <= 3_000, "{reads}");
    let others = requests(&proxy).iter().filter(|op| matches!(op, Op::Sync | Op::AddWatch)).count();
    assert_eq!(others, 2);
}

#[tokio::test]
async fn a_few_watch_their_own_znodes_and_many_share_one_watch() {
    let Some(_) = require_recursive_watches() else { return };
    let server = Server::start().await.unwrap();
    let proxy = Proxy::start(server.addr()).await.unwrap();
    let service = service(&proxy.connect_string(), NEVER);
    let observer = observer(&server).await;
    let few = service.register_all((0..Registrar::OWN_WATCHES).map(instance));
    all_registered(&few).await;
    assert!(!requests(&proxy).contains(&Op::AddWatch));
    assert_eq!(watches(&server).await, Registrar::OWN_WATCHES);

    let more = service.register_all((1_000..1_100).map(instance));
    all_registered(&more).await;
    assert_eq!(requests(&proxy).iter().filter(|op| **op == Op::AddWatch).count(), 1);
    assert_eq!(watches(&server).await, Registrar::OWN_WATCHES + 1);
    // They with a watch of their own and they without are both answered for, and with a watch once.
    proxy.clear();
    for registration in [&few[0], &more[0]] {
        let path = registration.path().as_str();
        let czxid = observer.exists(path).await.unwrap().unwrap().czxid;
        observer.delete(path, None).await.unwrap();
        let is_back = || async { observer.exists(path).await.unwrap().is_some_and(|s| s.czxid != czxid) };
        eventually("the znode", is_back).await;
    }
    all_registered(&few).await;
    cut_all_off(&proxy, &few).await;
    all_registered(&few).await;
    all_registered(&more).await;
    assert_eq!(watches(&server).await, 1);
    assert_eq!(writes(&proxy), [Op::Create2, Op::Create2]);

    // Few again: from the next connection on they have their own.
    join_all(more.iter().map(|registration| registration.deregister(SOON))).await;
    cut_all_off(&proxy, &few).await;
    all_registered(&few).await;
    eventually("own watches", || async { watches(&server).await == Registrar::OWN_WATCHES }).await;
}

#[tokio::test]
async fn registry_and_discovery_share_a_link_and_a_root() {
    let Some(_) = test_zookeeper::require() else { return };
    let server = Server::start().await.unwrap();
    let proxy = Proxy::start(server.addr()).await.unwrap();
    let service = service(&proxy.connect_string(), NEVER);
    let observer = observer(&server).await;
    let config = || discovery::Config::new(ZnodePath::parse(ROOT).unwrap());
    let before = Discovery::start(service.zk.clone(), config());
    let registrations = service.register_all((0..300).map(instance));
    all_registered(&registrations).await;
    let after = Discovery::start(service.zk.clone(), config());
    before.ready(300, SOON).await.unwrap();
    after.ready(300, SOON).await.unwrap();
    // Both hear of one event, whoever set the watch first, and when the other one has gone.
    let delete_one = async |i: usize| {
        let path = registrations[i].path().as_str();
        let czxid = observer.exists(path).await.unwrap().unwrap().czxid;
        observer.delete(path, None).await.unwrap();
        let is_back = || async { observer.exists(path).await.unwrap().is_some_and(|s| s.czxid != czxid) };
        eventually("the znode", is_back).await;
    };
    delete_one(1).await;
    drop(before);
    delete_one(2).await;
    cut_all_off(&proxy, &registrations).await;
    all_registered(&registrations).await;
    delete_one(3).await;
    let mut views = after.views();
    let is_whole = |view: &std::sync::Arc<discovery::View>| {
        view.is_live() && view.snapshot.as_ref().is_some_and(|snapshot| snapshot.len() == 300)
    };
    tokio::time::timeout(SOON, views.wait_for(is_whole)).await.unwrap().unwrap();

    // The registrar's watch goes with its last registration; discovery's stays.
    let kept = registrar(&service.zk, ROOT, NEVER).register(instance(400), Socket::Unvouched).unwrap();
    all_registered(std::slice::from_ref(&kept)).await;
    join_all(registrations.iter().map(|registration| registration.deregister(SOON))).await;
    drop((registrations, service.registrar));
    after.release_held();
    kept.deregister(SOON).await.unwrap();
    let is_empty = |view: &std::sync::Arc<discovery::View>| {
        after.release_held();
        view.snapshot.as_ref().is_some_and(|snapshot| snapshot.is_empty())
    };
    tokio::time::timeout(SOON, views.wait_for(is_empty)).await.unwrap().unwrap();
}

/// A single one is audited every 7.5 s at the earliest, for there are so many.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fault_24_the_list_tells_who_is_missing_where_the_watch_was_lost() {
    let Some(_) = test_zookeeper::require() else { return };
    let server = Server::start().await.unwrap();
    let proxy = Proxy::start(server.addr()).await.unwrap();
    let service = service(&proxy.connect_string(), Duration::from_millis(500));
    let observer = observer(&server).await;
    // More than one part of a list; without a shared watch each has an audit of its own.
    let count = if test_zookeeper::has_recursive_watches() { 6_000 } else { 600 };
    let registrations = service.register_all((0..count).map(instance));
    all_registered(&registrations).await;
    let dropped = proxy.drop_events();
    let (started, one) = (Instant::now(), registrations[123].path().as_str());
    observer.delete(one, None).await.unwrap();
    eventually("the audit", || async { observer.exists(one).await.unwrap().is_some() }).await;
    assert!(dropped.fired(), "there was an event, and it was lost");
    assert!(started.elapsed() < Duration::from_secs(6), "{:?}", started.elapsed());
    all_registered(&registrations).await;
    assert_each_once(&observer, &service, &registrations).await;
}

#[tokio::test]
async fn fault_24_data_written_over_is_found_by_the_audit_where_the_watch_was_lost() {
    let Some(_) = test_zookeeper::require() else { return };
    let server = Server::start().await.unwrap();
    let proxy = Proxy::start(server.addr()).await.unwrap();
    let service = service(&proxy.connect_string(), Duration::from_millis(500));
    let observer = observer(&server).await;
    let registrations = service.register_all((0..300).map(instance));
    all_registered(&registrations).await;
    let one = registrations[123].path().as_str();
    let ours = observer.get(one).await.unwrap().0;
    let dropped = proxy.drop_events();
    observer.set(one, b"theirs", None).await.unwrap();
    eventually("our data", || async { observer.get(one).await.unwrap().0 == ours }).await;
    assert!(dropped.fired(), "there was an event, and it was lost");
}

/// Whether it is about a registration. The link asks for a sign of life at `/`, sooner or later.
fn is_below_root(seen: &Seen) -> bool {
    seen.path.as_deref().is_some_and(|path| path.strip_prefix(ROOT).is_some_and(|rest| rest.starts_with('/')))
}

/// A registrar that hears of its own writes must not take them for another's.
#[tokio::test]
async fn an_update_costs_a_look_and_a_write() {
    let Some(_) = require_recursive_watches() else { return };
    let server = Server::start().await.unwrap();
    let proxy = Proxy::start(server.addr()).await.unwrap();
    let service = service(&proxy.connect_string(), NEVER);
    let observer = observer(&server).await;
    let registrations = service.register_all((0..300).map(instance));
    all_registered(&registrations).await;
    settled(&proxy).await;
    proxy.clear();
    for (i, registration) in registrations.iter().enumerate() {
        registration.update(instance(i).with_weight(7)).unwrap();
    }
    let is_updated =
        || async { stats(&observer, &registrations).await.iter().all(|stat| stat.unwrap().version == 1) };
    eventually("the updates", is_updated).await;
    // What would follow is there by the time of a round trip that was begun after it.
    let connection = service.zk.connected().await.unwrap();
    for _ in 0..10 {
        connection.sync(&ZnodePath::root()).await.unwrap();
        tokio::task::yield_now().await;
    }
    let count = |op: Op| proxy.requests().iter().filter(|seen| seen.op == op && is_below_root(seen)).count();
    assert_eq!((count(Op::Exists), count(Op::SetData)), (300, 300));
    // Another's write is noticed all the same, right after one of ours.
    let one = registrations[7].path().as_str();
    let ours = observer.get(one).await.unwrap().0;
    observer.set(one, b"theirs", None).await.unwrap();
    eventually("our data", || async { observer.get(one).await.unwrap().0 == ours }).await;
}

#[tokio::test]
async fn who_overwrites_again_and_again_is_answered_ever_more_slowly_with_a_shared_watch_too() {
    let Some(_) = test_zookeeper::require() else { return };
    let server = Server::start().await.unwrap();
    let proxy = Proxy::start(server.addr()).await.unwrap();
    let service = service(&proxy.connect_string(), NEVER);
    let registrations = service.register_all((0..300).map(instance));
    all_registered(&registrations).await;
    let observer = observer(&server).await;
    let one = registrations[7].path().as_str();
    let ours = observer.get(one).await.unwrap().0;
    let until = Instant::now() + Duration::from_secs(3);
    while Instant::now() < until {
        observer.set(one, b"theirs", None).await.unwrap();
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    let answers = writes(&proxy).into_iter().filter(|op| *op == Op::SetData).count();
    assert!((2..=40).contains(&answers), "{answers} in 3 s");
    eventually("our data", || async { observer.get(one).await.unwrap().0 == ours }).await;
}

/// Lost connections, expiries, deletions, overwriting and updates in random order, then nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_happened_it_ends_with_one_znode_each_and_a_true_status() {
    let Some(_) = test_zookeeper::require() else { return };
    let server = Server::start().await.unwrap();
    let proxy = Proxy::start(server.addr()).await.unwrap();
    let service = service(&proxy.connect_string(), NEVER);
    let observer = observer(&server).await;
    // Some have a watch of their own to begin with, and some have not.
    let mut registrations = service.register_all((0..200).map(instance));
    all_registered(&registrations).await;
    registrations.extend(service.register_all((200..500).map(instance)));
    let seed = rand::random();
    println!("seed {seed}");
    let mut rng = StdRng::seed_from_u64(seed);
    let mut weights = vec![100; registrations.len()];
    for _ in 0..40 {
        match rng.random_range(0..8) {
            0 => proxy.cut().await,
            // While nobody hears of it.
            1 => {
                proxy.refuse().await;
                let path = registrations[rng.random_range(0..500)].path().as_str();
                let _ = observer.delete(path, None).await;
                proxy.pass().await.unwrap();
            }
            2 if rng.random_bool(0.3) => expire(&server, &service).await,
            2..=4 => {
                let from = rng.random_range(0..450);
                join_all(registrations[from..from + 50].iter().map(async |registration| {
                    let _ = observer.delete(registration.path().as_str(), None).await;
                }))
                .await;
            }
            5 => {
                let path = registrations[rng.random_range(0..500)].path().as_str();
                let _ = observer.set(path, b"theirs", None).await;
            }
            _ => {
                let from = rng.random_range(0..450);
                for i in from..from + 50 {
                    weights[i] += 1;
                    registrations[i].update(instance(i).with_weight(weights[i])).unwrap();
                }
            }
        }
        tokio::time::sleep(Duration::from_millis(rng.random_range(0..60))).await;
    }
    let are_true = || async {
        let (names, _) = observer.children(ROOT).await.unwrap();
        let checks = registrations.iter().zip(&weights).map(|(r, weight)| is_true(&observer, r, *weight));
        names.len() == 500 && join_all(checks).await.into_iter().all(|is_true| is_true)
    };
    // Who overwrites is answered after up to a second.
    eventually("one true znode each", are_true).await;
}

/// Whether the znode holds our record, and is the one that the status tells of.
async fn is_true(observer: &raw::Client, registration: &Registration, weight: u32) -> bool {
    let Ok((data, stat)) = observer.get(registration.path().as_str()).await else { return false };
    let read = Plain.decode(registration.path().name(), &data).unwrap().instance;
    let is_told = matches!(registration.status(), Status::Registered { czxid, session }
        if czxid.0 == stat.czxid && session.0 == stat.ephemeral_owner);
    is_told && read.weight() == weight && read.owner().is_some()
}

/// ZooKeeper before 3.6 answers `Unimplemented`, and closes the connection.
#[tokio::test]
async fn a_server_that_knows_no_recursive_watch_serves_many_all_the_same() {
    use zk_embedded::faults::{Matching, Op};
    use zk_embedded::proto::ErrorCode;
    for refusal in [ErrorCode::Unimplemented, ErrorCode::BadArguments] {
        let server = zk_embedded::Server::builder().tick(Duration::from_millis(200)).start().await.unwrap();
        let refused = server.faults().fail(Matching::op(Op::AddWatch).always(), refusal).await.unwrap();
        serves_many_without_a_shared_watch(server.addr()).await;
        assert_eq!(refused.fired(), 1, "it is asked once in a session");
    }
}

async fn serves_many_without_a_shared_watch(server: SocketAddr) {
    let service = service(&server.to_string(), NEVER);
    let observer = raw::Client::connect(server, 2 * SESSION).await.unwrap();
    let registrations = service.register_all((0..400).map(instance));
    all_registered(&registrations).await;
    let one: &Registration = &registrations[321];
    observer.delete(one.path().as_str(), None).await.unwrap();
    let is_back = || async { observer.exists(one.path().as_str()).await.unwrap().is_some() };
    eventually("the znode", is_back).await;
    // Later ones do not wait for a watch that never comes.
    let more = service.register_all((1_000..1_100).map(instance));
    all_registered(&more).await;
}
