//! Rows of the fault matrix that concern registrations alone: sessions that end again and again, lost replies, dropped
//! futures.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::time::Duration;

use common::*;
use instance::{Format, Plain};
use registry::{RegisterError, Registration, RegistrationStatus};
use test_zookeeper::Server;
use tokio::runtime::Handle;
use tokio::time::{Instant, sleep, timeout};
use zk_testing::proxy::{Action, Match, Proxy};
use zk_testing::{holds_within, poll_at_most};

/// B, the longest wait between two attempts to connect.
const BACKOFF: Duration = Duration::from_millis(667);

/// [`one_behind_proxy`], with a root that exists.
async fn with_root() -> Option<(Server, Proxy, Service, raw::Client)> {
    let (server, proxy, service, observer) = one_behind_proxy().await?;
    observer.create_all(ROOT).await.unwrap();
    Some((server, proxy, service, observer))
}

/// Registers [`NAME`], which an earlier registration of this registrar may not have released yet.
async fn register_again(service: &Service) -> Registration {
    let deadline = Instant::now() + SOON;
    loop {
        match service.registrar.register(named()) {
            Ok(registration) => return registration,
            Err(RegisterError::Duplicate(_)) if Instant::now() < deadline => {
                sleep(Duration::from_millis(1)).await;
            }
            Err(error) => panic!("{error}"),
        }
    }
}

/// What must not leak: tasks of this runtime, and connections, watches and ephemeral znodes of the server.
async fn resources(server: &Server) -> (usize, Vec<String>) {
    let words = four_letter_word(server.addr(), "mntr").await.unwrap();
    let counted = ["zk_num_alive_connections", "zk_watch_count", "zk_ephemerals_count"];
    let metrics = words.lines().filter(|line| counted.iter().any(|name| line.starts_with(name)));
    (Handle::current().metrics().num_alive_tasks(), metrics.map(str::to_owned).collect())
}

// === 14: a session expires, and the next one, and the next ===

#[tokio::test]
async fn fault_14_twenty_expiries_in_a_row_end_in_one_znode_and_leak_nothing() {
    let Some((server, _proxy, service, observer)) = with_root().await else { return };
    let registration = service.register();
    registered(&registration).await;
    let before = resources(&server).await;
    assert_eq!(before.1.len(), 3, "{before:?}");

    let mut states = service.zk.states();
    for round in 1..=20u64 {
        let epoch = service.zk.state().epoch;
        expire_session(server.addr(), service.session()).await.unwrap();
        let next = states.wait_for(|state| state.epoch > epoch && state.is_connected());
        timeout(Duration::from_secs(1) + BACKOFF, next).await.expect("a new session").unwrap();
        match round % 3 {
            // Again at once: the registration is under way.
            0 => {}
            // Again somewhere around its end.
            1 => sleep(Duration::from_millis(round * 37 % 50)).await,
            _ => registered(&registration).await,
        }
    }
    holds_within("registered again", Duration::from_secs(1) + BACKOFF, async || {
        registration.status().is_registered()
    })
    .await
    .unwrap();
    let after = assert_in_place(&observer, &service).await;
    sleep(SESSION).await;
    assert_eq!(assert_in_place(&observer, &service).await, after, "I7: nothing changes any more");
    assert_eq!(service.zk.state().epoch, 21);
    eventually("nothing has leaked", async || resources(&server).await == before).await;
}

// === 20: the reply of a create is lost, and the session expires before the reconnect ===

/// Ends a session whose owner may attach to it at the same moment: the later connection has the session.
async fn end_session(server: &Server, session: i64) {
    let deadline = Instant::now() + SOON;
    while let Err(error) = expire_session(server.addr(), session).await {
        if matches!(error, raw::Error::SessionExpired) {
            return;
        }
        assert!(Instant::now() < deadline, "{error}");
    }
}

#[tokio::test]
async fn fault_20_a_lost_reply_and_an_expiry_end_in_one_znode() {
    let Some((server, observer)) = with_server().await else { return };
    observer.create_all(ROOT).await.unwrap();
    for round in 0..8u64 {
        let proxy = Proxy::start(server.addr()).await.unwrap();
        let lost = proxy.on(Match::creates().path(NODE), Action::CutAfterRequest);
        let service = one_service(&proxy.connect_string());
        let registration = service.register();
        assert!(lost.wait_fired(SOON).await);
        let apart = round % 2 == 0;
        if apart {
            // The session ends for certain before there is another connection.
            proxy.refuse().await;
        } else {
            // The session ends in the middle of the next attempt, or right after it.
            sleep(Duration::from_millis(round * 3)).await;
        }
        let stat = observer.exists(NODE).await.unwrap().expect("created without a reply");
        assert_eq!(stat.ephemeral_owner, service.session());
        end_session(&server, stat.ephemeral_owner).await;
        assert_ne!(observer.exists(NODE).await.unwrap().map(|now| now.czxid), Some(stat.czxid), "I4");
        proxy.pass().await.unwrap();
        let healed = Instant::now();
        let within = BACKOFF + Duration::from_secs(1);
        let listed = async || observer.exists(NODE).await.unwrap().is_some();
        holds_within("listed again", within, listed).await.unwrap();
        registered(&registration).await;
        // The status may have been a moment old, and true of the old session.
        holds_within("owned by the new session", within, async || {
            observer.exists(NODE).await.unwrap().is_some_and(|now| now.ephemeral_owner == service.session())
        })
        .await
        .unwrap();
        let after = assert_in_place(&observer, &service).await;
        assert_ne!(after.ephemeral_owner, stat.ephemeral_owner);
        assert!(healed.elapsed() < 2 * within);
        registration.deregister(SOON).await.unwrap();
        assert!(observer.exists(NODE).await.unwrap().is_none());
    }
}

// === 47: a future is dropped at any await ===

#[tokio::test]
async fn fault_47_futures_dropped_at_any_await_change_nothing() {
    let Some((server, _proxy, service, observer)) = with_root().await else { return };
    let first = service.register();
    registered(&first).await;
    let before = resources(&server).await;
    first.deregister(SOON).await.unwrap();
    drop(first);
    for polls in 1..=6 {
        let registration = register_again(&service).await;
        // Most are dropped while the znode is being created.
        let _ = poll_at_most(polls, registration.registered()).await;
        registered(&registration).await;
        assert_in_place(&observer, &service).await;
        // A deregistration goes on without its future.
        let _ = poll_at_most(polls, registration.deregister(SOON)).await;
        eventually("the znode is deleted", async || observer.exists(NODE).await.unwrap().is_none()).await;
        eventually("the status is final", async || registration.status() == RegistrationStatus::Deregistered)
            .await;
        assert!(matches!(registration.registered().await, Err(RegisterError::Deregistered(_))));
        registration.deregister(SOON).await.unwrap();
    }
    let last = register_again(&service).await;
    registered(&last).await;
    assert_in_place(&observer, &service).await;
    eventually("nothing has leaked", async || resources(&server).await == before).await;
}

#[tokio::test]
async fn fault_47_a_registration_dropped_at_any_moment_leaves_no_znode_and_no_task() {
    let Some((server, proxy, service, observer)) = with_root().await else { return };
    // The first registration starts the root watch, which serves all later ones.
    let first = service.register();
    registered(&first).await;
    first.deregister(SOON).await.unwrap();
    let before = resources(&server).await;
    // A round trip of 6 ms: registering takes a few of them.
    proxy.delay(Duration::from_millis(3)).await.unwrap();
    let mut seen = 0;
    for step in 0..40 {
        let registration = register_again(&service).await;
        sleep(Duration::from_millis(3 * step)).await;
        seen += usize::from(registration.status().is_registered());
        drop(registration);
    }
    assert!((5..35).contains(&seen), "dropped before and after it is registered: {seen} of 40");
    eventually("nothing is left", async || {
        observer.exists(NODE).await.unwrap().is_none() && resources(&server).await == before
    })
    .await;
    let last = register_again(&service).await;
    registered(&last).await;
    assert_in_place(&observer, &service).await;
}

/// Each update drops the keeper's step wherever it is.
#[tokio::test]
async fn fault_47_updates_at_any_moment_end_in_the_last_one_on_the_same_znode() {
    let Some((server, proxy, service, observer)) = with_root().await else { return };
    let registration = service.register();
    registered(&registration).await;
    let before = assert_in_place(&observer, &service).await;
    let counts = resources(&server).await;
    proxy.delay(Duration::from_millis(3)).await.unwrap();
    for weight in 1..=200 {
        registration.update(named().with_weight(weight)).unwrap();
        sleep(Duration::from_millis(u64::from(weight * 7 % 23))).await;
    }
    eventually("the last update is written", async || {
        let (data, _) = observer.get(NODE).await.unwrap();
        Plain.decode(NAME, &data).unwrap().instance.weight() == 200
    })
    .await;
    registered(&registration).await;
    assert_eq!(assert_in_place(&observer, &service).await.czxid, before.czxid, "I7: the same znode");
    eventually("no watch is left over", async || resources(&server).await == counts).await;
}
