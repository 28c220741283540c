//! One registration: sessions that end, replies that are lost, rivals, predecessors, deletions by hand.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::time::Duration;

use common::*;
use instance::{Format, Instance, Plain};
use registry::{RegisterError, Registrar, RegistrarConfig, RegistrationStatus};
use test_zookeeper::Server;
use tokio::time::{Instant, sleep, timeout};
use zk_core::{Phase, Zk, ZnodePath};
use zk_testing::proxy::{Action, Match, Op, Proxy};

#[tokio::test]
async fn a_reconnect_in_the_same_session_writes_nothing() {
    let Some((_server, proxy, service, observer)) = one_behind_proxy().await else { return };
    let registration = service.register();
    registered(&registration).await;
    let before = assert_in_place(&observer, &service).await;

    proxy.clear();
    proxy.cut().await;
    status_where(&registration, |status| *status == RegistrationStatus::Unconfirmed).await;
    registered(&registration).await;
    assert_eq!(service.zk.state().reconnects, 1);
    assert_eq!(assert_in_place(&observer, &service).await, before);
    assert_eq!(writes(&proxy), []);
    // D7: the server may lag behind what we have seen, until a sync.
    let looks = proxy.requests().into_iter().map(|request| request.op).filter(|op| *op != Op::Ping);
    assert_eq!(looks.collect::<Vec<_>>(), [Op::Connect, Op::Sync, Op::Exists]);
}

#[tokio::test]
async fn fault_12_a_registration_survives_an_expired_session_with_its_update() {
    let Some((server, _proxy, service, observer)) = one_behind_proxy().await else { return };
    let registration = service.register();
    registered(&registration).await;
    let before = assert_in_place(&observer, &service).await;
    let heavier = named().with_weight(7).with_tag("zone", "a");
    registration.update(heavier.clone()).unwrap();
    updated(&observer, NODE).await;
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
    let Some((server, observer)) = with_server().await else { return };
    observer.create_all(ROOT).await.unwrap();
    for bytes in [0, 1, 4, 8, 20, 100] {
        let proxy = Proxy::start(server.addr()).await.unwrap();
        let cut = proxy.on(Match::creates().path(NODE), Action::CutMidRequest(bytes));
        let service = one_service(&proxy.connect_string());
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
    let Some((_server, proxy, observer)) = with_proxy().await else { return };
    observer.create_all(ROOT).await.unwrap();
    let lost = proxy.on(Match::creates().path(NODE), Action::CutAfterRequest);
    let service = one_service(&proxy.connect_string());
    let registration = service.register();
    registered(&registration).await;
    assert!(lost.fired());
    assert_in_place(&observer, &service).await;
    let creates =
        proxy.requests().into_iter().filter(|r| r.op.is_create() && r.path.as_deref() == Some(NODE));
    assert_eq!(creates.count(), 1, "not created twice");
}

#[tokio::test]
async fn fault_21_a_deregistered_instance_stays_deregistered_after_a_lost_reply() {
    let Some((server, proxy, service, observer)) = one_behind_proxy().await else { return };
    let registration = service.register();
    registered(&registration).await;
    let lost = proxy.on(Match::op(leave()), Action::CutAfterRequest);
    let started = Instant::now();
    registration.deregister(SOON).await.unwrap();
    assert!(lost.fired());
    assert!(started.elapsed() < Duration::from_secs(5));

    // Another connection and another session do not register it again.
    proxy.clear();
    proxy.cut().await;
    let mut states = service.zk.states();
    timeout(SOON, states.wait_for(|state| state.reconnects == 2 && state.is_connected())).await.unwrap();
    expire_session(server.addr(), service.session()).await.unwrap();
    timeout(SOON, states.wait_for(|state| state.epoch == 2)).await.unwrap();
    service.zk.connected().await.unwrap().sync(&ZnodePath::root()).await.unwrap();
    assert!(observer.exists(NODE).await.unwrap().is_none());
    assert_eq!(writes(&proxy), []);
    assert_eq!(registration.status(), RegistrationStatus::Deregistered);
    assert!(matches!(registration.registered().await, Err(RegisterError::Deregistered(_))));
    assert!(matches!(registration.update(named()), Err(RegisterError::Deregistered(_))));
}

#[tokio::test]
async fn fault_24_a_znode_deleted_by_hand_is_created_again_at_once() {
    let Some((_server, _proxy, service, observer)) = one_behind_proxy().await else { return };
    let registration = service.register();
    for _ in 0..5 {
        registered(&registration).await;
        assert_in_place(&observer, &service).await;
        let started = Instant::now();
        delete_until_recreated(&observer, NODE).await;
        assert!(started.elapsed() < Duration::from_secs(1), "{:?}", started.elapsed());
    }
}

#[tokio::test]
async fn fault_24_the_audit_restores_a_znode_whose_watch_event_was_lost() {
    let Some((_server, proxy, observer)) = with_proxy().await else { return };
    let service = Service::start(&proxy.connect_string(), SESSION, Duration::from_millis(400));
    let registration = service.register();
    registered(&registration).await;
    let dropped = proxy.drop_events();
    observer.delete(NODE, None).await.unwrap();
    eventually("the znode is back", async || observer.exists(NODE).await.unwrap().is_some()).await;
    assert!(dropped.fired(), "an event was lost");
    registered(&registration).await;
    assert_in_place(&observer, &service).await;
}

#[tokio::test]
async fn fault_24_a_deleted_znode_is_pending_until_it_is_created_again() {
    let Some((_server, proxy, observer)) = with_proxy().await else { return };
    let config = zk_core::ZkConfig::new(&proxy.connect_string()).unwrap();
    let zk = Zk::start(config.with_operation_timeout(3 * SOON).unwrap()).unwrap();
    let config = RegistrarConfig::new(ZnodePath::parse(ROOT).unwrap());
    let config = config.with_audit_interval(Duration::from_millis(400)).unwrap();
    let registration = Registrar::new(&zk, config).register(named()).unwrap();
    registered(&registration).await;
    proxy.drop_events();
    proxy.on(Match::creates(), Action::SwallowReply);
    observer.delete(NODE, None).await.unwrap();
    status_where(&registration, |status| *status == RegistrationStatus::Pending { trouble: None }).await;
}

#[tokio::test]
async fn fault_25_a_missing_root_is_created_and_created_again() {
    let Some((server, observer)) = with_server().await else { return };
    let service = one_service(&format!("{}/chroot/of/ours", server.connect_string()));
    let registration = service.register();
    registered(&registration).await;
    let node = format!("/chroot/of/ours{NODE}");
    let before = observer.exists(&node).await.unwrap().unwrap();
    // The znode may be back before its parents are gone.
    eventually("the parents are deleted", async || observer.delete_recursive("/chroot").await.is_ok()).await;
    eventually("the znode and its parents are back", async || {
        observer.exists(&node).await.unwrap().is_some_and(|stat| stat.czxid != before.czxid)
    })
    .await;
}

#[tokio::test]
async fn fault_26_a_rival_is_left_alone_until_its_znode_is_deleted() {
    let Some((_server, _proxy, service, rival)) = one_behind_proxy().await else { return };
    rival.create_all(ROOT).await.unwrap();
    rival.create(NODE, b"theirs", raw::CreateMode::Ephemeral).await.unwrap();
    let theirs = rival.get(NODE).await.unwrap();

    let registration = service.register_vouched();
    let holder = conflict(&registration).await;
    assert_eq!(holder.session.map(|session| session.0), Some(rival.session_id()));
    // An update by the rival does not free the name.
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

/// The event of the rival's end is lost, and the keeper reads the znode at the audit interval, not more often.
#[tokio::test]
async fn fault_26_a_name_is_taken_after_an_audit_interval_if_the_watch_event_was_lost() {
    let Some((_server, proxy, rival)) = with_proxy().await else { return };
    rival.create_all(ROOT).await.unwrap();
    rival.create(NODE, b"theirs", raw::CreateMode::Ephemeral).await.unwrap();
    let service = Service::start(&proxy.connect_string(), SESSION, Duration::from_secs(1));
    let registration = service.register();
    conflict(&registration).await;
    proxy.clear();
    sleep(Duration::from_secs(3)).await;
    let looks = proxy.requests().into_iter().filter(|seen| seen.op == Op::Exists).count();
    assert!((1..=7).contains(&looks), "{looks} looks in 3 s");
    assert_eq!(writes(&proxy), []);
    let dropped = proxy.drop_events();
    rival.delete(NODE, None).await.unwrap();
    registered(&registration).await;
    assert!(dropped.fired(), "an event was lost");
    assert_in_place(&rival, &service).await;
}

#[tokio::test]
async fn fault_26_two_servers_of_one_name_do_not_fight() {
    let Some(()) = require_recursive_watches() else { return };
    let Some((server, observer)) = with_server().await else { return };
    let (first, second) = (one_service(&server.connect_string()), one_service(&server.connect_string()));
    let one = first.register_vouched();
    registered(&one).await;
    observer.watch(ROOT, raw::WatchMode::Recursive).await.unwrap();
    // Both vouch for the socket; one of them is wrong. The second has never had the name.
    let two = second.register_vouched();
    registered(&two).await;
    conflict(&one).await;
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
async fn fault_26_a_registration_that_ends_before_it_had_the_name_leaves_its_successor_alone() {
    let Some((server, proxy, observer)) = with_proxy().await else { return };
    observer.create_all(ROOT).await.unwrap();
    let cut = proxy.on(Match::creates().path(NODE), Action::CutBeforeRequest);
    let first = one_service(&proxy.connect_string());
    let ended = first.register_vouched();
    assert!(cut.wait_fired(SOON).await);
    proxy.refuse().await;
    ended.deregister(Duration::from_millis(100)).await.unwrap_err();
    // Another process of the same host owns the socket now, and vouches for it truthfully.
    let second = one_service(&server.connect_string());
    let registration = second.register_vouched();
    registered(&registration).await;
    let before = assert_in_place(&observer, &second).await;
    proxy.pass().await.unwrap();
    status_where(&ended, |status| *status == RegistrationStatus::Deregistered).await;
    assert_eq!(assert_in_place(&observer, &second).await, before);
}

#[tokio::test]
async fn closing_the_link_ends_registrations_as_deregistered_or_abandoned() {
    let Some((mut server, observer)) = with_server().await else { return };
    let first = one_service(&server.connect_string());
    let registration = first.register();
    registered(&registration).await;
    first.zk.close(SOON).await.unwrap();
    status_where(&registration, |status| *status == RegistrationStatus::Deregistered).await;
    assert!(observer.exists(NODE).await.unwrap().is_none());

    let second = one_service(&server.connect_string());
    let registration = second.register();
    registered(&registration).await;
    server.kill().await;
    second.zk.close(Duration::from_millis(100)).await.unwrap_err();
    status_where(&registration, |status| *status == RegistrationStatus::Abandoned).await;
    registration.deregister(SOON).await.unwrap_err();
    assert!(matches!(registration.update(named()), Err(RegisterError::Deregistered(_))));
}

#[tokio::test]
async fn our_record_is_restored_over_that_of_another_instance() {
    let Some((_server, _proxy, service, observer)) = one_behind_proxy().await else { return };
    let registration = service.register();
    registered(&registration).await;
    let ours = observer.get(NODE).await.unwrap().0;
    let theirs = String::from_utf8(ours.clone()).unwrap();
    let at = theirs.find("owner.incarnation").unwrap() + "owner.incarnation\":\"".len();
    let theirs = format!("{}{}{}", &theirs[..at], "0".repeat(32), &theirs[at + 32..]);
    observer.set(NODE, theirs.as_bytes(), None).await.unwrap();
    restored(&observer, NODE, &ours).await;
    registered(&registration).await;
    assert_in_place(&observer, &service).await;
}

#[tokio::test]
async fn a_persistent_znode_is_a_conflict_and_is_never_touched() {
    let Some((_server, _proxy, service, observer)) = one_behind_proxy().await else { return };
    observer.create_all(NODE).await.unwrap();
    let registration = service.register_vouched();
    let holder = conflict(&registration).await;
    assert_eq!(holder.session, None);
    assert!(holder.to_string().contains("by hand"));
    registration.deregister(SOON).await.unwrap();
    assert!(observer.exists(NODE).await.unwrap().is_some());
}

/// An EPHEMERAL znode alone fails this: the end of the old session deletes it.
#[tokio::test]
async fn fault_23_a_dead_predecessor_is_taken_over_without_a_gap() {
    let Some(()) = require_recursive_watches() else { return };
    let Some((server, proxy, observer)) = with_proxy().await else { return };
    let dead = one_service(&proxy.connect_string());
    let before = dead.register_vouched();
    registered(&before).await;
    proxy.hang().await.unwrap();
    let old_session = dead.session();

    observer.watch(ROOT, raw::WatchMode::Recursive).await.unwrap();
    let seen = Proxy::start(server.addr()).await.unwrap();
    let service = one_service(&seen.connect_string());
    let started = Instant::now();
    let registration = service.register_vouched();
    registered(&registration).await;
    assert!(started.elapsed() < Duration::from_secs(1), "{:?}", started.elapsed());
    // An old server gets two requests, sent at the same time.
    if !test_zookeeper::is_old() {
        assert_eq!(
            writes(&seen),
            [Op::Create2, Op::Multi],
            "in one transaction, once the name is known to exist"
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
async fn an_unvouched_registration_waits_for_the_end_of_its_predecessor() {
    let Some((server, proxy, observer)) = with_proxy().await else { return };
    let dead = one_service(&proxy.connect_string());
    let before = dead.register_vouched();
    registered(&before).await;
    let theirs = observer.exists(NODE).await.unwrap();
    proxy.hang().await.unwrap();
    let service = one_service(&server.connect_string());
    let registration = service.register();
    conflict(&registration).await;
    assert_eq!(observer.exists(NODE).await.unwrap(), theirs);
    registered(&registration).await;
    assert_in_place(&observer, &service).await;
}

#[tokio::test]
async fn overwritten_data_is_restored() {
    let Some((_server, _proxy, service, observer)) = one_behind_proxy().await else { return };
    let registration = service.register();
    registered(&registration).await;
    let ours = observer.get(NODE).await.unwrap().0;
    observer.set(NODE, b"vandalised", None).await.unwrap();
    restored(&observer, NODE, &ours).await;
}

#[tokio::test]
async fn data_overwritten_again_and_again_is_restored_more_and_more_slowly() {
    let Some((_server, proxy, service, observer)) = one_behind_proxy().await else { return };
    let registration = service.register();
    registered(&registration).await;
    overwrite_again_and_again(&observer, &proxy, NODE, Duration::from_millis(5)).await;
}

#[tokio::test]
async fn a_conflict_is_pending_while_the_link_is_down() {
    let Some((_server, proxy, service, rival)) = one_behind_proxy().await else { return };
    rival.create_all(ROOT).await.unwrap();
    rival.create(NODE, b"theirs", raw::CreateMode::Ephemeral).await.unwrap();
    let registration = service.register();
    conflict(&registration).await;
    proxy.refuse().await;
    status_where(&registration, |status| *status == RegistrationStatus::Pending { trouble: None }).await;
    proxy.pass().await.unwrap();
    conflict(&registration).await;
}

#[tokio::test]
async fn one_registrar_has_one_registration_of_a_name() {
    let Some((_server, _proxy, service, _observer)) = one_behind_proxy().await else { return };
    let registration = service.register();
    let again = service.registrar.register(named());
    assert!(matches!(again, Err(RegisterError::Duplicate(_))));
    let elsewhere = Instance::new("127.0.0.1:1".parse().unwrap());
    assert!(matches!(registration.update(elsewhere), Err(RegisterError::OtherName { .. })));
    registered(&registration).await;
    registration.deregister(SOON).await.unwrap();
    registered(&service.register()).await;
}

#[tokio::test]
async fn a_dropped_registration_is_deregistered() {
    let Some((_server, _proxy, service, observer)) = one_behind_proxy().await else { return };
    let registration = service.register();
    registered(&registration).await;
    drop(registration);
    eventually("the znode is deleted", async || observer.exists(NODE).await.unwrap().is_none()).await;
    assert!(service.zk.state().is_connected(), "the session did not end");
}

#[tokio::test]
async fn deregister_returns_at_once_if_zookeeper_was_never_reached() {
    // Nobody listens there.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let service = one_service(&free.to_string());
    let registration = service.register();
    let mut states = service.zk.states();
    timeout(SOON, states.wait_for(|state| state.trouble.is_some())).await.unwrap();
    assert_eq!(registration.status(), RegistrationStatus::Pending { trouble: None });
    timeout(Duration::from_secs(1), registration.deregister(SOON)).await.expect("at once").unwrap();
}

#[tokio::test]
async fn deregister_fails_if_zookeeper_does_not_confirm_in_time() {
    let Some(_) = test_zookeeper::require() else { return };
    let mut server = Server::start().await.unwrap();
    let service = one_service(&server.connect_string());
    let registration = service.register();
    registered(&registration).await;
    server.kill().await;
    let error = registration.deregister(Duration::from_millis(200)).await.unwrap_err();
    assert_eq!(error.path.as_str(), NODE);
    let mut states = service.zk.states();
    timeout(SOON, states.wait_for(|state| state.phase == Phase::Suspended)).await.unwrap();
    // The keeper goes on, and deletes the znode when it can.
    server.start_again().await.unwrap();
    status_where(&registration, |status| *status == RegistrationStatus::Deregistered).await;
    assert!(observer(&server).await.exists(NODE).await.unwrap().is_none());
}
