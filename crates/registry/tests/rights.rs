//! Requests that an ACL does not allow.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::time::Duration;

use common::*;
use registry::{RegisterError, Registrar, RegistrarConfig, RegistrationStatus, TroubleKind};
use tokio::time::{Instant, sleep, timeout};
use zk_core::{Acl, Auth, Zk, ZnodePath};
use zk_testing::raw::{self, permission};

/// The longest wait between two attempts, and a second.
const BOUND: Duration = Duration::from_secs(2);

fn denied(status: &RegistrationStatus) -> bool {
    matches!(status, RegistrationStatus::Pending { trouble: Some(trouble) } if trouble.kind() == TroubleKind::Denied)
}

#[tokio::test]
async fn fault_27_a_denied_create_is_reported_affects_no_other_registration_and_succeeds_after_a_repair() {
    let Some((_server, proxy, service, admin)) = behind_proxy(NO_AUDITS).await else { return };
    let before = service.registrar.register(instance(1)).unwrap();
    registered(&before).await;
    admin.set_acl(ROOT, &[read_and_admin()]).await.unwrap();

    let refused = service.registrar.register(instance(2)).unwrap();
    let status = status_where(&refused, denied).await;
    let RegistrationStatus::Pending { trouble: Some(trouble) } = status else { unreachable!() };
    assert_eq!(trouble.to_string(), format!("create {}: access denied", refused.path()));

    // Others go on: those that are registered, their updates, and other roots.
    before.update(instance(1).with_weight(7)).unwrap();
    let path = before.path().as_str();
    updated(&admin, path).await;
    let elsewhere = registrar(&service.zk, "/elsewhere", NO_AUDITS);
    let elsewhere = elsewhere.register(instance(2)).unwrap();
    registered(&elsewhere).await;
    assert!(before.status().is_registered());

    // At most one attempt in half a second on average, once the wait has grown.
    sleep(BOUND).await;
    proxy.clear();
    sleep(4 * Duration::from_secs(1)).await;
    let attempts = writes(&proxy).len();
    assert!((2..=24).contains(&attempts), "{attempts} attempts in 4 s");

    assert!(denied(&refused.status()));
    let repaired = Instant::now();
    admin.set_acl(ROOT, &[raw::Acl::open()]).await.unwrap();
    registered(&refused).await;
    assert!(repaired.elapsed() < BOUND, "{:?}", repaired.elapsed());
}

/// Each alone would try twice a second: 2,400 attempts in the second that is measured.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fault_27_a_thousand_denied_registrations_send_bounded_requests() {
    let Some((_server, proxy, service, admin)) = behind_proxy(NO_AUDITS).await else { return };
    admin.create_with_acl(ROOT, b"", raw::CreateMode::Persistent, &[read_and_admin()]).await.unwrap();
    let registrations = service.register_all((0..1_200).map(instance));
    for registration in &registrations {
        status_where(registration, denied).await;
    }
    // The waits grow.
    sleep(Duration::from_secs(3)).await;
    proxy.clear();
    sleep(Duration::from_secs(1)).await;
    let attempts = writes(&proxy).len();
    assert!((100..1_600).contains(&attempts), "{attempts} attempts in 1 s");
    admin.set_acl(ROOT, &[raw::Acl::open()]).await.unwrap();
    all_registered(&registrations).await;
}

#[tokio::test]
async fn fault_27_a_root_of_another_identity_is_denied_until_it_is_opened() {
    let Some((server, admin)) = with_server().await else { return };
    let start = |user: &str| {
        let config = zk_core::ZkConfig::new(&server.connect_string()).unwrap();
        let config = config.with_session_timeout(2 * SESSION).unwrap();
        let zk = Zk::start(config.with_auth(Auth::digest(user, "secret").unwrap())).unwrap();
        let config = RegistrarConfig::new(ZnodePath::parse(ROOT).unwrap()).with_acl(Acl::Creator);
        Registrar::new(&zk, config)
    };
    let owner = start("owner").register(instance(1)).unwrap();
    registered(&owner).await;
    let other = start("other").register(instance(2)).unwrap();
    status_where(&other, denied).await;

    admin.add_auth("digest", b"owner:secret").await.unwrap();
    let repaired = Instant::now();
    admin.set_acl(ROOT, &[raw::Acl::open()]).await.unwrap();
    registered(&other).await;
    assert!(repaired.elapsed() < BOUND, "{:?}", repaired.elapsed());
    // Only the creator of a znode may write it.
    let (acl, _) = admin.get_acl(other.path().as_str()).await.unwrap();
    let others = acl.iter().filter(|entry| entry.permissions == permission::ALL);
    assert!(others.into_iter().all(|entry| entry.scheme == "digest" && entry.id.starts_with("other:")));
    assert!(admin.set(other.path().as_str(), b"", None).await.is_err());
}

#[tokio::test]
async fn fault_27_a_denied_take_over_is_reported_and_waits_for_the_end_of_the_old_session() {
    let Some((server, proxy, dead, admin)) = behind_proxy(NO_AUDITS).await else { return };
    let before = dead.register_vouched();
    registered(&before).await;
    let stale = admin.exists(before.path().as_str()).await.unwrap();
    // Znodes below the root may be created, and not be deleted.
    admin
        .set_acl(ROOT, &[raw::Acl::new(permission::READ | permission::CREATE, "world", "anyone")])
        .await
        .unwrap();
    proxy.hang().await.unwrap();

    let service = service(&server.connect_string(), NO_AUDITS);
    let registration = service.register_vouched();
    let is_reported = |status: &RegistrationStatus| matches!(status, RegistrationStatus::Pending { trouble: Some(trouble) } if trouble.kind() == TroubleKind::TakeOverDenied);
    let status = status_where(&registration, is_reported).await;
    let RegistrationStatus::Pending { trouble: Some(trouble) } = status else { unreachable!() };
    assert!(trouble.to_string().starts_with("take over /go_servers/127.0.0.1:8897: "), "{trouble}");
    assert_eq!(admin.exists(registration.path().as_str()).await.unwrap(), stale);
    // The znode ends with the session of the dead one.
    timeout(SOON, registration.registered()).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_znode_that_was_taken_over_has_the_configured_acl() {
    let Some((server, proxy, admin)) = with_proxy().await else { return };
    let start = |hosts: &str| {
        let config = zk_core::ZkConfig::new(hosts).unwrap().with_session_timeout(2 * SESSION).unwrap();
        let zk = Zk::start(config.with_auth(Auth::digest("ann", "secret").unwrap())).unwrap();
        Registrar::new(&zk, RegistrarConfig::new(ZnodePath::parse(ROOT).unwrap()).with_acl(Acl::Creator))
    };
    let register = |registrar: &Registrar| registrar.register_bound(named(), bound()).unwrap();
    let dead = start(&proxy.connect_string());
    let before = register(&dead);
    registered(&before).await;
    let (acl, created) = admin.get_acl(before.path().as_str()).await.unwrap();
    proxy.hang().await.unwrap();
    let taken = register(&start(&server.connect_string()));
    registered(&taken).await;
    let (now, stat) = admin.get_acl(taken.path().as_str()).await.unwrap();
    assert_ne!(stat.czxid, created.czxid, "it was taken over");
    assert_eq!(now, acl);
    assert!(admin.set(taken.path().as_str(), b"", None).await.is_err());
}

#[tokio::test]
async fn a_rival_that_hides_its_data_is_a_conflict() {
    let Some((server, rival)) = with_server().await else { return };
    let service = service(&server.connect_string(), NO_AUDITS);
    rival.create_all(ROOT).await.unwrap();
    rival.add_auth("digest", b"rival:secret").await.unwrap();
    rival.create_with_acl(NODE, b"theirs", raw::CreateMode::Ephemeral, &[raw::Acl::creator()]).await.unwrap();
    let registration = service.register_vouched();
    let holder = conflict(&registration).await;
    assert_eq!(holder.session.map(|session| session.0), Some(rival.session_id()));
    assert_eq!(holder.owner, None);
    rival.delete(NODE, None).await.unwrap();
    registered(&registration).await;
}

/// Row 32: a payload that is too large costs no connection.
#[tokio::test]
async fn a_payload_over_the_limit_is_refused_before_anything_is_sent() {
    let zk = Zk::start(zk_core::ZkConfig::new("127.0.0.1:1").unwrap()).unwrap();
    let large = || instance(1).with_tag("large", "x".repeat(instance::MAX_DATA));
    let registrar = registrar(&zk, ROOT, NO_AUDITS);
    let refused = registrar.register(large()).unwrap_err();
    assert!(matches!(refused, RegisterError::Encode(_)), "{refused:?}");
    let registration = registrar.register(instance(1)).unwrap();
    let refused = registration.update(large()).unwrap_err();
    assert!(matches!(refused, RegisterError::Encode(_)), "{refused:?}");
}
