//! The health of one endpoint through all its transitions, in paused time.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::time::Duration;

use balance::{
    Balancer, BalancerConfig, Ejection, EntryChange, Failure, Health, MEMORY, Pick, Reader, Strategy,
};
use common::{Value, balancer, fail, status};
use tokio::time::advance;

const OBSERVED: u32 = 0;
const OTHER: u32 = 1;

fn two() -> (Balancer<u32, ()>, Reader<u32, ()>) {
    let balancer = balancer(BalancerConfig::new(Strategy::RoundRobin), [OBSERVED, OTHER]);
    let reader = balancer.reader();
    (balancer, reader)
}

/// Picks the observed endpoint, or nothing if it is avoided. One pick in 20 may be a trial.
fn pick(reader: &mut Reader<u32, ()>) -> Option<Pick<u32, ()>> {
    (0..25).find_map(|_| reader.pick().ok().filter(|pick| *pick.key() == OBSERVED))
}

/// Returns the remaining time of the ejection, which is about `about_ms`, within a quarter.
fn remaining<V>(balancer: &Balancer<u32, V>, about_ms: u64) -> Duration
where
    V: balance::EndpointInfo + Send + Sync + 'static,
{
    let Health::Ejected { remaining } = status(balancer, OBSERVED).health else {
        panic!("not ejected: {:?}", status(balancer, OBSERVED));
    };
    let ms = u64::try_from(remaining.as_millis()).unwrap();
    assert!(
        (about_ms * 3 / 4 - 1..=about_ms * 5 / 4 + 1).contains(&ms),
        "{ms} ms is not about {about_ms} ms"
    );
    remaining
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_goes_from_service_through_ejection_and_probation_back_to_service() {
    let (balancer, mut reader) = two();
    assert_eq!(status(&balancer, OBSERVED).health, Health::InService);

    // In service -> ejected.
    pick(&mut reader).unwrap().fail(Failure::Timeout);
    let left = remaining(&balancer, 200);
    assert!(pick(&mut reader).is_none());
    advance(left - Duration::from_millis(1)).await;
    assert!(pick(&mut reader).is_none());

    // Ejected -> on probation, with one trial, which is dropped.
    advance(Duration::from_millis(1)).await;
    assert_eq!(status(&balancer, OBSERVED).health, Health::OnProbation { trial: false });
    let trial = pick(&mut reader).unwrap();
    assert!(trial.is_trial());
    assert_eq!(status(&balancer, OBSERVED).health, Health::OnProbation { trial: true });
    assert!(pick(&mut reader).is_none(), "there is one trial at a time");
    drop(trial);
    assert_eq!(status(&balancer, OBSERVED).health, Health::OnProbation { trial: false });

    // On probation -> ejected for longer and longer.
    for about_ms in [400, 800, 1600, 3200, 6400, 10_000, 10_000] {
        pick(&mut reader).unwrap().fail(Failure::Timeout);
        advance(remaining(&balancer, about_ms)).await;
    }
    assert_eq!(status(&balancer, OBSERVED).ejections, 8);

    // On probation -> in service.
    pick(&mut reader).unwrap().succeed();
    let now = status(&balancer, OBSERVED);
    assert_eq!((now.health, now.ejections, now.in_flight), (Health::InService, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn an_ejection_is_forgotten_after_twice_its_time_in_service_and_not_before() {
    for (short_of, about_ms) in [(1, 400), (0, 200)] {
        let (balancer, mut reader) = two();
        pick(&mut reader).unwrap().fail(Failure::Timeout);
        let lasts = remaining(&balancer, 200);
        advance(lasts).await;
        pick(&mut reader).unwrap().succeed();
        advance(2 * lasts - Duration::from_millis(short_of)).await;
        pick(&mut reader).unwrap().fail(Failure::Timeout);
        remaining(&balancer, about_ms);
    }
}

#[tokio::test(start_paused = true)]
async fn an_ejection_is_never_shorter_than_what_the_failure_took() {
    let (balancer, mut reader) = two();
    let slow = pick(&mut reader).unwrap().began_at(tokio::time::Instant::now());
    advance(Duration::from_secs(20)).await;
    slow.fail(Failure::Timeout);
    assert_eq!(status(&balancer, OBSERVED).health, Health::Ejected { remaining: Duration::from_secs(20) });
}

#[tokio::test(start_paused = true)]
async fn a_trial_that_nobody_settles_expires_and_makes_room_for_another() {
    let (balancer, mut reader) = two();
    pick(&mut reader).unwrap().fail(Failure::Timeout);
    advance(Duration::from_millis(250)).await;
    let lost = pick(&mut reader).unwrap();
    advance(Duration::from_millis(29_999)).await;
    assert!(pick(&mut reader).is_none());
    advance(Duration::from_millis(1)).await;
    let next = pick(&mut reader).unwrap();
    assert!(next.is_trial());
    drop(lost);
    assert_eq!(status(&balancer, OBSERVED).health, Health::OnProbation { trial: true });
    next.succeed();
    assert_eq!(status(&balancer, OBSERVED).health, Health::InService);
}

#[tokio::test(start_paused = true)]
async fn concurrent_calls_that_fail_eject_once() {
    let (balancer, mut reader) = two();
    let picks: Vec<_> = (0..50).map(|_| pick(&mut reader).unwrap()).collect();
    assert_eq!(status(&balancer, OBSERVED).in_flight, 50);
    picks.into_iter().for_each(|pick| pick.fail(Failure::Reset));
    remaining(&balancer, 200);
    assert_eq!((status(&balancer, OBSERVED).in_flight, status(&balancer, OBSERVED).ejections), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn a_late_success_does_not_end_the_ejection() {
    let (balancer, mut reader) = two();
    let early = pick(&mut reader).unwrap();
    pick(&mut reader).unwrap().fail(Failure::Refused);
    early.succeed();
    remaining(&balancer, 200);
}

#[tokio::test(start_paused = true)]
async fn a_dropped_pick_does_not_change_the_health() {
    let (balancer, mut reader) = two();
    let dropped = pick(&mut reader).unwrap();
    assert_eq!(status(&balancer, OBSERVED).in_flight, 1);
    drop(dropped);
    let now = status(&balancer, OBSERVED);
    assert_eq!((now.in_flight, now.health), (0, Health::InService));
}

#[tokio::test(start_paused = true)]
async fn soft_failures_eject_at_the_fifth_in_a_row_and_no_more_than_half_of_the_set() {
    let balancer = balancer(BalancerConfig::default(), 0..4);
    let mut reader = balancer.reader();
    (0..4).for_each(|_| fail(&mut reader, OBSERVED, Failure::Overloaded));
    reader.pick_where(|key| *key == OBSERVED).unwrap().succeed();
    (0..4).for_each(|_| fail(&mut reader, OBSERVED, Failure::Unavailable));
    assert_eq!(status(&balancer, OBSERVED).health, Health::InService);
    fail(&mut reader, OBSERVED, Failure::Overloaded);
    remaining(&balancer, 200);

    let out = || balancer.status().into_iter().filter(|status| status.health != Health::InService).count();
    (1..4).for_each(|key| (0..40).for_each(|_| fail(&mut reader, key, Failure::Unavailable)));
    assert_eq!(out(), 2);
    // What proves that an endpoint cannot answer is not limited.
    (1..4).for_each(|key| fail(&mut reader, key, Failure::Timeout));
    assert_eq!(out(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_share_of_failures_among_the_last_calls_ejects() {
    let ejection = Ejection::default().with_consecutive(32, 32).unwrap().with_failure_share(0.25).unwrap();
    let balancer = balancer(BalancerConfig::default().with_ejection(ejection), 0..4);
    let mut reader = balancer.reader();
    // One failure in five never comes to a quarter of 32 calls.
    let call = |reader: &mut Reader<u32, ()>, n: usize, one_in: usize| {
        let pick = reader.pick_where(|key| *key == OBSERVED).unwrap();
        if n.is_multiple_of(one_in) { pick.fail(Failure::Reset) } else { pick.succeed() }
    };
    (0..200).for_each(|n| call(&mut reader, n, 5));
    assert_eq!(status(&balancer, OBSERVED).health, Health::InService);
    let is_in_service = || status(&balancer, OBSERVED).health == Health::InService;
    assert!((0..40).filter(|_| is_in_service()).map(|n| call(&mut reader, n, 4)).count() <= 32);
    remaining(&balancer, 200);
}

#[tokio::test(start_paused = true)]
async fn updates_and_short_absences_keep_health_and_load() {
    let (balancer, mut reader) = two();
    let set = |keys: &[u32]| balancer.update(keys.iter().map(|key| (*key, ())));
    let in_flight = pick(&mut reader).unwrap();
    pick(&mut reader).unwrap().fail(Failure::Refused);

    set(&[OTHER, 2, OBSERVED]);
    remaining(&balancer, 200);
    set(&[OTHER]);
    set(&[OBSERVED, OTHER]);
    remaining(&balancer, 200);
    assert_eq!(status(&balancer, OBSERVED).in_flight, 1);
    drop(in_flight);
    assert_eq!(status(&balancer, OBSERVED).in_flight, 0);

    for (absence, expected) in [
        (MEMORY, Health::OnProbation { trial: false }),
        (MEMORY + Duration::from_millis(1), Health::InService),
    ] {
        balancer.apply([EntryChange::Remove(OBSERVED)]);
        advance(absence).await;
        balancer.apply([EntryChange::Insert(OBSERVED, ())]);
        assert_eq!(status(&balancer, OBSERVED).health, expected);
    }
}

#[tokio::test(start_paused = true)]
async fn health_belongs_to_an_incarnation() {
    let balancer = Balancer::new(BalancerConfig::default());
    let set = |value: Value| {
        balancer.apply([EntryChange::Insert(OBSERVED, value), EntryChange::Insert(OTHER, Value::of(1))])
    };
    let mut reader = balancer.reader();
    set(Value::default());
    fail(&mut reader, OBSERVED, Failure::Timeout);
    // It becomes known, and unknown: the same process as far as anybody knows.
    for value in [Value::of(7), Value::default(), Value::of(7)] {
        set(value);
        remaining(&balancer, 200);
    }
    let late = reader.pick_where(|key| *key == OBSERVED).unwrap();
    // Unknown for a while: it is remembered who it was.
    set(Value::default());
    set(Value::of(8));
    assert_eq!(status(&balancer, OBSERVED).health, Health::InService);
    assert_eq!(status(&balancer, OBSERVED).in_flight, 0, "the call is one to the process before");
    late.fail(Failure::Refused);
    assert_eq!(status(&balancer, OBSERVED).health, Health::InService);

    fail(&mut reader, OBSERVED, Failure::Timeout);
    balancer.apply([EntryChange::Remove(OBSERVED)]);
    set(Value::of(8));
    remaining(&balancer, 200);
    balancer.apply([EntryChange::Remove(OBSERVED)]);
    set(Value::of(9));
    assert_eq!(status(&balancer, OBSERVED).health, Health::InService);
}

#[tokio::test(start_paused = true)]
async fn the_cap_on_soft_ejections_is_a_share_of_those_that_may_be_called() {
    let config = BalancerConfig::default().with_label("version", "2");
    let balancer = Balancer::new(config);
    let of = |version| Value::default().with_tag("version", version);
    balancer.update((0..100).map(|key| (key, of(if key < 4 { "2" } else { "1" }))));
    let mut reader = balancer.reader();
    for key in 0..4 {
        (0..5).for_each(|_| fail(&mut reader, key, Failure::Unavailable));
    }
    let is_in_service = |key: &u32| status(&balancer, *key).health == Health::InService;
    assert_eq!((0..4).filter(is_in_service).count(), 2);
}
