//! Thousands of registrations in one process.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::net::SocketAddr;
use std::time::Duration;

use common::*;
use discovery::Discovery;
use futures_util::future::join_all;
use instance::{Format, Instance, Plain};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use registry::{Registrar, Registration, RegistrationStatus};
use tokio::time::Instant;
use zk_core::ZnodePath;
use zk_testing::proxy::{Action, Match, Op, Seen};
use zk_testing::raw;

/// An audit interval for tests in which the audit repairs what the watch has missed.
const AUDIT: Duration = Duration::from_millis(500);

/// With a root of eleven bytes, a path of 72.
fn long_named(i: usize) -> Instance {
    Instance::new(format!("i{i:05}.{}.test:80", "a".repeat(45)).parse().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_thousand_instances_are_registered_updated_and_deregistered_once_each() {
    let Some((server, observer)) = with_server().await else { return };
    let service = service(&server.connect_string(), NO_AUDITS);
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
    all_updated(&observer, &registrations).await;
    let (data, _) = observer.get(registrations[4_321].path().as_str()).await.unwrap();
    let read = Plain.decode(registrations[4_321].path().name(), &data).unwrap();
    assert_eq!(read.instance.weight(), 7);
    assert!(registrations.iter().all(|registration| registration.status().is_registered()));
    // One watch serves all, if the server has recursive watches.
    let most = if test_zookeeper::has_recursive_watches() { 1 } else { registrations.len() };
    assert!(watches(&server).await as usize <= most, "{} watches", watches(&server).await);

    let ends = join_all(registrations.iter().map(|registration| registration.deregister(SOON))).await;
    assert!(ends.into_iter().all(|end| end.is_ok()));
    assert_eq!(observer.children(ROOT).await.unwrap().0, [""; 0]);
    assert!(service.zk.state().is_connected(), "the session did not end");
}

/// 216,000 bytes of watched paths: more than the client crate could set again on one reconnect.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reconnect_confirms_three_thousand_registrations_without_a_read_each() {
    let Some(()) = require_recursive_watches() else { return };
    let Some((server, proxy, service, observer)) = behind_proxy(NO_AUDITS).await else { return };
    let registrations = service.register_all((0..3_000).map(long_named));
    assert_eq!(registrations[0].path().as_str().len(), 72);
    all_registered(&registrations).await;
    changes_counted(&proxy, &registrations).await;
    let before = stats(&observer, &registrations).await;
    let (session, reconnects) = (service.session(), service.zk.state().reconnects);
    assert_eq!(watches(&server).await, 1);

    for cut in 1..=3 {
        proxy.clear();
        interrupt(&proxy, &registrations).await;
        all_registered(&registrations).await;
        assert_eq!((service.zk.state().reconnects, service.session()), (reconnects + cut, session));
        assert_eq!(requests(&proxy), [Op::Connect, Op::AddWatch, Op::Sync, Op::Exists]);
    }
    assert_eq!(stats(&observer, &registrations).await, before, "no znode has changed");
    assert_eq!(watches(&server).await, 1);

    // A registration that was confirmed without a read is watched all the same.
    proxy.clear();
    let (started, one) = (Instant::now(), registrations[1_234].path().as_str());
    observer.delete(one, None).await.unwrap();
    eventually("the znode is back", async || observer.exists(one).await.unwrap().is_some()).await;
    assert!(started.elapsed() < Duration::from_secs(1), "{:?}", started.elapsed());
    assert_eq!(writes(&proxy), [Op::Create2]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_most_256_creates_wait_for_their_replies_at_one_time() {
    let Some((_server, proxy, service, _observer)) = behind_proxy(NO_AUDITS).await else { return };
    let mut registrations = service.register_all([instance(0)]);
    all_registered(&registrations).await;
    let swallowed = proxy.on(Match::creates().always(), Action::SwallowReply);
    proxy.clear();
    registrations.extend(service.register_all((1..1_000).map(instance)));
    let sent = || proxy.requests().iter().filter(|seen| seen.op.is_create()).count();
    eventually("256 creates are sent", async || sent() >= 256).await;
    // Any more would follow at once.
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(sent(), 256);
    swallowed.lift();
    proxy.cut().await;
    all_registered(&registrations).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deleted_znode_is_pending_while_its_keeper_waits_for_a_permit() {
    let Some((_server, proxy, observer)) = with_proxy().await else { return };
    let config = zk_core::ZkConfig::new(&proxy.connect_string()).unwrap();
    let config = config.with_session_timeout(2 * SESSION).unwrap().with_operation_timeout(3 * SOON).unwrap();
    let zk = zk_core::Zk::start(config).unwrap();
    let service = Service { registrar: registrar(&zk, ROOT, NO_AUDITS), zk };
    let registrations = service.register_all((0..400).map(instance));
    all_registered(&registrations).await;
    let swallowed = proxy.on(Match::creates().always(), Action::SwallowReply);
    for registration in &registrations {
        observer.delete(registration.path().as_str(), None).await.unwrap();
    }
    none_registered(&registrations).await;
    swallowed.lift();
    proxy.cut().await;
    all_registered(&registrations).await;
}

#[tokio::test]
async fn audits_of_many_are_spread_over_time() {
    // Without a shared watch each znode has an audit of its own.
    let Some(()) = require_recursive_watches() else { return };
    let audit = Duration::from_millis(100);
    let Some((_server, proxy, service, _observer)) = behind_proxy(audit).await else { return };
    let registrations = service.register_all((0..400).map(instance));
    all_registered(&registrations).await;
    changes_counted(&proxy, &registrations).await;
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
async fn a_znode_deleted_while_the_link_is_down_is_created_again_after_one_read_each() {
    let Some(()) = require_recursive_watches() else { return };
    let Some((_server, proxy, service, observer)) = behind_proxy(NO_AUDITS).await else { return };
    let registrations = service.register_all((0..3_000).map(long_named));
    all_registered(&registrations).await;
    changes_counted(&proxy, &registrations).await;
    let before = stats(&observer, &registrations).await;

    proxy.refuse().await;
    observer.delete(registrations[1_234].path().as_str(), None).await.unwrap();
    // The number of children is as before.
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
async fn few_registrations_have_a_watch_each_and_many_share_one() {
    let Some(()) = require_recursive_watches() else { return };
    let Some((server, proxy, service, observer)) = behind_proxy(NO_AUDITS).await else { return };
    let few = service.register_all((0..Registrar::OWN_WATCHES).map(instance));
    all_registered(&few).await;
    assert!(!requests(&proxy).contains(&Op::AddWatch));
    assert_eq!(watches(&server).await, Registrar::OWN_WATCHES);

    let more = service.register_all((1_000..1_100).map(instance));
    all_registered(&more).await;
    assert_eq!(requests(&proxy).iter().filter(|op| **op == Op::AddWatch).count(), 1);
    assert_eq!(watches(&server).await, Registrar::OWN_WATCHES + 1);
    // A znode with a watch of its own is created again, and one under the shared watch: once each.
    proxy.clear();
    for registration in [&few[0], &more[0]] {
        delete_until_recreated(&observer, registration.path().as_str()).await;
    }
    all_registered(&few).await;
    interrupt(&proxy, &few).await;
    all_registered(&few).await;
    all_registered(&more).await;
    assert_eq!(watches(&server).await, 1);
    assert_eq!(writes(&proxy), [Op::Create2, Op::Create2]);

    // Few again: from the next connection on they have a watch each.
    join_all(more.iter().map(|registration| registration.deregister(SOON))).await;
    interrupt(&proxy, &few).await;
    all_registered(&few).await;
    let is_each_watched = async || watches(&server).await == Registrar::OWN_WATCHES;
    eventually("every znode has its own watch", is_each_watched).await;
}

#[tokio::test]
async fn registry_and_discovery_share_a_link_and_a_root() {
    let Some((_server, proxy, service, observer)) = behind_proxy(NO_AUDITS).await else { return };
    let config = || discovery::DiscoveryConfig::new(ZnodePath::parse(ROOT).unwrap());
    let before = Discovery::start(&service.zk, config());
    let registrations = service.register_all((0..300).map(instance));
    all_registered(&registrations).await;
    let after = Discovery::start(&service.zk, config());
    before.ready(300, SOON).await.unwrap();
    after.ready(300, SOON).await.unwrap();
    // Both receive an event, whichever set the watch first, and also after the other one has ended.
    let delete_one =
        async |i: usize| delete_until_recreated(&observer, registrations[i].path().as_str()).await;
    delete_one(1).await;
    drop(before);
    delete_one(2).await;
    interrupt(&proxy, &registrations).await;
    all_registered(&registrations).await;
    delete_one(3).await;
    let mut views = after.views();
    let is_whole = |view: &std::sync::Arc<discovery::View>| {
        view.is_live() && view.snapshot.as_ref().is_some_and(|snapshot| snapshot.len() == 300)
    };
    tokio::time::timeout(SOON, views.wait_for(is_whole)).await.unwrap().unwrap();

    // The registrar's watch ends with its last registration; that of discovery stays.
    let kept = registrar(&service.zk, ROOT, NO_AUDITS).register(instance(400)).unwrap();
    registered(&kept).await;
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

/// The audit of a single znode would come after 7.5 s at the earliest, as there are so many.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fault_24_the_audit_finds_a_missing_name_whose_watch_event_was_lost() {
    let Some((_server, proxy, service, observer)) = behind_proxy(AUDIT).await else { return };
    // The list comes in more than one part; without a shared watch each znode has an audit of its own.
    let count = if test_zookeeper::has_recursive_watches() { 6_000 } else { 600 };
    let registrations = service.register_all((0..count).map(instance));
    all_registered(&registrations).await;
    let dropped = proxy.drop_events();
    let (started, one) = (Instant::now(), registrations[123].path().as_str());
    observer.delete(one, None).await.unwrap();
    eventually("the znode is back", async || observer.exists(one).await.unwrap().is_some()).await;
    assert!(dropped.fired(), "an event was lost");
    assert!(started.elapsed() < Duration::from_secs(6), "{:?}", started.elapsed());
    all_registered(&registrations).await;
    assert_each_once(&observer, &service, &registrations).await;
}

#[tokio::test]
async fn fault_24_the_audit_finds_overwritten_data_whose_watch_event_was_lost() {
    let Some((_server, proxy, service, observer)) = behind_proxy(AUDIT).await else { return };
    let registrations = service.register_all((0..300).map(instance));
    all_registered(&registrations).await;
    let one = registrations[123].path().as_str();
    let ours = observer.get(one).await.unwrap().0;
    let dropped = proxy.drop_events();
    observer.set(one, b"theirs", None).await.unwrap();
    restored(&observer, one, &ours).await;
    assert!(dropped.fired(), "an event was lost");
}

/// Whether a request is about a registration. The link reads `/` now and then.
fn is_below_root(seen: &Seen) -> bool {
    seen.path.as_deref().is_some_and(|path| path.strip_prefix(ROOT).is_some_and(|rest| rest.starts_with('/')))
}

/// The shared watch reports the registrar's own writes, too: they must not be taken for another client's.
#[tokio::test]
async fn an_update_costs_a_write() {
    let Some(()) = require_recursive_watches() else { return };
    let Some((_server, proxy, service, observer)) = behind_proxy(NO_AUDITS).await else { return };
    let registrations = service.register_all((0..300).map(instance));
    all_registered(&registrations).await;
    changes_counted(&proxy, &registrations).await;
    proxy.clear();
    for (i, registration) in registrations.iter().enumerate() {
        registration.update(instance(i).with_weight(7)).unwrap();
    }
    all_updated(&observer, &registrations).await;
    // Any further request of a keeper would be sent before these.
    let connection = service.zk.connected().await.unwrap();
    for _ in 0..10 {
        connection.sync(&ZnodePath::root()).await.unwrap();
        tokio::task::yield_now().await;
    }
    let count = |op: Op| proxy.requests().iter().filter(|seen| seen.op == op && is_below_root(seen)).count();
    assert_eq!((count(Op::Exists), count(Op::GetData), count(Op::SetData)), (0, 0, 300));
    // A write of another client, right after one of ours, is noticed all the same.
    let one = registrations[7].path().as_str();
    let ours = observer.get(one).await.unwrap().0;
    observer.set(one, b"theirs", None).await.unwrap();
    restored(&observer, one, &ours).await;
}

#[tokio::test]
async fn data_overwritten_again_and_again_is_restored_more_and_more_slowly_under_a_shared_watch() {
    let Some((_server, proxy, service, observer)) = behind_proxy(NO_AUDITS).await else { return };
    let registrations = service.register_all((0..300).map(instance));
    all_registered(&registrations).await;
    let one = registrations[7].path().as_str();
    overwrite_again_and_again(&observer, &proxy, one, Duration::from_millis(25)).await;
}

/// Lost connections, expiries, deletions, overwritten data and updates in random order.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_faults_end_in_one_znode_and_a_true_status_for_each_registration() {
    let Some((server, proxy, service, observer)) = behind_proxy(NO_AUDITS).await else { return };
    // Some have a watch of their own at first, and some have not.
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
            // A deletion while the link is down.
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
    eventually("each registration has one znode and a true status", are_true).await;
}

/// Whether the znode has our record, and is the one in the status.
async fn is_true(observer: &raw::Client, registration: &Registration, weight: u32) -> bool {
    let Ok((data, stat)) = observer.get(registration.path().as_str()).await else { return false };
    let read = Plain.decode(registration.path().name(), &data).unwrap().instance;
    let is_in_status = matches!(registration.status(), RegistrationStatus::Registered { czxid, session }
        if czxid.0 == stat.czxid && session.0 == stat.ephemeral_owner);
    is_in_status && read.weight() == weight && read.owner().is_some()
}

/// ZooKeeper before 3.6 replies with `Unimplemented`, and closes the connection.
#[tokio::test]
async fn a_server_without_recursive_watches_serves_many_registrations() {
    use zk_embedded::faults::{Matching, Op};
    use zk_embedded::proto::ErrorCode;
    for refusal in [ErrorCode::Unimplemented, ErrorCode::BadArguments] {
        let server = zk_embedded::Server::builder().tick(Duration::from_millis(200)).start().await.unwrap();
        let refused = server.faults().fail(Matching::op(Op::AddWatch).always(), refusal).await.unwrap();
        serves_many_without_a_shared_watch(server.addr()).await;
        assert_eq!(refused.fired(), 1, "requested once in a session");
    }
}

async fn serves_many_without_a_shared_watch(server: SocketAddr) {
    let service = service(&server.to_string(), NO_AUDITS);
    let observer = raw::Client::connect(server, 2 * SESSION).await.unwrap();
    let registrations = service.register_all((0..400).map(instance));
    all_registered(&registrations).await;
    let one: &Registration = &registrations[321];
    observer.delete(one.path().as_str(), None).await.unwrap();
    let is_back = async || observer.exists(one.path().as_str()).await.unwrap().is_some();
    eventually("the znode is back", is_back).await;
    // Later registrations do not wait for a shared watch.
    let more = service.register_all((1_000..1_100).map(instance));
    all_registered(&more).await;
}
