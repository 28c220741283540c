//! The life of a service, in virtual time.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::net::SocketAddr;
use std::time::Duration;

use instance::{Format, Host, Instance, Plain};
use simulation::{Match, SimulatedEnsemble, Verb};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};
use zk_roster::{
    HealthCheck, LeaveError, Liveness, Readiness, RegistrationStatus, RunningService, ServeError, Service,
    ServiceStage, WhenSick, Zk,
};

const ROOT: &str = "/services/web";
const SOON: Duration = Duration::from_secs(60);
const SETTLE: Duration = Duration::from_millis(300);

fn bound() -> SocketAddr {
    "192.0.2.1:80".parse().unwrap()
}

fn host(text: &str) -> Option<Host> {
    Some(text.parse().unwrap())
}

struct World {
    ensemble: SimulatedEnsemble,
    zk: Zk,
}

impl World {
    fn new() -> Self {
        let ensemble = SimulatedEnsemble::new(7);
        Self { zk: ensemble.zk(), ensemble }
    }

    fn service(&self) -> Service {
        Service::new(&self.zk, ROOT)
    }

    /// A service of which one instance is registered.
    async fn registered(&self, service: Service) -> RunningService {
        let running = service.serve_on(&bound()).unwrap();
        timeout(SOON, running.registered()).await.expect("registered soon").unwrap();
        running
    }

    /// The names of what is registered.
    fn listed(&self) -> Vec<String> {
        self.ensemble.operator().children(ROOT)
    }

    fn instance(&self, name: &str) -> Option<Instance> {
        let data = self.ensemble.operator().data(format!("{ROOT}/{name}"))?;
        Some(Plain.decode(name, &data).unwrap().instance)
    }

    fn is_draining(&self) -> Option<bool> {
        Some(self.instance("192.0.2.1:80")?.is_draining())
    }

    async fn until(&self, claim: &str, mut holds: impl FnMut(&Self) -> bool) {
        let begun = Instant::now();
        while !holds(self) {
            assert!(begun.elapsed() < SOON, "{claim}; listed: {:?}", self.listed());
            sleep(Duration::from_millis(1)).await;
        }
    }
}

// === Registered ===

#[tokio::test(start_paused = true)]
async fn a_service_is_registered_with_weight_and_tags_and_changes_them_in_place() {
    let world = World::new();
    let service = world.service().weight(50).tag("zone", "a").tags([("version", "1")]);
    let service = world.registered(service).await;
    let first = world.instance("192.0.2.1:80").unwrap();
    assert_eq!((first.weight(), first.tag("zone"), first.tag("version")), (50, Some("a"), Some("1")));
    assert_eq!(service.status().to_string(), "/services/web: 192.0.2.1:80 registered");
    let czxid = world.ensemble.operator().stat(format!("{ROOT}/192.0.2.1:80")).unwrap().czxid;
    for weight in 1..=20 {
        service
            .update(|record| {
                record.weight = weight;
                record.set_tag("version", "2");
            })
            .unwrap();
    }
    world
        .until("the last record is written", |world| world.instance("192.0.2.1:80").unwrap().weight() == 20)
        .await;
    let last = world.instance("192.0.2.1:80").unwrap();
    assert_eq!((last.tag("zone"), last.tag("version")), (Some("a"), Some("2")));
    let stat = world.ensemble.operator().stat(format!("{ROOT}/192.0.2.1:80")).unwrap();
    assert_eq!(stat.czxid, czxid, "the same znode");

    service.update(|record| record.weight = u32::MAX).unwrap_err();
    service.update(|record| record.set_tag("version", "x".repeat(1 << 20))).unwrap_err();
    sleep(SOON).await;
    assert_eq!(world.instance("192.0.2.1:80"), Some(last), "a refused update changes nothing");
}

#[tokio::test(start_paused = true)]
async fn an_expired_session_brings_the_service_back_with_its_latest_record() {
    let world = World::new();
    let service = world.registered(world.service()).await;
    service.update(|record| record.weight = 7).unwrap();
    let session = world.ensemble.session_of(1).or(world.ensemble.session_of(0)).unwrap();
    world.ensemble.expire(session);
    world.until("it is gone", |world| world.listed().is_empty()).await;
    assert!(
        service.readiness().is_ready(),
        "an outage of ZooKeeper takes no instance out: {}",
        service.readiness()
    );
    world.until("it is back", |world| world.listed() == ["192.0.2.1:80"]).await;
    assert_eq!(world.instance("192.0.2.1:80").unwrap().weight(), 7);
}

#[tokio::test(start_paused = true)]
async fn zookeeper_may_start_later_and_go_away_again() {
    let world = World::new();
    world.ensemble.refuse_connects(true);
    let service = world.service().serve_on(&bound()).unwrap();
    sleep(SOON).await;
    let status = service.status();
    assert!(!status.is_registered());
    assert!(status.link.trouble.is_some(), "{status}");
    let late = service.registered_within(Duration::from_secs(1)).await.unwrap_err();
    assert_eq!(late.waited, Duration::from_secs(1));
    let said = late.to_string();
    assert!(
        said.contains("192.0.2.1:80 pending; ") && said.contains(&late.status.link.to_string()),
        "{said}"
    );
    let status = service.status();
    let readiness = service.readiness();
    assert!(matches!(&readiness, Readiness::NotRegistered(why) if *why == status.to_string()), "{readiness}");
    assert_eq!(service.liveness(), Liveness::Alive);

    world.ensemble.refuse_connects(false);
    timeout(SOON, service.registered()).await.expect("registered soon").unwrap();
    assert_eq!(service.readiness(), Readiness::Ready);

    world.ensemble.refuse_connects(true);
    world.ensemble.cut();
    sleep(10 * SOON).await;
    assert!(!service.status().is_registered());
    assert_eq!((service.readiness(), service.liveness()), (Readiness::Ready, Liveness::Alive));
}

#[tokio::test(start_paused = true)]
async fn a_conflict_shows_in_the_status_and_ends_with_its_holder() {
    let world = World::new();
    let other = world.ensemble.operator();
    other.create_ephemeral(format!("{ROOT}/192.0.2.1:80"), "").unwrap();
    let service = world.service().serve_on(&bound()).unwrap();
    let mut statuses = service.statuses();
    let in_conflict = statuses
        .wait_for(|status| matches!(status.instances[0].registration, Some(RegistrationStatus::Conflict(_))));
    let status = timeout(SOON, in_conflict).await.expect("a conflict").unwrap().clone();
    assert!(status.to_string().contains(&other.session().to_string()), "{status}");
    assert!(!service.readiness().is_ready());
    other.end();
    timeout(SOON, service.registered()).await.expect("registered soon").unwrap();
}

#[tokio::test(start_paused = true)]
async fn every_listener_has_an_instance_and_they_leave_together() {
    let world = World::new();
    let bound = [80, 81, 82, 83, 84].map(|port| SocketAddr::from(([192, 0, 2, 1], port)));
    let service = world.service().serve_on_all(bound).unwrap();
    timeout(SOON, service.registered()).await.expect("registered soon").unwrap();
    assert_eq!(world.listed().len(), 5);
    assert!(service.status().to_string().ends_with("5 of 5 registered"), "{}", service.status());
    let begun = Instant::now();
    service.leave().await.unwrap();
    assert_eq!(world.listed(), [""; 0]);
    assert!(begun.elapsed() < 2 * SETTLE, "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn what_can_never_be_registered_is_an_error_at_once() {
    let world = World::new();
    let refused = |service: Service, bound: &str| {
        service.serve_on(&bound.parse::<SocketAddr>().unwrap()).map(drop).unwrap_err()
    };
    let service = || world.service();
    assert!(matches!(refused(Service::new(&world.zk, "web"), "192.0.2.1:80"), ServeError::Path(_)));
    assert!(matches!(refused(service().weight(u32::MAX), "192.0.2.1:80"), ServeError::Record(_)));
    assert!(matches!(refused(service().tag("", "a"), "192.0.2.1:80"), ServeError::Record(_)));
    assert!(matches!(refused(service(), "192.0.2.1:0"), ServeError::Endpoint { .. }));
    let none = service().serve_on_all([] as [SocketAddr; 0]).map(drop).unwrap_err();
    assert!(matches!(none, ServeError::NoListener));
    sleep(SOON).await;
    assert_eq!(world.ensemble.requests(Verb::Create).len(), 0);
}

// === Leaving ===

#[tokio::test(start_paused = true)]
async fn a_leave_says_draining_first_then_deregisters_and_then_settles() {
    let world = World::new();
    let service = world.registered(world.service().settle(SETTLE)).await;
    let begun = Instant::now();
    let leaving = tokio::spawn({
        let service = service.clone();
        async move { service.leave().await }
    });
    world.until("it says that it is draining", |world| world.is_draining() == Some(true)).await;
    assert!(begun.elapsed() < SETTLE / 10, "{:?}", begun.elapsed());
    assert_eq!(service.readiness(), Readiness::Leaving);
    assert!(service.update(|record| record.weight = 1).is_err());
    world.until("it is deregistered", |world| world.listed().is_empty()).await;
    let deregistered = begun.elapsed();
    assert!(deregistered >= SETTLE / 3 && deregistered < SETTLE / 2, "{deregistered:?}");
    assert!(!leaving.is_finished(), "it serves on");
    leaving.await.unwrap().unwrap();
    assert!(begun.elapsed() >= deregistered + SETTLE - Duration::from_millis(5), "{:?}", begun.elapsed());
    assert_eq!(service.status().stage, ServiceStage::Left);
    assert_eq!(service.liveness(), Liveness::Alive);
    assert_eq!(service.leave().await, Ok(()), "it has left already");
    assert!(service.registered().await.is_err());
    world.zk.close(SOON).await.unwrap();
    assert_eq!(service.liveness(), Liveness::Alive, "its end is meant");
}

#[tokio::test(start_paused = true)]
async fn a_leave_without_a_link_takes_a_second_and_says_that_it_is_not_confirmed() {
    let world = World::new();
    let service = world.registered(world.service()).await;
    world.ensemble.refuse_connects(true);
    world.ensemble.cut();
    sleep(Duration::from_millis(100)).await;
    let begun = Instant::now();
    let (one, other) = (service.clone(), service.clone());
    let (one, other) = tokio::join!(one.leave(), other.leave());
    assert!(matches!(one, Err(LeaveError::NotConfirmed(_))), "{one:?}");
    assert_eq!(one, other);
    let took = begun.elapsed();
    assert!(took >= Duration::from_secs(1) && took < Duration::from_millis(1_100), "{took:?}");
    world.ensemble.refuse_connects(false);
    world.until("the deregistration goes on", |world| world.listed().is_empty()).await;
}

#[tokio::test(start_paused = true)]
async fn a_leave_without_replies_is_bounded() {
    let world = World::new();
    let service = world.registered(world.service()).await;
    (0..3).for_each(|client| world.ensemble.stall(client));
    let begun = Instant::now();
    assert!(service.leave().await.is_err());
    let took = begun.elapsed();
    assert!(took >= Duration::from_secs(1) && took <= Duration::from_millis(1_600), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_service_that_was_never_registered_leaves_in_a_second() {
    let world = World::new();
    world.ensemble.refuse_connects(true);
    let service = world.service().serve_on(&bound()).unwrap();
    sleep(SOON).await;
    let begun = Instant::now();
    let _ = service.leave().await;
    assert!(begun.elapsed() < Duration::from_millis(1_600), "{:?}", begun.elapsed());
    world.ensemble.refuse_connects(false);
    sleep(SOON).await;
    assert_eq!(world.listed(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_leave_that_is_dropped_goes_on() {
    let world = World::new();
    let service = world.registered(world.service()).await;
    assert!(timeout(Duration::ZERO, service.leave()).await.is_err());
    world.until("it leaves all the same", |world| world.listed().is_empty()).await;
    assert_eq!(timeout(SOON, service.leave()).await, Ok(Ok(())));
}

#[tokio::test(start_paused = true)]
async fn a_leave_in_haste_skips_what_is_left_of_the_waits() {
    // At every moment of a leave.
    for after in [0, 50, 200] {
        let world = World::new();
        let service = world.registered(world.service().settle(Duration::from_secs(1_000))).await;
        let leaving = tokio::spawn({
            let service = service.clone();
            async move { service.leave().await }
        });
        sleep(Duration::from_millis(after)).await;
        let begun = Instant::now();
        service.leave_at_once().await.unwrap();
        assert!(begun.elapsed() < Duration::from_millis(50), "{after} ms: {:?}", begun.elapsed());
        assert_eq!(world.listed(), [""; 0]);
        leaving.await.unwrap().unwrap();
    }
    let world = World::new();
    let service = world.registered(world.service()).await;
    service.leave_at_once().await.unwrap();
    let written = world.ensemble.requests(Match::verb(Verb::SetData)).len();
    assert_eq!(written, 0, "nothing is said before");
}

#[tokio::test(start_paused = true)]
async fn the_last_handle_that_is_dropped_deregisters() {
    let world = World::new();
    let service = world.registered(world.service()).await;
    let clone = service.clone();
    drop(service);
    sleep(SOON).await;
    assert_eq!(world.listed().len(), 1);
    drop(clone);
    world.until("it is deregistered", |world| world.listed().is_empty()).await;
}

#[tokio::test(start_paused = true)]
async fn a_wait_that_is_dropped_changes_nothing_and_a_closed_link_shows_in_liveness() {
    let world = World::new();
    let service = world.service().serve_on(&bound()).unwrap();
    assert!(timeout(Duration::ZERO, service.registered()).await.is_err());
    timeout(SOON, service.registered()).await.expect("registered soon").unwrap();
    let requests = world.ensemble.requests(Match::any()).len();
    world.zk.close(SOON).await.unwrap();
    assert_eq!(service.liveness(), Liveness::LinkClosed);
    sleep(SOON).await;
    let more = world.ensemble.requests(Match::any()).len() - requests;
    assert!(more <= 1, "only the session is closed: {more} requests");
    assert!(timeout(SOON, service.leave()).await.is_ok(), "it ends");
}

// === An address that changes ===

#[tokio::test(start_paused = true)]
async fn a_service_moves_with_its_address_and_somebody_is_listed_at_any_time() {
    let world = World::new();
    let (address, addresses) = watch::channel(None);
    let service = world.service().advertise_from(addresses).serve_on(&bound()).unwrap();
    sleep(SOON).await;
    assert_eq!(world.listed(), [""; 0], "there is no address yet");
    assert!(service.status().to_string().contains("no address"), "{}", service.status());
    address.send_replace(host("198.51.100.1"));
    timeout(SOON, service.registered()).await.expect("registered soon").unwrap();
    for next in ["198.51.100.2", "moved.example", "198.51.100.1"] {
        address.send_replace(host(next));
        let begun = Instant::now();
        let moved = format!("{next}:80");
        world
            .until("it is listed under the new address alone", |world| {
                let listed = world.listed();
                assert!(!listed.is_empty(), "somebody is listed at any time");
                listed == [moved.as_str()]
            })
            .await;
        assert!(begun.elapsed() < Duration::from_millis(100), "{next}: {:?}", begun.elapsed());
    }
    drop(address);
    sleep(SOON).await;
    assert_eq!(world.listed(), ["198.51.100.1:80"], "the last address stays");
}

#[tokio::test(start_paused = true)]
async fn an_address_that_changes_during_an_outage_is_listed_alone_within_a_reconnect_and_a_second() {
    for expired in [false, true] {
        let world = World::new();
        let (address, addresses) = watch::channel(host("198.51.100.1"));
        let _service = world.registered(world.service().advertise_from(addresses)).await;
        world.ensemble.refuse_connects(true);
        world.ensemble.cut();
        sleep(Duration::from_millis(100)).await;
        address.send_replace(host("198.51.100.2"));
        sleep(if expired { SOON } else { Duration::from_secs(1) }).await;
        world.ensemble.refuse_connects(false);
        world.zk.connected().await.unwrap();
        sleep(Duration::from_secs(1)).await;
        assert_eq!(world.listed(), ["198.51.100.2:80"], "expired: {expired}");
    }
}

#[tokio::test(start_paused = true)]
async fn while_the_new_address_is_in_conflict_the_old_one_stays_only_if_it_is_still_ours() {
    for (old, stays) in [("198.51.100.1", false), ("127.0.0.9", true)] {
        let world = World::new();
        let other = world.ensemble.operator();
        other.create_ephemeral(format!("{ROOT}/198.51.100.2:80"), "").unwrap();
        let (address, addresses) = watch::channel(host(old));
        let service = world.registered(world.service().advertise_from(addresses)).await;
        address.send_replace(host("198.51.100.2"));
        sleep(Duration::from_millis(500)).await;
        assert_eq!(world.listed().len(), 2, "{old} stays for a second");
        assert!(service.status().to_string().contains(&format!("formerly {old}:80")), "{}", service.status());
        sleep(SOON).await;
        assert_eq!(world.listed().len(), if stays { 2 } else { 1 }, "{old}");
        assert!(service.readiness().is_ready());
        other.end();
        world.until("the new one alone is listed", |world| world.listed() == ["198.51.100.2:80"]).await;
        timeout(SOON, service.registered()).await.expect("registered soon").unwrap();
    }
}

// === Health ===

#[tokio::test(start_paused = true)]
async fn a_sick_service_says_that_it_is_draining_and_comes_back() {
    let world = World::new();
    let (health, watched) = watch::channel(false);
    let service = world.service().health(HealthCheck::watch(watched)).serve_on(&bound()).unwrap();
    sleep(SOON).await;
    assert_eq!(world.listed(), [""; 0], "it was not healthy yet");
    assert!(matches!(service.readiness(), Readiness::Sick(_)), "{}", service.readiness());
    health.send_replace(true);
    timeout(SOON, service.registered()).await.expect("registered soon").unwrap();
    assert_eq!((world.is_draining(), service.readiness()), (Some(false), Readiness::Ready));
    for _ in 0..3 {
        health.send_replace(false);
        world.until("it is draining", |world| world.is_draining() == Some(true)).await;
        assert!(matches!(service.readiness(), Readiness::Sick(_)));
        assert!(service.status().to_string().contains("draining, sick: "), "{}", service.status());
        service.update(|record| record.weight += 1).unwrap();
        sleep(Duration::from_secs(1)).await;
        assert_eq!(world.is_draining(), Some(true), "another weight makes it no better");
        health.send_replace(true);
        world.until("it is back", |world| world.is_draining() == Some(false)).await;
        assert!(service.readiness().is_ready());
    }
    drop(health);
    world.until("nobody judges its health", |world| world.is_draining() == Some(true)).await;
    timeout(SOON, service.leave()).await.expect("it leaves soon").unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_sick_service_leaves_where_callers_read_names_only() {
    let world = World::new();
    let (health, watched) = watch::channel(true);
    let check = HealthCheck::watch(watched).when_sick(WhenSick::Leave);
    let service = world.registered(world.service().health(check)).await;
    for _ in 0..3 {
        health.send_replace(false);
        world.until("it is gone", |world| world.listed().is_empty()).await;
        health.send_replace(true);
        world.until("it is back", |world| world.listed().len() == 1).await;
    }
    // Faster than ZooKeeper replies.
    for turn in 0..100u32 {
        health.send_replace(turn % 2 == 0);
        sleep(Duration::from_micros(700)).await;
    }
    sleep(SOON).await;
    assert_eq!((world.listed(), service.status().draining), (vec![], false));
}

#[tokio::test(start_paused = true)]
async fn a_check_decides_with_its_counts() {
    let world = World::new();
    let (healthy, is_healthy) = watch::channel(true);
    let check = HealthCheck::every(Duration::from_secs(1), move || {
        let answer = *is_healthy.borrow();
        async move { if answer { Ok(()) } else { Err("the database is away") } }
    });
    let service = world.registered(world.service().health(check)).await;
    healthy.send_replace(false);
    sleep(Duration::from_millis(1_900)).await;
    assert_eq!(world.is_draining(), Some(false), "one or two answers are nothing");
    sleep(Duration::from_millis(1_500)).await;
    assert_eq!(world.is_draining(), Some(true));
    assert_eq!(service.readiness().to_string(), "sick: the database is away");
    healthy.send_replace(true);
    sleep(Duration::from_millis(2_500)).await;
    assert_eq!(world.is_draining(), Some(false));
}
