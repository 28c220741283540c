//! Views on a real server, behind a proxy where a test breaks connections; with both kinds of watches.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::time::Duration;

use common::{
    ROOT, SESSION, SOON, Watches, add, becomes_live, becomes_stale, eventually, node, observer,
    on_both_watches, operations, ports, ports_become, remove, revision, serve, serve_with_proxy, start,
    view_where, watch_is_replaced,
};
use discovery::{Change, Members, Records, View};
use test_zookeeper::Server;
use tokio::time::{Instant, sleep, timeout};
use zk_testing::expire_session;
use zk_testing::proxy::{Op, Proxy};
use zk_testing::raw::{self, CreateMode, MultiOp};

on_both_watches! {
    fault_25_a_missing_root_is_an_empty_set_and_is_followed_once_created,
    instances_that_come_while_the_first_list_is_read_are_in_the_view,
    a_removal_after_the_first_list_of_a_session_is_not_held,
    an_ensemble_that_lost_its_data_does_not_empty_a_small_set,
    without_zookeeper_a_view_is_not_synced_and_not_empty,
    fault_09_an_outage_keeps_the_set_and_the_view_has_its_age,
    fault_13_an_expired_session_of_the_reader_costs_only_a_list,
    a_take_over_is_never_a_gap,
    fault_29_invalid_children_are_skipped_and_counted,
    fault_29_an_endpoint_in_several_spellings_is_one_instance_until_the_last_goes,
    a_mass_disappearance_is_held_and_then_believed,
    an_operator_releases_held_instances_and_single_removals_are_immediate,
    read_only_rights_are_enough,
    missing_rights_are_reported_and_their_repair_is_noticed,
    an_audit_finds_a_change_without_an_event,
    views_converge_while_instances_come_and_go_and_connections_break,
}

async fn fault_25_a_missing_root_is_an_empty_set_and_is_followed_once_created(watches: Watches) {
    let Some(_) = test_zookeeper::require() else { return };
    let server = Server::start().await.unwrap();
    let proxy = Proxy::start(server.addr()).await.unwrap();
    let (_zk, discovery) = start(watches, &proxy.connect_string(), |config| config);
    assert_eq!(discovery.view().members(), Members::NotSynced);
    let view = becomes_live(&discovery).await;
    assert_eq!(view.members(), Members::Empty);
    let not_ready = discovery.ready(1, Duration::from_millis(50)).await.unwrap_err();
    assert!(not_ready.to_string().contains("0 instances"), "{not_ready}");

    let observer = observer(&server).await;
    proxy.clear();
    observer.create_all(ROOT).await.unwrap();
    add(&observer, [1]).await;
    assert_eq!(discovery.ready(1, SOON).await.unwrap().len(), 1);
    let expected: &[Op] = match watches.supported() {
        Watches::Recursive => &[],
        // One list for the new root, one for its child.
        Watches::OneShot => &[Op::GetChildren2, Op::GetChildren2],
    };
    let operations = operations(&proxy);
    assert!(operations.iter().all(|op| expected.contains(op)), "{operations:?}");
    assert!(operations.len() <= expected.len(), "events, and no polling: {operations:?}");
}

async fn instances_that_come_while_the_first_list_is_read_are_in_the_view(watches: Watches) {
    let Some(_) = test_zookeeper::require() else { return };
    let server = Server::start().await.unwrap();
    let proxy = Proxy::start(server.addr()).await.unwrap();
    // Slow enough for events to be queued before the list arrives, even if their writer is slow.
    proxy.delay(Duration::from_millis(300)).await.unwrap();
    let observer = observer(&server).await;
    observer.create_all(ROOT).await.unwrap();
    let (zk, discovery) = start(watches, &proxy.connect_string(), |config| config);
    zk.connected().await.unwrap();
    let mut port = 0;
    while !discovery.view().is_live() {
        port += 1;
        add(&observer, [port]).await;
        sleep(Duration::from_millis(3)).await;
    }
    // With one-shot watches there is only one round trip in which events can be queued.
    assert!(port > 3, "there was no race: {port}");
    assert!(discovery.view().snapshot.is_some(), "a live view has a snapshot");
    ports_become(&discovery, &(1..=port).collect::<Vec<_>>()).await;
}

async fn a_removal_after_the_first_list_of_a_session_is_not_held(watches: Watches) {
    let Some(_) = test_zookeeper::require() else { return };
    let (server, proxy, observer) = serve_with_proxy([1]).await;
    let (zk, discovery) =
        start(watches, &proxy.connect_string(), |config| config.with_hold(Duration::from_secs(600)).unwrap());
    ports_become(&discovery, &[1]).await;
    expire_session(server.addr(), zk.state().session.unwrap().id.0).await.unwrap();
    let mut states = zk.states();
    timeout(SOON, states.wait_for(|state| state.epoch == 2)).await.unwrap();
    ports_become(&discovery, &[1]).await;
    // After an outage the same session lists again: not for the first time.
    proxy.refuse().await;
    becomes_stale(&discovery).await;
    remove(&observer, [1]).await;
    proxy.pass().await.unwrap();
    ports_become(&discovery, &[]).await;
}

async fn an_ensemble_that_lost_its_data_does_not_empty_a_small_set(watches: Watches) {
    let Some(_) = test_zookeeper::require() else { return };
    let mut server = Server::start().await.unwrap();
    let before = observer(&server).await;
    before.create_all(ROOT).await.unwrap();
    // Too few for a mass disappearance in an ordinary session.
    add(&before, [1, 2]).await;
    let (zk, discovery) = start(watches, &server.connect_string(), |config| {
        config.with_hold(Duration::from_secs(600)).unwrap()
    });
    ports_become(&discovery, &[1, 2]).await;
    server.kill().await;
    server.wipe().unwrap();
    server.start_again().await.unwrap();
    let view = view_where(&discovery, "held", |view| view.held == 2).await;
    assert_eq!(ports(&view).unwrap(), [1, 2]);
    assert_eq!(zk.state().epoch, 2);
    let after = observer(&server).await;
    after.create_all(ROOT).await.unwrap();
    add(&after, [1, 2]).await;
    let view = view_where(&discovery, "back", |view| view.held == 0).await;
    assert_eq!(ports(&view).unwrap(), [1, 2]);
}

async fn without_zookeeper_a_view_is_not_synced_and_not_empty(watches: Watches) {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (zk, discovery) = start(watches, &free.to_string(), |config| config);
    let mut states = zk.states();
    timeout(SOON, states.wait_for(|state| state.trouble.is_some())).await.unwrap();
    assert_eq!(discovery.view().members(), Members::NotSynced);
    let not_ready = discovery.ready(0, Duration::from_millis(50)).await.unwrap_err();
    assert!(not_ready.to_string().contains("no reply"), "{not_ready}");
}

async fn fault_09_an_outage_keeps_the_set_and_the_view_has_its_age(watches: Watches) {
    let Some(_) = test_zookeeper::require() else { return };
    let mut server = Server::start().await.unwrap();
    let observer_before = observer(&server).await;
    observer_before.create_all(ROOT).await.unwrap();
    observer_before.create(&node(1), b"", CreateMode::Persistent).await.unwrap();
    let (_zk, discovery) = start(watches, &server.connect_string(), |config| config);
    ports_become(&discovery, &[1]).await;
    observer_before.create(&node(2), b"", CreateMode::Persistent).await.unwrap();
    let before = ports_become(&discovery, &[1, 2]).await;
    assert_eq!(before.age(), Duration::ZERO);
    assert_eq!(before.snapshot.as_ref().unwrap().revision(), 2);

    server.kill().await;
    let stale = becomes_stale(&discovery).await;
    assert_eq!(stale.snapshot, before.snapshot);
    sleep(2 * SESSION).await;
    let later = discovery.view();
    assert_eq!(later.snapshot, before.snapshot);
    assert!(later.age() >= 2 * SESSION);
    let known = discovery.ready(2, Duration::ZERO).await.unwrap();
    assert_eq!(Some(known), before.snapshot, "a stale set is ready");
    server.start_again().await.unwrap();
    let after = becomes_live(&discovery).await;
    assert_eq!(after.snapshot, before.snapshot);
}

async fn fault_13_an_expired_session_of_the_reader_costs_only_a_list(watches: Watches) {
    let Some(_) = test_zookeeper::require() else { return };
    let (server, observer) = serve([1, 2]).await;
    let (zk, discovery) = start(watches, &server.connect_string(), |config| config);
    ports_become(&discovery, &[1, 2]).await;
    let mut changes = discovery.changes();
    assert!(matches!(changes.next().await, Some(Change::Reset(snapshot)) if snapshot.len() == 2));

    expire_session(server.addr(), zk.state().session.unwrap().id.0).await.unwrap();
    add(&observer, [3]).await;
    let started = Instant::now();
    let change = timeout(SOON, changes.next()).await.unwrap();
    assert!(matches!(&change, Some(Change::Added(i)) if i.endpoint().port() == 3), "{change:?}");
    assert!(started.elapsed() < Duration::from_secs(2));
    assert_eq!(zk.state().epoch, 2);
    ports_become(&discovery, &[1, 2, 3]).await;
    add(&observer, [4]).await;
    let change = timeout(SOON, changes.next()).await.unwrap();
    assert!(matches!(&change, Some(Change::Added(i)) if i.endpoint().port() == 4), "{change:?}");
    // A reader that falls behind gets the whole set instead of a gap.
    for port in [5, 6] {
        add(&observer, [port]).await;
        ports_become(&discovery, &(1..=port).collect::<Vec<_>>()).await;
    }
    let change = timeout(SOON, changes.next()).await.unwrap();
    assert!(matches!(&change, Some(Change::Reset(all)) if all.len() == 6), "{change:?}");
}

async fn a_take_over_is_never_a_gap(watches: Watches) {
    let Some(_) = test_zookeeper::require() else { return };
    let (server, observer) = serve([1, 2]).await;
    let (_zk, discovery) = start(watches, &server.connect_string(), |config| {
        // On a busy machine some time may pass between the two events.
        config.with_settle(Duration::from_secs(1)).unwrap()
    });
    let before = ports_become(&discovery, &[1, 2]).await;
    for _ in 0..200 {
        let swap = [MultiOp::delete(node(1), None), MultiOp::create(node(1), b"", CreateMode::Ephemeral)];
        observer.multi(&swap).await.unwrap();
    }
    add(&observer, [3]).await;
    let after = ports_become(&discovery, &[1, 2, 3]).await;
    assert_eq!(revision(&after), revision(&before) + 1, "200 take-overs changed no view");
}

async fn fault_29_invalid_children_are_skipped_and_counted(watches: Watches) {
    let Some(_) = test_zookeeper::require() else { return };
    let (server, observer) = serve([]).await;
    let invalid = [
        "vector_0000000001",
        "127.0.0.1",
        "127.0.0.1:0",
        "127.0.0.1:080",
        "127.0.0.01:80",
        "a b:80",
        "::1:80",
        "[::1%lo]:80",
        // A caller of these would reach itself.
        "0.0.0.0:80",
        "[::]:80",
        "[::ffff:0.0.0.0]:80",
    ];
    for name in invalid {
        observer.create(&format!("{ROOT}/{name}"), &[0xff; 100], CreateMode::Persistent).await.unwrap();
    }
    add(&observer, [1]).await;
    observer.create(&format!("{ROOT}/[::1]:2"), b"{]", CreateMode::Persistent).await.unwrap();
    observer
        .create(&format!("{ROOT}/host.example:3"), &vec![b'x'; 900_000], CreateMode::Persistent)
        .await
        .unwrap();
    let (_zk, discovery) = start(watches, &server.connect_string(), |config| config);
    let view = becomes_live(&discovery).await;
    let names: Vec<_> = view.snapshot.as_ref().unwrap().endpoints().map(ToString::to_string).collect();
    assert_eq!(names, ["127.0.0.1:1", "[::1]:2", "host.example:3"]);
    assert_eq!(view.skipped, invalid.len());
    observer.create(&format!("{ROOT}/junk"), b"", CreateMode::Ephemeral).await.unwrap();
    view_where(&discovery, "one more skipped", |view| view.skipped == invalid.len() + 1).await;
}

async fn fault_29_an_endpoint_in_several_spellings_is_one_instance_until_the_last_goes(watches: Watches) {
    let Some(_) = test_zookeeper::require() else { return };
    let (server, observer) = serve([]).await;
    let create = |name: &'static str, weight: u32| {
        let (observer, data) = (&observer, format!(r#"{{"Weight":{weight}}}"#));
        async move {
            observer.create(&format!("{ROOT}/{name}"), data.as_bytes(), CreateMode::Persistent).await.unwrap()
        }
    };
    create("Host-A.example:1", 1).await;
    create("host-a.example:1", 2).await;
    create("[0:0:0:0:0:0:0:1]:2", 3).await;
    create("127.0.0.1:3", 4).await;
    create("[::ffff:127.0.0.1]:3", 5).await;
    let (_zk, discovery) =
        start(watches, &server.connect_string(), |config| config.with_records(Records::Read));
    let is = |view: &View, expected: &[(&str, u32)]| {
        let Some(snapshot) = &view.snapshot else { return false };
        let shown: Vec<_> =
            snapshot.instances().map(|one| (one.endpoint().to_string(), one.weight())).collect();
        shown.iter().map(|(name, weight)| (name.as_str(), *weight)).eq(expected.iter().copied())
    };
    let all = [("127.0.0.1:3", 5), ("[::1]:2", 3), ("host-a.example:1", 2)];
    let view = view_where(&discovery, "one of each, from its youngest znode", |view| is(view, &all)).await;
    assert_eq!(view.skipped, 0);

    observer.delete(&format!("{ROOT}/host-a.example:1"), None).await.unwrap();
    let older = [("127.0.0.1:3", 5), ("[::1]:2", 3), ("host-a.example:1", 1)];
    view_where(&discovery, "the older record", |view| is(view, &older)).await;
    observer.delete(&format!("{ROOT}/127.0.0.1:3"), None).await.unwrap();
    observer.delete(&format!("{ROOT}/Host-A.example:1"), None).await.unwrap();
    view_where(&discovery, "one gone", |view| is(view, &[("127.0.0.1:3", 5), ("[::1]:2", 3)])).await;
    observer.delete(&format!("{ROOT}/[::ffff:127.0.0.1]:3"), None).await.unwrap();
    view_where(&discovery, "two gone", |view| is(view, &[("[::1]:2", 3)])).await;
}

async fn a_mass_disappearance_is_held_and_then_believed(watches: Watches) {
    let Some(_) = test_zookeeper::require() else { return };
    let (server, observer) = serve([]).await;
    let doomed = common::observer(&server).await;
    add(&observer, [1, 2]).await;
    add(&doomed, 3..=10).await;
    let hold = Duration::from_millis(1500);
    let (_zk, discovery) = start(watches, &server.connect_string(), |config| config.with_hold(hold).unwrap());
    ports_become(&discovery, &(1..=10).collect::<Vec<_>>()).await;

    let started = Instant::now();
    doomed.close().await.unwrap();
    // On a busy machine the deletions arrive in pieces, of which the first are removed, but at least half of the set
    // stays.
    let held = view_where(&discovery, "held", |view| view.held > 0).await;
    let shown = ports(&held).unwrap();
    assert!(shown.len() >= 5, "{shown:?}");
    let gone: Vec<u16> = shown.into_iter().filter(|port| *port > 2).collect();
    // A refused connection removes a held instance at once, and no listed one.
    let refusing = *gone.last().unwrap();
    for port in [1, refusing] {
        discovery.report_refused(&format!("127.0.0.1:{port}").parse().unwrap());
    }
    let after = view_where(&discovery, "the refusing instance gone", |view| {
        !ports(view).unwrap().contains(&refusing)
    })
    .await;
    assert!(ports(&after).unwrap().contains(&1));
    let back = gone[0];
    add(&observer, [back]).await;
    ports_become(&discovery, &[1, 2, back]).await;
    assert!(started.elapsed() >= hold, "{:?}", started.elapsed());
}

async fn an_operator_releases_held_instances_and_single_removals_are_immediate(watches: Watches) {
    let Some(_) = test_zookeeper::require() else { return };
    let (server, observer) = serve(1..=6).await;
    let (_zk, discovery) = start(watches, &server.connect_string(), |config| {
        config.with_hold(Duration::from_secs(600)).unwrap()
    });
    ports_become(&discovery, &[1, 2, 3, 4, 5, 6]).await;
    remove(&observer, [6]).await;
    ports_become(&discovery, &[1, 2, 3, 4, 5]).await;
    remove(&observer, 1..=5).await;
    let view = view_where(&discovery, "held", |view| view.held > 0).await;
    assert!(!view.snapshot.as_ref().unwrap().is_empty());
    // The removals arrive one by one, and a release concerns those that are held by then.
    eventually("all are released", async || {
        discovery.release_held();
        ports(&discovery.view()).unwrap().is_empty()
    })
    .await;
    ports_become(&discovery, &[]).await;
}

async fn read_only_rights_are_enough(watches: Watches) {
    let Some(_) = test_zookeeper::require() else { return };
    let (server, observer) = serve([]).await;
    observer.set_acl(ROOT, &[raw::Acl::read_only()]).await.unwrap();
    let (_zk, discovery) = start(watches, &server.connect_string(), |config| config);
    let view = becomes_live(&discovery).await;
    assert_eq!(view.members(), Members::Empty);
}

async fn missing_rights_are_reported_and_their_repair_is_noticed(watches: Watches) {
    let Some(_) = test_zookeeper::require() else { return };
    let (server, observer) = serve([1]).await;
    let admin = raw::Acl::new(raw::permission::ADMIN, "world", "anyone");
    observer.set_acl(ROOT, &[admin]).await.unwrap();
    let (_zk, discovery) = start(watches, &server.connect_string(), |config| config);
    let view = view_where(&discovery, "trouble", |view| view.trouble.is_some()).await;
    assert_eq!(view.members(), Members::NotSynced);
    assert!(view.trouble.as_ref().unwrap().contains("denied"), "{view:?}");
    observer.set_acl(ROOT, &[raw::Acl::open()]).await.unwrap();
    assert_eq!(ports_become(&discovery, &[1]).await.trouble, None);
}

async fn an_audit_finds_a_change_without_an_event(watches: Watches) {
    let Some(_) = test_zookeeper::require() else { return };
    let (_server, proxy, observer) = serve_with_proxy([1]).await;
    let (_zk, discovery) = start(watches, &proxy.connect_string(), |config| {
        config.with_audit_interval(Duration::from_millis(300)).unwrap()
    });
    ports_become(&discovery, &[1]).await;
    let dropped = proxy.drop_events();
    proxy.clear();
    add(&observer, [2]).await;
    ports_become(&discovery, &[1, 2]).await;
    assert!(dropped.fired(), "the event was lost");
    watch_is_replaced(&proxy).await;
}

/// I2 and I8: whatever the link does meanwhile, the last view is correct.
async fn views_converge_while_instances_come_and_go_and_connections_break(watches: Watches) {
    let Some(_) = test_zookeeper::require() else { return };
    let (_server, proxy, observer) = serve_with_proxy([]).await;
    let (zk, discovery) =
        start(watches, &proxy.connect_string(), |config| config.with_hold(Duration::ZERO).unwrap());
    becomes_live(&discovery).await;
    let mut present = std::collections::BTreeSet::new();
    for step in 0..600u32 {
        let port = 1 + (step.wrapping_mul(2_654_435_761) >> 20) as u16 % 40;
        if present.remove(&port) {
            remove(&observer, [port]).await;
        } else {
            add(&observer, [port]).await;
            present.insert(port);
        }
        if step % 40 == 20 {
            proxy.cut().await;
        }
        // Some changes meet a link that has been up for a while.
        if step % 80 == 60 {
            becomes_live(&discovery).await;
        }
    }
    ports_become(&discovery, &present.iter().copied().collect::<Vec<_>>()).await;
    assert!(zk.state().reconnects >= 4, "{:?}", zk.state());
    assert_eq!(zk.state().epoch, 1);
}
