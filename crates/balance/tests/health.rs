//! The health of one endpoint through all its transitions, in paused time.

use std::time::Duration;

use balance::{Balancer, Config, EndpointStatus, Failure, Health, MEMORY, Pick, Strategy};
use tokio::time::advance;

const OTHER: &str = "other";
const OBSERVED: &str = "observed";

fn balancer() -> Balancer<&'static str> {
    let balancer = Balancer::new(Config::new(Strategy::RoundRobin).with_seed(1));
    balancer.update([OBSERVED, OTHER]);
    balancer
}

fn status(balancer: &Balancer<&'static str>) -> EndpointStatus<&'static str> {
    balancer.status().into_iter().find(|status| status.key == OBSERVED).expect("the endpoint is in the set")
}

/// Picks the observed endpoint, or nothing if it is avoided.
fn pick(balancer: &Balancer<&'static str>) -> Option<Pick<&'static str>> {
    (0..10).find_map(|_| balancer.pick().ok().filter(|pick| *pick.key() == OBSERVED))
}

/// Returns the remaining time of the ejection, which is about `about_ms`, within a quarter.
fn remaining(balancer: &Balancer<&'static str>, about_ms: u64) -> Duration {
    let Health::Ejected { remaining } = status(balancer).health else {
        panic!("not ejected: {:?}", status(balancer));
    };
    let ms = u64::try_from(remaining.as_millis()).expect("a short time");
    assert!((about_ms * 3 / 4 - 1..=about_ms * 5 / 4).contains(&ms), "{ms} ms is not about {about_ms} ms");
    remaining
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_goes_from_service_through_ejection_and_probation_back_to_service() {
    let balancer = balancer();
    assert_eq!(status(&balancer).health, Health::InService);

    // In service -> ejected.
    pick(&balancer).unwrap().fail(Failure::Timeout);
    let left = remaining(&balancer, 200);
    assert!(pick(&balancer).is_none());
    advance(left - Duration::from_millis(1)).await;
    assert!(pick(&balancer).is_none());

    // Ejected -> on probation, with one trial, which is dropped.
    advance(Duration::from_millis(1)).await;
    assert_eq!(status(&balancer).health, Health::OnProbation { trial: false });
    let trial = pick(&balancer).unwrap();
    assert_eq!(status(&balancer).health, Health::OnProbation { trial: true });
    assert!(pick(&balancer).is_none(), "there is one trial at a time");
    drop(trial);
    assert_eq!(status(&balancer).health, Health::OnProbation { trial: false });

    // On probation -> ejected for longer and longer.
    for about_ms in [400, 800, 1600, 3200, 6400, 10_000, 10_000] {
        pick(&balancer).unwrap().fail(Failure::Timeout);
        advance(remaining(&balancer, about_ms)).await;
    }
    assert_eq!(status(&balancer).failures, 8);

    // On probation -> in service, with no failures.
    pick(&balancer).unwrap().succeed();
    let now = status(&balancer);
    assert_eq!((now.health, now.failures, now.in_flight), (Health::InService, 0, 0));
    pick(&balancer).unwrap().fail(Failure::Timeout);
    remaining(&balancer, 200);
}

#[tokio::test(start_paused = true)]
async fn concurrent_calls_that_fail_eject_once() {
    let balancer = balancer();
    let picks: Vec<_> = (0..50).map(|_| pick(&balancer).unwrap()).collect();
    assert_eq!(status(&balancer).in_flight, 50);
    picks.into_iter().for_each(|pick| pick.fail(Failure::Reset));
    remaining(&balancer, 200);
    assert_eq!(status(&balancer).in_flight, 0);
}

#[tokio::test(start_paused = true)]
async fn a_late_success_does_not_end_the_ejection() {
    let balancer = balancer();
    let early = pick(&balancer).unwrap();
    pick(&balancer).unwrap().fail(Failure::Refused);
    early.succeed();
    remaining(&balancer, 200);
}

#[tokio::test(start_paused = true)]
async fn a_dropped_pick_does_not_change_the_health() {
    let balancer = balancer();
    let dropped = pick(&balancer).unwrap();
    assert_eq!(status(&balancer).in_flight, 1);
    drop(dropped);
    assert_eq!((status(&balancer).in_flight, status(&balancer).health), (0, Health::InService));
}

#[tokio::test(start_paused = true)]
async fn updates_and_short_absences_keep_the_health() {
    let balancer = balancer();
    let in_flight = pick(&balancer).unwrap();
    pick(&balancer).unwrap().fail(Failure::Refused);

    balancer.update([OTHER, "new", OBSERVED]);
    remaining(&balancer, 200);
    balancer.update([OTHER]);
    balancer.update([OBSERVED, OTHER]);
    remaining(&balancer, 200);
    assert_eq!(status(&balancer).in_flight, 1);
    drop(in_flight);
    assert_eq!(status(&balancer).in_flight, 0);

    balancer.update([OTHER]);
    advance(MEMORY + Duration::from_millis(1)).await;
    balancer.update([OBSERVED, OTHER]);
    assert_eq!(status(&balancer).health, Health::InService);
}
