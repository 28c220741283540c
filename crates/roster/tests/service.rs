//! The life of a service, in virtual time.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use instance::{DecodeError, Decoded, EncodeError, Encoded, Endpoint, Format, Host, Instance, Plain};
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};
use zk_roster::{
    HealthCheck, LeaveError, Liveness, Readiness, RegistrationStatus, RunningService, ServeError, Service,
    ServiceStage, WhenSick, Zk,
};
use zk_simulated::{Chaos, Fault, Match, SimulatedEnsemble, Verb};

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
async fn the_status_stays_true_while_a_service_leaves() {
    // In each of its steps: while it says that it is draining, while it deregisters, while it settles.
    for (after, stage) in
        [(5, ServiceStage::Draining), (105, ServiceStage::Deregistering), (150, ServiceStage::Settling)]
    {
        let world = World::new();
        let service = world.registered(world.service().settle(SETTLE)).await;
        if stage == ServiceStage::Deregistering {
            let deletes = Match::verbs([Verb::Delete, Verb::WriteAndDelete]);
            world.ensemble.fault(deletes, Fault::Delay(SOON));
        }
        let leaving = tokio::spawn({
            let service = service.clone();
            async move { service.leave().await }
        });
        sleep(Duration::from_millis(after)).await;
        assert_eq!(service.status().stage, stage);
        world.ensemble.refuse_connects(true);
        world.ensemble.cut();
        sleep(Duration::from_millis(10)).await;
        let status = service.status();
        assert_eq!(status.stage, stage, "the same step");
        assert!(!status.is_registered() && !status.link.is_connected(), "{stage:?}: {status}");
        let _ = leaving.await.unwrap();
    }
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
    let registered = timeout(SOON, service.registered()).await.expect("nobody waits for what never comes");
    assert!(registered.is_err() && !service.readiness().is_ready(), "{}", service.readiness());
    let late =
        Service::new(&world.zk, ROOT).serve_on(&"192.0.2.1:81".parse::<SocketAddr>().unwrap()).unwrap();
    assert!(timeout(SOON, late.registered()).await.expect("as little").is_err());
    sleep(SOON).await;
    let more = world.ensemble.requests(Match::any()).len() - requests;
    assert!(more <= 1, "only the session is closed: {more} requests");
    assert!(timeout(SOON, service.leave()).await.is_ok(), "it ends");
}

/// Writes one record, and panics at the next.
#[derive(Debug, Default)]
struct Defect(AtomicBool);

impl Format for Defect {
    fn name(&self) -> &'static str {
        "defect"
    }

    fn encode(&self, instance: &Instance) -> Result<Encoded, EncodeError> {
        assert!(!self.0.swap(true, Ordering::Relaxed), "a defect in a format");
        Plain.encode(instance)
    }

    fn decode_name(&self, segment: &str) -> Result<Option<Endpoint>, DecodeError> {
        Plain.decode_name(segment)
    }

    fn decode(&self, segment: &str, data: &[u8]) -> Result<Decoded, DecodeError> {
        Plain.decode(segment, data)
    }
}

#[tokio::test(start_paused = true)]
async fn a_task_that_panics_shows_and_nobody_waits_for_it() {
    let world = World::new();
    let service = world.service().format(Arc::new(Defect::default())).serve_on(&bound()).unwrap();
    assert!(timeout(SOON, service.registered()).await.expect("nobody waits for it").is_err());
    assert_eq!(service.liveness(), Liveness::TaskEnded);
    assert!(!service.readiness().is_ready());
    assert_eq!(timeout(SOON, service.leave()).await, Ok(Err(LeaveError::Ended)));
}

#[tokio::test(start_paused = true)]
async fn two_listeners_with_one_endpoint_are_one_instance_and_the_status_says_so() {
    let world = World::new();
    let bound = ["192.0.2.1:80", "192.0.2.2:80"].map(|text| text.parse::<SocketAddr>().unwrap());
    let advertise: Host = "web.example".parse().unwrap();
    let service = world.service().advertise(advertise).serve_on_all(bound).unwrap();
    world.until("it is registered", |world| world.listed() == ["web.example:80"]).await;
    let status = service.status();
    assert!(status.instances[1].refused.is_some() && !status.is_registered(), "{status}");
    service.leave().await.unwrap();
    assert_eq!(world.listed(), [""; 0]);
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
async fn an_address_of_the_program_that_nobody_can_call_shows_in_the_status_and_the_last_one_stays() {
    let world = World::new();
    let (address, addresses) = watch::channel(host("0.0.0.0"));
    let service = world.service().advertise_from(addresses).serve_on(&bound()).unwrap();
    let said = |text: &str| service.status().to_string().contains(text);
    world.until("the status says why there is no address", |_| said("yet: 0.0.0.0")).await;
    address.send_replace(host("198.51.100.1"));
    timeout(SOON, service.registered()).await.expect("registered soon").unwrap();
    assert_eq!(service.status().instances[0].address_trouble, None);
    address.send_replace(host("::"));
    world.until("it is tried", |_| service.status().instances[0].address_trouble.is_some()).await;
    sleep(SOON).await;
    assert_eq!(world.listed(), ["198.51.100.1:80"]);
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

/// Calls that were chosen before are still on their way, whatever made the service leave the list.
#[tokio::test(start_paused = true)]
async fn a_service_that_was_deregistered_as_sick_right_before_its_leave_settles_all_the_same() {
    let world = World::new();
    let (health, watched) = watch::channel(true);
    let check = HealthCheck::watch(watched).when_sick(WhenSick::Leave);
    let service = world.registered(world.service().settle(SETTLE).health(check)).await;
    health.send_replace(false);
    world.until("it is deregistered", |world| world.listed().is_empty()).await;
    let begun = Instant::now();
    sleep(SETTLE / 3).await;
    service.leave().await.unwrap();
    let took = begun.elapsed();
    assert!(took >= SETTLE - Duration::from_millis(5) && took < SETTLE * 2, "{took:?}");

    let world = World::new();
    let (health, watched) = watch::channel(true);
    let check = HealthCheck::watch(watched).when_sick(WhenSick::Leave);
    let service = world.registered(world.service().settle(SETTLE).health(check)).await;
    health.send_replace(false);
    sleep(SOON).await;
    let begun = Instant::now();
    service.leave().await.unwrap();
    assert!(begun.elapsed() < SETTLE / 2, "nobody calls it any more: {:?}", begun.elapsed());
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

// === At the worst moment ===

/// Panics at one host.
#[derive(Debug)]
struct DefectAt(&'static str);

impl Format for DefectAt {
    fn name(&self) -> &'static str {
        "defect"
    }

    fn encode(&self, instance: &Instance) -> Result<Encoded, EncodeError> {
        assert_ne!(instance.endpoint().host().to_string(), self.0, "a defect in a format");
        Plain.encode(instance)
    }

    fn decode_name(&self, segment: &str) -> Result<Option<Endpoint>, DecodeError> {
        Plain.decode_name(segment)
    }

    fn decode(&self, segment: &str, data: &[u8]) -> Result<Decoded, DecodeError> {
        assert_ne!(data, self.0.as_bytes(), "a defect in a format");
        Plain.decode(segment, data)
    }
}

/// The task of a registration, not that of the service.
#[tokio::test(start_paused = true)]
async fn a_registration_that_ends_by_a_defect_shows_in_liveness() {
    let world = World::new();
    let other = world.ensemble.operator();
    other.create_ephemeral(format!("{ROOT}/192.0.2.1:80"), "defect").unwrap();
    let service = world.service().format(Arc::new(DefectAt("defect"))).serve_on(&bound()).unwrap();
    let abandoned =
        |_: &World| service.status().instances[0].registration == Some(RegistrationStatus::Abandoned);
    world.until("its task ends", abandoned).await;
    assert_eq!(service.liveness(), Liveness::TaskEnded);
    assert!(timeout(SOON, service.leave()).await.expect("it ends").is_err());
}

#[tokio::test(start_paused = true)]
async fn a_task_that_panics_later_leaves_no_service_that_says_it_is_registered() {
    let world = World::new();
    let (address, addresses) = watch::channel(host("198.51.100.1"));
    let defect = Arc::new(DefectAt("198.51.100.2"));
    let service = world.registered(world.service().format(defect).advertise_from(addresses)).await;
    let mut statuses = service.statuses();
    address.send_replace(host("198.51.100.2"));
    world.until("its registration goes with it", |world| world.listed().is_empty()).await;
    assert_eq!(service.liveness(), Liveness::TaskEnded);
    assert_eq!(service.readiness(), Readiness::TaskEnded);
    assert!(!service.status().is_registered(), "{}", service.status());
    assert!(service.registered().await.is_err());
    assert!(service.registered_within(SOON).await.is_err());
    assert!(service.update(|record| record.weight = 1).is_err());
    assert_eq!(timeout(SOON, service.leave()).await, Ok(Err(LeaveError::Ended)));
    let end = timeout(SOON, statuses.wait_for(|status| status.stage.is_final())).await;
    assert!(matches!(end, Ok(Ok(_))), "who follows it learns of its end");
}

#[tokio::test(start_paused = true)]
async fn a_leave_that_succeeds_has_left_whatever_goes_on() {
    let mut confirmed = 0;
    for seed in 0..40 {
        let ensemble = SimulatedEnsemble::new(seed);
        let world = World { zk: ensemble.zk(), ensemble };
        let mut rng = SmallRng::seed_from_u64(seed);
        let (address, addresses) = watch::channel(host("198.51.100.1"));
        let (health, watched) = watch::channel(true);
        let when_sick = if seed.is_multiple_of(2) { WhenSick::Drain } else { WhenSick::Leave };
        let check = HealthCheck::watch(watched).when_sick(when_sick);
        let service = world.service().advertise_from(addresses).health(check).serve_on(&bound()).unwrap();
        world.ensemble.random_faults(Chaos::bad_day());
        for _ in 0..rng.random_range(0..12) {
            match rng.random_range(0..5) {
                0 | 1 => drop(address.send_replace(host(&format!("198.51.100.{}", rng.random_range(1..4))))),
                2 => drop(health.send_replace(rng.random())),
                3 => world.ensemble.cut(),
                _ => {
                    let session = world.ensemble.session_of(1).or(world.ensemble.session_of(0));
                    session.into_iter().for_each(|session| world.ensemble.expire(session));
                }
            }
            sleep(Duration::from_millis(rng.random_range(0..300))).await;
        }
        let begun = Instant::now();
        let left = service.leave().await;
        assert!(begun.elapsed() <= Duration::from_millis(1_900), "seed {seed}: {:?}", begun.elapsed());
        if left.is_ok() {
            confirmed += 1;
            assert_eq!(world.listed(), [""; 0], "seed {seed}");
        }
        world.ensemble.random_faults(Chaos::default());
        sleep(SOON).await;
        assert_eq!(world.listed(), [""; 0], "seed {seed}");
        assert_eq!(service.leave().await, left);
        world.zk.close(SOON).await.unwrap();
    }
    assert!(confirmed > 20, "{confirmed}");
}

#[tokio::test(start_paused = true)]
async fn an_address_that_flaps_costs_no_more_with_each_turn() {
    for linked in [true, false] {
        let world = World::new();
        let (address, addresses) = watch::channel(host("198.51.100.1"));
        let service = world.registered(world.service().advertise_from(addresses)).await;
        if !linked {
            world.ensemble.refuse_connects(true);
            world.ensemble.cut();
            sleep(Duration::from_millis(100)).await;
        }
        let handle = tokio::runtime::Handle::current();
        let before = handle.metrics().num_alive_tasks();
        for turn in 0..500 {
            address.send_replace(host(&format!("10.0.{}.{}", turn / 250, turn % 250 + 1)));
            sleep(Duration::from_millis(100)).await;
            let status = service.status();
            assert!(status.instances[0].former.len() <= 3, "linked: {linked}, {turn}: {status}");
        }
        let after = handle.metrics().num_alive_tasks();
        assert!(after <= before + 4, "linked: {linked}: {before} tasks, then {after}");
        world.ensemble.refuse_connects(false);
        world.until("the last one alone is listed", |world| world.listed() == ["10.0.1.250:80"]).await;
        timeout(SOON, service.leave()).await.expect("it leaves soon").unwrap();
        assert_eq!(world.listed(), [""; 0]);
    }
}

#[tokio::test(start_paused = true)]
async fn no_task_is_left_after_a_leave_and_the_close_of_the_link() {
    let ensemble = SimulatedEnsemble::new(7);
    let handle = tokio::runtime::Handle::current();
    let before = handle.metrics().num_alive_tasks();
    let world = World { zk: ensemble.zk(), ensemble };
    for how in 0..3 {
        let bound = [80, 81, 82].map(|port| SocketAddr::from(([192, 0, 2, how], port)));
        let check = HealthCheck::every(Duration::from_secs(1), async || true);
        let service = world.service().health(check).serve_on_all(bound).unwrap();
        timeout(SOON, service.registered()).await.expect("registered soon").unwrap();
        match how {
            0 => service.leave().await.unwrap(),
            1 => drop(service),
            _ => {
                let leaving = tokio::spawn(async move { service.leave().await });
                sleep(Duration::from_millis(50)).await;
                leaving.abort();
            }
        }
        world.until("it has left", |world| world.listed().is_empty()).await;
    }
    world.zk.close(SOON).await.unwrap();
    sleep(Duration::from_secs(1)).await;
    assert_eq!(handle.metrics().num_alive_tasks(), before);
}

#[tokio::test(start_paused = true)]
async fn of_two_services_with_one_endpoint_the_second_waits_and_follows_the_first() {
    for dropped in [false, true] {
        let world = World::new();
        let first = world.registered(world.service()).await;
        let second = world.service().weight(7).serve_on(&bound()).unwrap();
        sleep(SOON).await;
        let status = second.status();
        assert!(
            matches!(status.instances[0].registration, Some(RegistrationStatus::Conflict(_))),
            "{status}"
        );
        if dropped {
            drop(first);
        } else {
            first.leave().await.unwrap();
        }
        timeout(SOON, second.registered()).await.expect("registered soon").unwrap();
        assert_eq!(world.instance("192.0.2.1:80").unwrap().weight(), 7);
        let other = Service::new(&world.zk, "/services/other").serve_on(&bound()).unwrap();
        timeout(SOON, other.registered()).await.expect("registered soon").unwrap();
        second.leave().await.unwrap();
        assert!(other.status().is_registered(), "another root is another service");
    }
}

#[tokio::test(start_paused = true)]
async fn a_storm_of_updates_ends_in_the_last_one_and_starves_nothing() {
    let world = World::new();
    let service = world.registered(world.service()).await;
    let storm = tokio::spawn({
        let service = service.clone();
        async move {
            let mut sent = 0;
            while service.update(|record| record.weight = sent % 1_000).is_ok() {
                sent += 1;
                tokio::task::yield_now().await;
                if sent % 100 == 0 {
                    sleep(Duration::from_millis(1)).await;
                }
            }
            sent
        }
    });
    sleep(Duration::from_millis(100)).await;
    let writes = world.ensemble.requests(Match::verb(Verb::SetData)).len();
    assert!((2..250).contains(&writes), "{writes} writes in 100 round trips or fewer");
    timeout(SOON, service.leave()).await.expect("it leaves soon").unwrap();
    assert_eq!(world.listed(), [""; 0]);
    assert!(storm.await.unwrap() > 5_000);
}

// === All of it ===

/// One day of a service whose address, health and record change, on an ensemble with faults: what it ends in.
async fn bad_day(seed: u64) {
    let ensemble = SimulatedEnsemble::new(seed);
    let world = World { zk: ensemble.zk(), ensemble };
    let mut rng = SmallRng::seed_from_u64(seed);
    let (address, addresses) = watch::channel(host("198.51.100.1"));
    let (health, watched) = watch::channel(true);
    let when_sick = if seed.is_multiple_of(2) { WhenSick::Drain } else { WhenSick::Leave };
    let check = HealthCheck::watch(watched).when_sick(when_sick);
    let service =
        world.service().advertise_from(addresses).health(check).settle(SETTLE).serve_on(&bound()).unwrap();
    world.ensemble.random_faults(Chaos::bad_day());
    let mut last = 1;
    for step in 0..40 {
        match rng.random_range(0..6) {
            0 => {
                last = rng.random_range(1..4);
                address.send_replace(host(&format!("198.51.100.{last}")));
            }
            1 => drop(health.send_replace(rng.random())),
            2 => world.ensemble.cut(),
            3 => world.ensemble.refuse_connects(rng.random()),
            _ => service.update(|record| record.weight = step).unwrap(),
        }
        sleep(Duration::from_millis(rng.random_range(0..2_000))).await;
    }
    world.ensemble.random_faults(Chaos::default());
    world.ensemble.refuse_connects(false);
    health.send_replace(true);
    service.update(|record| record.weight = 1_000).unwrap();
    let name = format!("198.51.100.{last}:80");
    let is_right = |world: &World| {
        let is_alone = world.listed() == [name.as_str()];
        is_alone && world.instance(&name).is_some_and(|one| one.weight() == 1_000 && !one.is_draining())
    };
    world.until(&format!("seed {seed}: {name} alone is registered, with the last record"), is_right).await;
    // And it stays so, and the status says so.
    for _ in 0..10 {
        sleep(Duration::from_secs(6)).await;
        assert!(is_right(&world), "seed {seed}: {:?}", world.listed());
    }
    let status = service.status();
    assert!(status.is_registered() && !status.draining, "seed {seed}: {status}");
    assert_eq!((service.readiness(), status.instances[0].former.len()), (Readiness::Ready, 0), "seed {seed}");
    timeout(SOON, service.leave()).await.expect("it leaves soon").unwrap();
    assert_eq!(world.listed(), [""; 0], "seed {seed}");
    world.zk.close(SOON).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn after_any_bad_day_a_service_is_registered_once_and_leaves_nothing_behind() {
    for seed in 0..12 {
        bad_day(seed).await;
    }
}
