//! Views with full records, with both kinds of watches.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::collections::BTreeMap;
use std::time::Duration;

use common::{
    ROOT, SOON, Watches, add, audits, becomes_live, becomes_stale, create_many, eventually, node,
    on_both_watches, operations, ports, ports_become, remove, serve, serve_with_proxy, start, view_where,
    watch_is_replaced, weights, weights_become,
};
use discovery::{Change, Changes, Discovery, DiscoveryConfig, Records, View};
use instance::{Format, Incarnation, Instance, Owner, Plain};
use registry::Registrar;
use test_zookeeper::Server;
use tokio::time::timeout;
use zk_core::Zk;
use zk_testing::proxy::{Action, Match, Op, Seen};
use zk_testing::raw::{self, CreateMode, MultiOp};

on_both_watches! {
    every_update_of_a_registered_record_is_seen,
    two_thousand_records_are_read_in_few_requests,
    a_znode_deleted_before_it_is_read_is_not_unreadable,
    records_that_changed_during_an_outage_are_read_after_it,
    records_that_may_not_be_read_remove_no_instance,
    invalid_records_remove_no_instance,
    without_records_nothing_is_read,
    an_instance_whose_read_always_fails_is_shown,
    an_audit_finds_a_write_without_an_event,
    a_take_over_is_an_update_and_no_gap,
    draining_instances_that_go_in_one_transaction_are_not_held,
    a_held_instance_keeps_its_record_and_is_read_when_it_returns,
    records_converge_while_instances_come_and_go_and_connections_break,
}

fn records(config: DiscoveryConfig) -> DiscoveryConfig {
    config.with_records(Records::Read)
}

/// A record as a process with this incarnation writes it.
fn record(port: u16, weight: u32, incarnation: u128) -> Vec<u8> {
    let owner = Owner::new(Incarnation::from_u128(incarnation));
    let endpoint = format!("127.0.0.1:{port}").parse().unwrap();
    Plain.encode(&Instance::new(endpoint).with_weight(weight).with_owner(owner)).unwrap().data
}

async fn register(observer: &raw::Client, port: u16, weight: u32, incarnation: u128) {
    let data = record(port, weight, incarnation);
    observer.create(&node(port), &data, CreateMode::Ephemeral).await.unwrap();
}

/// The changes of a view after the present one.
async fn changes_from_now(discovery: &Discovery) -> Changes {
    let mut changes = discovery.changes();
    assert!(matches!(changes.next().await, Some(Change::Reset(_))));
    changes
}

/// The next change, which is an update.
async fn update(changes: &mut Changes) -> (u16, u32, u32) {
    match timeout(SOON, changes.next()).await.unwrap() {
        Some(Change::Updated { old, new }) => (new.endpoint().port(), old.weight(), new.weight()),
        other => panic!("expected an update: {other:?}"),
    }
}

async fn draining_instances_that_go_in_one_transaction_are_not_held(watches: Watches) {
    let Some(_) = test_zookeeper::require() else { return };
    let (server, observer) = serve([]).await;
    for port in 1..=10 {
        register(&observer, port, 7, port.into()).await;
    }
    let (_zk, discovery) = start(watches, &server.connect_string(), |config| {
        records(config).with_hold(Duration::from_secs(600)).unwrap()
    });
    ports_become(&discovery, &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]).await;
    for port in 1..=8 {
        let leaving = Instance::new(format!("127.0.0.1:{port}").parse().unwrap()).with_draining(true);
        observer.set(&node(port), &Plain.encode(&leaving).unwrap().data, None).await.unwrap();
    }
    view_where(&discovery, "eight are draining", |view| {
        view.snapshot.iter().flat_map(|set| set.instances()).filter(|one| one.is_draining()).count() == 8
    })
    .await;
    // Not told: without a write before each deletion.
    let eight: Vec<_> = (1..=8).map(|port| MultiOp::delete(node(port), None)).collect();
    observer.multi(&eight).await.unwrap();
    let view = ports_become(&discovery, &[9, 10]).await;
    assert_eq!(view.held, 0);
}

async fn every_update_of_a_registered_record_is_seen(watches: Watches) {
    let Some(_) = test_zookeeper::require() else { return };
    let server = Server::start().await.unwrap();
    let (_zk, discovery) = start(watches, &server.connect_string(), records);
    let link = Zk::start(zk_core::ZkConfig::new(&server.connect_string()).unwrap()).unwrap();
    let registrar = Registrar::new(&link, registry::RegistrarConfig::new(ROOT.parse().unwrap()));
    let instance = Instance::new("127.0.0.1:7".parse().unwrap()).with_weight(7).with_tag("zone", "a");
    let registration = registrar.register(instance.clone()).unwrap();

    let view = view_where(&discovery, "the record", |view| weights(view) == [(7, 7)].into()).await;
    let found = view.snapshot.as_ref().unwrap().instances().next().unwrap().clone();
    assert_eq!(found.tag("zone"), Some("a"));
    assert_eq!(found.owner(), Some(registrar.owner()), "with its incarnation");
    let mut changes = changes_from_now(&discovery).await;
    for weight in 8..20 {
        registration.update(instance.clone().with_weight(weight)).unwrap();
        assert_eq!(update(&mut changes).await, (7, weight - 1, weight));
    }
}

async fn two_thousand_records_are_read_in_few_requests(watches: Watches) {
    const COUNT: u16 = 2_000;
    let Some(_) = test_zookeeper::require() else { return };
    let (_server, proxy, observer) = serve_with_proxy([]).await;
    create_many(&observer, (1..=COUNT).map(|port| (node(port), record(port, port.into(), 1)))).await;
    let (_zk, discovery) = start(watches, &proxy.connect_string(), records);
    let first = discovery.ready(0, SOON).await.unwrap();
    assert_eq!(first.len(), usize::from(COUNT), "the first set is complete");
    weights_become(&discovery, (1..=COUNT).map(|port| (port, port.into()))).await;
    let mut counts = BTreeMap::new();
    for op in operations(&proxy) {
        *counts.entry(format!("{op:?}")).or_insert(0) += 1;
    }
    match watches.supported() {
        Watches::Recursive => {
            let reads = counts["MultiRead"];
            assert!((8..=12).contains(&reads), "{counts:?}");
            assert!(!counts.contains_key("GetData"), "{counts:?}");
        }
        Watches::OneShot => {
            assert!(counts["GetData"] >= i32::from(COUNT), "{counts:?}");
            assert!(!counts.contains_key("MultiRead"), "{counts:?}");
        }
    }

    // One write causes one read.
    proxy.clear();
    observer.set(&node(5), &record(5, 70_000, 1), None).await.unwrap();
    view_where(&discovery, "the new weight", |view| weights(view)[&5] == 70_000).await;
    let after = operations(&proxy);
    let reads = after.iter().filter(|op| matches!(op, Op::MultiRead | Op::GetData)).count();
    assert_eq!(reads, 1, "{after:?}");
}

async fn a_znode_deleted_before_it_is_read_is_not_unreadable(watches: Watches) {
    let Some(_) = test_zookeeper::require() else { return };
    let (_server, proxy, observer) = serve_with_proxy([]).await;
    let (_zk, discovery) = start(watches, &proxy.connect_string(), records);
    ports_become(&discovery, &[]).await;
    proxy.clear();
    // Each znode is deleted before its event has led to a read.
    proxy.delay(Duration::from_millis(30)).await.unwrap();
    for port in 1..=5 {
        register(&observer, port, 7, 1).await;
        tokio::time::sleep(Duration::from_millis(25)).await;
        remove(&observer, [port]).await;
    }
    register(&observer, 9, 9, 1).await;
    weights_become(&discovery, [(9, 9)]).await;
    assert_eq!(discovery.view().unreadable, 0);
    let operations = operations(&proxy);
    assert!(operations.iter().any(|op| matches!(op, Op::MultiRead | Op::GetData)), "{operations:?}");
}

async fn records_that_changed_during_an_outage_are_read_after_it(watches: Watches) {
    let Some(_) = test_zookeeper::require() else { return };
    let (_server, proxy, observer) = serve_with_proxy([]).await;
    for port in 1..=4 {
        register(&observer, port, 10, 1).await;
    }
    let (_zk, discovery) = start(watches, &proxy.connect_string(), records);
    weights_become(&discovery, [(1, 10), (2, 10), (3, 10), (4, 10)]).await;
    let mut changes = changes_from_now(&discovery).await;

    proxy.refuse().await;
    becomes_stale(&discovery).await;
    observer.set(&node(1), &record(1, 11, 1), None).await.unwrap();
    // Another process under the name, and the version is what it was.
    remove(&observer, [2]).await;
    register(&observer, 2, 10, 2).await;
    // The same process in a new session is no change.
    remove(&observer, [3]).await;
    register(&observer, 3, 10, 1).await;
    proxy.clear();
    proxy.pass().await.unwrap();
    let mut updated = Vec::new();
    while updated.len() < 2 {
        match timeout(SOON, changes.next()).await.unwrap() {
            Some(Change::Updated { old, new }) => {
                let incarnation = |instance: &Instance| instance.owner().unwrap().incarnation().as_u128();
                updated.push((new.endpoint().port(), new.weight(), incarnation(&old), incarnation(&new)));
            }
            other => panic!("expected an update: {other:?}"),
        }
    }
    updated.sort_unstable();
    assert_eq!(updated, [(1, 11, 1, 1), (2, 10, 1, 2)]);
    assert_eq!(ports(&discovery.view()).unwrap(), [1, 2, 3, 4]);
    // A write from now on is seen.
    observer.set(&node(4), &record(4, 14, 1), None).await.unwrap();
    assert_eq!(update(&mut changes).await, (4, 10, 14));
}

async fn records_that_may_not_be_read_remove_no_instance(watches: Watches) {
    let Some(_) = test_zookeeper::require() else { return };
    let (server, observer) = serve([]).await;
    let closed = raw::Acl::new(
        raw::permission::ADMIN | raw::permission::WRITE | raw::permission::DELETE,
        "world",
        "anyone",
    );
    let data = record(1, 7, 1);
    observer
        .create_with_acl(&node(1), &data, CreateMode::Ephemeral, std::slice::from_ref(&closed))
        .await
        .unwrap();
    register(&observer, 2, 7, 1).await;
    // Servers with the fix of CVE-2024-23944 send no event of a znode that we may not read, and use up a one-shot
    // watch nevertheless: the audit finds the change.
    let audited = |config| records(config).with_audit_interval(Duration::from_millis(300)).unwrap();
    let (_zk, discovery) = start(watches, &server.connect_string(), audited);
    weights_become(&discovery, [(1, instance::DEFAULT_WEIGHT), (2, 7)]).await;
    view_where(&discovery, "one unreadable", |view| view.unreadable == 1).await;

    // The known record of a name is forgotten when its znode is deleted and created again.
    let swap =
        [MultiOp::delete(node(2), None), MultiOp::create(node(2), data.clone(), CreateMode::Persistent)];
    observer.multi(&swap).await.unwrap();
    observer.set_acl(&node(2), &[closed]).await.unwrap();
    observer.set(&node(2), b"", None).await.unwrap();
    view_where(&discovery, "both unreadable", |view| view.unreadable == 2).await;

    for port in [1, 2] {
        observer.set_acl(&node(port), &[raw::Acl::open()]).await.unwrap();
        observer.set(&node(port), &record(port, 9, 1), None).await.unwrap();
    }
    weights_become(&discovery, [(1, 9), (2, 9)]).await;
    view_where(&discovery, "none unreadable", |view| view.unreadable == 0).await;
}

async fn invalid_records_remove_no_instance(watches: Watches) {
    let Some(_) = test_zookeeper::require() else { return };
    let (server, observer) = serve([]).await;
    let invalid: [&[u8]; 4] = [b"{]", &[0xff, 0xfe], b"[1]", &vec![b' '; 900_000]];
    for (port, data) in (1..).zip(invalid) {
        observer.create(&node(port), data, CreateMode::Persistent).await.unwrap();
    }
    // An empty record, as the tutorial writes it, is valid.
    add(&observer, [5]).await;
    register(&observer, 6, 7, 1).await;
    let (_zk, discovery) = start(watches, &server.connect_string(), records);
    let expected: Vec<_> = (1..=5).map(|port| (port, instance::DEFAULT_WEIGHT)).chain([(6, 7)]).collect();
    weights_become(&discovery, expected).await;
    view_where(&discovery, "four unreadable", |view| view.unreadable == invalid.len()).await;
    assert_eq!(discovery.view().skipped, 0);
}

async fn without_records_nothing_is_read(watches: Watches) {
    let Some(_) = test_zookeeper::require() else { return };
    let (_server, proxy, observer) = serve_with_proxy([]).await;
    register(&observer, 1, 7, 1).await;
    let (zk, discovery) = start(watches, &proxy.connect_string(), |config| {
        config.with_audit_interval(Duration::from_millis(200)).unwrap()
    });
    ports_become(&discovery, &[1]).await;
    observer.set(&node(1), &record(1, 8, 1), None).await.unwrap();
    let mut states = zk.states();
    proxy.cut().await;
    timeout(SOON, states.wait_for(|state| state.reconnects == 1)).await.unwrap();
    register(&observer, 2, 7, 1).await;
    observer.set(&node(2), &record(1, 8, 1), None).await.unwrap();
    remove(&observer, [1]).await;
    ports_become(&discovery, &[2]).await;
    // Three audits, each of which reads the root once.
    let before = audits(&proxy);
    eventually("three audits", async || audits(&proxy) >= before + 3).await;
    assert_eq!(weights(&discovery.view()), [(2, instance::DEFAULT_WEIGHT)].into());
    let reads = |seen: &Seen| seen.op == Op::GetData && seen.path.as_deref() != Some(ROOT);
    assert!(!proxy.requests().iter().any(reads), "{:?}", proxy.requests());
    assert!(!operations(&proxy).contains(&Op::MultiRead), "{:?}", proxy.requests());
}

/// Every read breaks the connection, and all instances are shown nevertheless.
async fn an_instance_whose_read_always_fails_is_shown(watches: Watches) {
    let Some(_) = test_zookeeper::require() else { return };
    let (_server, proxy, observer) = serve_with_proxy([]).await;
    let (_zk, discovery) = start(watches, &proxy.connect_string(), records);
    ports_become(&discovery, &[]).await;
    let read = match watches.supported() {
        Watches::Recursive => Op::MultiRead,
        Watches::OneShot => Op::GetData,
    };
    let fault = proxy.on(Match::op(read).always(), Action::CutBeforeRequest);
    register(&observer, 1, 7, 1).await;
    assert!(fault.wait_fired(SOON).await);
    proxy.refuse().await;
    let port = |view: &View, port| weights(view).get(&port) == Some(&instance::DEFAULT_WEIGHT);
    view_where(&discovery, "the first, without a link", |view| port(view, 1)).await;
    proxy.pass().await.unwrap();
    register(&observer, 2, 7, 1).await;
    view_where(&discovery, "the second", |view| port(view, 1) && port(view, 2)).await;
    fault.lift();
    weights_become(&discovery, [(1, 7), (2, 7)]).await;
}

async fn an_audit_finds_a_write_without_an_event(watches: Watches) {
    let Some(_) = test_zookeeper::require() else { return };
    let (_server, proxy, observer) = serve_with_proxy([]).await;
    register(&observer, 1, 7, 1).await;
    let (_zk, discovery) = start(watches, &proxy.connect_string(), |config| {
        records(config).with_audit_interval(Duration::from_secs(2)).unwrap()
    });
    weights_become(&discovery, [(1, 7)]).await;
    let dropped = proxy.drop_events();
    proxy.clear();
    observer.set(&node(1), &record(1, 8, 1), None).await.unwrap();
    weights_become(&discovery, [(1, 8)]).await;
    assert!(dropped.fired(), "the event was lost");
    watch_is_replaced(&proxy).await;
}

async fn a_take_over_is_an_update_and_no_gap(watches: Watches) {
    let Some(_) = test_zookeeper::require() else { return };
    let (server, observer) = serve([]).await;
    register(&observer, 1, 7, 1).await;
    register(&observer, 2, 7, 1).await;
    let (_zk, discovery) = start(watches, &server.connect_string(), |config| {
        // On a busy machine some time may pass between the two events.
        records(config).with_settle(Duration::from_secs(1)).unwrap()
    });
    weights_become(&discovery, [(1, 7), (2, 7)]).await;
    let mut changes = changes_from_now(&discovery).await;
    for successor in 2..30u32 {
        let data = record(1, 6 + successor, successor.into());
        let swap = [MultiOp::delete(node(1), None), MultiOp::create(node(1), data, CreateMode::Ephemeral)];
        observer.multi(&swap).await.unwrap();
        assert_eq!(update(&mut changes).await, (1, 5 + successor, 6 + successor));
    }
}

async fn a_held_instance_keeps_its_record_and_is_read_when_it_returns(watches: Watches) {
    let Some(_) = test_zookeeper::require() else { return };
    let (server, observer) = serve([]).await;
    for port in 1..=4 {
        register(&observer, port, 7, 1).await;
    }
    let (_zk, discovery) = start(watches, &server.connect_string(), |config| {
        records(config).with_hold(Duration::from_secs(600)).unwrap()
    });
    weights_become(&discovery, (1..=4).map(|port| (port, 7))).await;
    // In one transaction, as a mass disappearance.
    let all: Vec<_> = (1..=4).map(|port| MultiOp::delete(node(port), None)).collect();
    observer.multi(&all).await.unwrap();
    let view = view_where(&discovery, "held", |view| view.held > 0).await;
    assert!(weights(&view).len() >= 2 && weights(&view).values().all(|weight| *weight == 7), "{view:?}");
    let held = *weights(&view).last_key_value().unwrap().0;
    register(&observer, held, 8, 2).await;
    view_where(&discovery, "the returned instance", |view| weights(view).get(&held) == Some(&8)).await;
    assert!(discovery.view().held > 0);
}

async fn records_converge_while_instances_come_and_go_and_connections_break(watches: Watches) {
    let Some(_) = test_zookeeper::require() else { return };
    let (_server, proxy, observer) = serve_with_proxy([]).await;
    let (zk, discovery) =
        start(watches, &proxy.connect_string(), |config| records(config).with_hold(Duration::ZERO).unwrap());
    becomes_live(&discovery).await;
    let mut present = BTreeMap::new();
    for step in 0..600u32 {
        let rng = step.wrapping_mul(2_654_435_761) >> 16;
        let port = 1 + (rng >> 4) as u16 % 40;
        match (present.contains_key(&port), rng % 4) {
            (false, _) => {
                register(&observer, port, step, step.into()).await;
                present.insert(port, step);
            }
            (true, 0) => {
                remove(&observer, [port]).await;
                present.remove(&port);
            }
            (true, 1) => {
                let data = record(port, step, step.into());
                let swap = [
                    MultiOp::delete(node(port), None),
                    MultiOp::create(node(port), data, CreateMode::Ephemeral),
                ];
                observer.multi(&swap).await.unwrap();
                present.insert(port, step);
            }
            (true, _) => {
                observer.set(&node(port), &record(port, step, 0), None).await.unwrap();
                present.insert(port, step);
            }
        }
        if step % 40 == 20 {
            proxy.cut().await;
        }
        if step % 80 == 60 {
            becomes_live(&discovery).await;
        }
    }
    weights_become(&discovery, present).await;
    assert!(zk.state().reconnects >= 4, "{:?}", zk.state());
}
