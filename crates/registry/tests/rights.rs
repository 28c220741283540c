//! What an ACL does not allow.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::net::SocketAddr;
use std::time::Duration;

use instance::Instance;
use registry::{Config, RegisterError, Registrar, Socket, Status, TroubleKind};
use support::*;
use test_zookeeper::Server;
use tokio::time::{Instant, sleep, timeout};
use zk_core::{Acl, Auth, Zk, ZnodePath};
use zk_testing::proxy::Proxy;
use zk_testing::raw::{self, permission};

/// The longest pause between two attempts, and a second.
const BOUND: Duration = Duration::from_secs(2);
const BACK: &str = "127.0.0.1:8897";

fn denied(status: &Status) -> bool {
    matches!(status, Status::Pending { trouble: Some(trouble) } if trouble.kind() == TroubleKind::Denied)
}

#[tokio::test]
async fn fault_27_a_denied_creation_is_told_concerns_nobody_else_and_is_mended() {
    let Some(_) = test_zookeeper::require() else { return };
    let server = Server::start().await.unwrap();
    let proxy = Proxy::start(server.addr()).await.unwrap();
    let service = service(&proxy.connect_string(), NEVER);
    let admin = observer(&server).await;
    let before = service.registrar.register(instance(1), Socket::Unvouched).unwrap();
    all_registered(std::slice::from_ref(&before)).await;
    admin.set_acl(ROOT, &[read_and_mend()]).await.unwrap();

    let refused = service.registrar.register(instance(2), Socket::Unvouched).unwrap();
    let status = status_where(&refused, denied).await;
    let Status::Pending { trouble: Some(trouble) } = status else { unreachable!() };
    assert_eq!(trouble.to_string(), format!("create {}: access denied", refused.path()));

    // Others go on: those that stand, their updates, and other roots.
    before.update(instance(1).with_weight(7)).unwrap();
    let path = before.path().as_str();
    eventually("the update", || async { admin.get(path).await.unwrap().1.version == 1 }).await;
    let elsewhere = registrar(&service.zk, "/elsewhere", NEVER);
    let elsewhere = elsewhere.register(instance(2), Socket::Unvouched).unwrap();
    all_registered(std::slice::from_ref(&elsewhere)).await;
    assert!(before.status().is_registered());

    // At most one attempt in half a second on average, once the pause has grown.
    sleep(BOUND).await;
    proxy.clear();
    sleep(4 * Duration::from_secs(1)).await;
    let attempts = writes(&proxy).len();
    assert!((2..=24).contains(&attempts), "{attempts} attempts in 4 s");

    assert!(denied(&refused.status()));
    let mended = Instant::now();
    admin.set_acl(ROOT, &[raw::Acl::open()]).await.unwrap();
    all_registered(std::slice::from_ref(&refused)).await;
    assert!(mended.elapsed() < BOUND, "{:?}", mended.elapsed());
}

/// Each alone would try twice a second: 2,400 attempts in the time that is looked at.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fault_27_thousands_that_are_denied_do_not_storm() {
    let Some(_) = test_zookeeper::require() else { return };
    let server = Server::start().await.unwrap();
    let proxy = Proxy::start(server.addr()).await.unwrap();
    let service = service(&proxy.connect_string(), NEVER);
    let admin = observer(&server).await;
    admin.create_with_acl(ROOT, b"", raw::CreateMode::Persistent, &[read_and_mend()]).await.unwrap();
    let registrations = service.register_all((0..1_200).map(instance));
    for registration in &registrations {
        status_where(registration, denied).await;
    }
    // The pauses grow.
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
    let Some(_) = test_zookeeper::require() else { return };
    let server = Server::start().await.unwrap();
    let start = |user: &str| {
        let config = zk_core::Config::new(&server.connect_string()).unwrap();
        let config = config.with_session_timeout(2 * SESSION).unwrap();
        let zk = Zk::start(config.with_auth(Auth::digest(user, "secret").unwrap())).unwrap();
        let config = Config::new(ZnodePath::parse(ROOT).unwrap()).with_acl(Acl::Creator);
        Registrar::new(zk, config)
    };
    let owner = start("owner").register(instance(1), Socket::Unvouched).unwrap();
    all_registered(std::slice::from_ref(&owner)).await;
    let other = start("other").register(instance(2), Socket::Unvouched).unwrap();
    status_where(&other, denied).await;

    let admin = observer(&server).await;
    admin.add_auth("digest", b"owner:secret").await.unwrap();
    let mended = Instant::now();
    admin.set_acl(ROOT, &[raw::Acl::open()]).await.unwrap();
    all_registered(std::slice::from_ref(&other)).await;
    assert!(mended.elapsed() < BOUND, "{:?}", mended.elapsed());
    // Each wrote what only it may write.
    let (acl, _) = admin.get_acl(other.path().as_str()).await.unwrap();
    let others = acl.iter().filter(|entry| entry.permissions == permission::ALL);
    assert!(others.into_iter().all(|entry| entry.scheme == "digest" && entry.id.starts_with("other:")));
    assert!(admin.set(other.path().as_str(), b"", None).await.is_err());
}

#[tokio::test]
async fn fault_27_a_stale_znode_that_we_may_not_delete_is_told_and_waited_for() {
    let Some(_) = test_zookeeper::require() else { return };
    let server = Server::start().await.unwrap();
    let proxy = Proxy::start(server.addr()).await.unwrap();
    let admin = observer(&server).await;
    let held = || Socket::Bound(BACK.parse::<SocketAddr>().unwrap());
    let instance = || Instance::new(BACK.parse().unwrap());
    let dead = service(&proxy.connect_string(), NEVER);
    let before = dead.registrar.register(instance(), held()).unwrap();
    all_registered(std::slice::from_ref(&before)).await;
    let stale = admin.exists(before.path().as_str()).await.unwrap();
    // Znodes below the root may be created, and not be deleted.
    admin
        .set_acl(ROOT, &[raw::Acl::new(permission::READ | permission::CREATE, "world", "anyone")])
        .await
        .unwrap();
    proxy.hang().await.unwrap();

    let service = service(&server.connect_string(), NEVER);
    let registration = service.registrar.register(instance(), held()).unwrap();
    let is_told = |status: &Status| matches!(status, Status::Pending { trouble: Some(trouble) } if trouble.kind() == TroubleKind::TakeOverDenied);
    let status = status_where(&registration, is_told).await;
    let Status::Pending { trouble: Some(trouble) } = status else { unreachable!() };
    assert!(trouble.to_string().starts_with("take over /go_servers/127.0.0.1:8897: "), "{trouble}");
    assert_eq!(admin.exists(registration.path().as_str()).await.unwrap(), stale);
    // It goes with the dead one's session.
    timeout(SOON, registration.registered()).await.unwrap().unwrap();
}

#[tokio::test]
async fn what_is_taken_over_has_the_acl_of_what_is_created() {
    let Some(_) = test_zookeeper::require() else { return };
    let server = Server::start().await.unwrap();
    let proxy = Proxy::start(server.addr()).await.unwrap();
    let start = |hosts: &str| {
        let config = zk_core::Config::new(hosts).unwrap().with_session_timeout(2 * SESSION).unwrap();
        let zk = Zk::start(config.with_auth(Auth::digest("ann", "secret").unwrap())).unwrap();
        Registrar::new(zk, Config::new(ZnodePath::parse(ROOT).unwrap()).with_acl(Acl::Creator))
    };
    let register = |registrar: &Registrar| {
        registrar
            .register(Instance::new(BACK.parse().unwrap()), Socket::Bound(BACK.parse().unwrap()))
            .unwrap()
    };
    let dead = start(&proxy.connect_string());
    let before = register(&dead);
    all_registered(std::slice::from_ref(&before)).await;
    let admin = observer(&server).await;
    let (acl, created) = admin.get_acl(before.path().as_str()).await.unwrap();
    proxy.hang().await.unwrap();
    let taken = register(&start(&server.connect_string()));
    all_registered(std::slice::from_ref(&taken)).await;
    let (now, stat) = admin.get_acl(taken.path().as_str()).await.unwrap();
    assert_ne!(stat.czxid, created.czxid, "it was taken over");
    assert_eq!(now, acl);
    assert!(admin.set(taken.path().as_str(), b"", None).await.is_err());
}

#[tokio::test]
async fn a_rival_that_hides_its_data_is_a_conflict() {
    let Some(_) = test_zookeeper::require() else { return };
    let server = Server::start().await.unwrap();
    let service = service(&server.connect_string(), NEVER);
    let rival = observer(&server).await;
    rival.create_all(ROOT).await.unwrap();
    rival.add_auth("digest", b"rival:secret").await.unwrap();
    let path = format!("{ROOT}/{BACK}");
    rival
        .create_with_acl(&path, b"theirs", raw::CreateMode::Ephemeral, &[raw::Acl::creator()])
        .await
        .unwrap();
    let instance = Instance::new(BACK.parse().unwrap());
    let registration = service.registrar.register(instance, Socket::Bound(BACK.parse().unwrap())).unwrap();
    let status = status_where(&registration, |status| matches!(status, Status::Conflict(_))).await;
    let Status::Conflict(holder) = status else { unreachable!() };
    assert_eq!(holder.session.map(|session| session.0), Some(rival.session_id()));
    assert_eq!(holder.owner, None);
    rival.delete(&path, None).await.unwrap();
    all_registered(std::slice::from_ref(&registration)).await;
}

/// Row 32: nobody's connection is cut for a payload that is too large.
#[tokio::test]
async fn a_payload_over_the_limit_is_refused_before_anything_is_sent() {
    let zk = Zk::start(zk_core::Config::new("127.0.0.1:1").unwrap()).unwrap();
    let large = || instance(1).with_tag("large", "x".repeat(instance::MAX_DATA));
    let registrar = registrar(&zk, ROOT, NEVER);
    let refused = registrar.register(large(), Socket::Unvouched).unwrap_err();
    assert!(matches!(refused, RegisterError::Encode(_)), "{refused:?}");
    let registration = registrar.register(instance(1), Socket::Unvouched).unwrap();
    let refused = registration.update(large()).unwrap_err();
    assert!(matches!(refused, RegisterError::Encode(_)), "{refused:?}");
}
