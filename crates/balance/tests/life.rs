//! The life of one endpoint, in paused time.

use std::time::Duration;

use balance::{Balancer, Config, EndpointStatus, Failure, Health, MEMORY, Pick, Strategy};
use tokio::time::advance;

const OTHER: &str = "other";
const WALKED: &str = "walked";

fn balancer() -> Balancer<&'static str> {
    let balancer = Balancer::new(Config::new(Strategy::RoundRobin).with_seed(1));
    balancer.update([WALKED, OTHER]);
    balancer
}

fn status(balancer: &Balancer<&'static str>) -> EndpointStatus<&'static str> {
    balancer.status().into_iter().find(|status| status.key == WALKED).expect("it is in the set")
}

/// Picks the walked endpoint, or nothing if it is avoided.
fn pick(balancer: &Balancer<&'static str>) -> Option<Pick<&'static str>> {
    (0..10).find_map(|_| balancer.pick().ok().filter(|pick| *pick.key() == WALKED))
}

/// Returns for how much longer it is ejected, which is the given time give or take a quarter.
fn remaining(balancer: &Balancer<&'static str>, about_ms: u64) -> Duration {
    let Health::Ejected { remaining } = status(balancer).health else {
        panic!("not ejected: {:?}", status(balancer));
    };
    let ms = u64::try_from(remaining.as_millis()).expect("a short time");
    assert!((about_ms * 3 / 4 - 1..=about_ms * 5 / 4).contains(&ms), "{ms} ms is not about {about_ms} ms");
    remaining
}

#[tokio::test(start_paused = true)]
async fn it_goes_from_service_through_ejection_and_probation_back_to_service() {
    let balancer = balancer();
    assert_eq!(status(&balancer).health, Health::InService);

    // In service -> ejected.
    pick(&balancer).unwrap().fail(Failure::Timeout);
    let left = remaining(&balancer, 200);
    assert!(pick(&balancer).is_none());
    advance(left - Duration::from_millis(1)).await;
    assert!(pick(&balancer).is_none());

    // Ejected -> on probation, with one trial, which is lost.
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

    // On probation -> in service, with the past forgotten.
    pick(&balancer).unwrap().succeed();
    let now = status(&balancer);
    assert_eq!((now.health, now.failures, now.in_flight), (Health::InService, 0, 0));
    pick(&balancer).unwrap().fail(Failure::Timeout);
    remaining(&balancer, 200);
}

#[tokio::test(start_paused = true)]
async fn calls_that_fail_together_eject_as_one() {
    let balancer = balancer();
    let picks: Vec<_> = (0..50).map(|_| pick(&balancer).unwrap()).collect();
    assert_eq!(status(&balancer).in_flight, 50);
    picks.into_iter().for_each(|pick| pick.fail(Failure::Reset));
    remaining(&balancer, 200);
    assert_eq!(status(&balancer).in_flight, 0);
}

#[tokio::test(start_paused = true)]
async fn a_late_success_does_not_bring_it_back() {
    let balancer = balancer();
    let early = pick(&balancer).unwrap();
    pick(&balancer).unwrap().fail(Failure::Refused);
    early.succeed();
    remaining(&balancer, 200);
}

#[tokio::test(start_paused = true)]
async fn a_pick_that_is_dropped_says_nothing() {
    let balancer = balancer();
    let dropped = pick(&balancer).unwrap();
    assert_eq!(status(&balancer).in_flight, 1);
    drop(dropped);
    assert_eq!((status(&balancer).in_flight, status(&balancer).health), (0, Health::InService));
}

#[tokio::test(start_paused = true)]
async fn updates_and_short_absences_keep_what_is_known() {
    let balancer = balancer();
    let in_flight = pick(&balancer).unwrap();
    pick(&balancer).unwrap().fail(Failure::Refused);

    balancer.update([OTHER, "new", WALKED]);
    remaining(&balancer, 200);
    balancer.update([OTHER]);
    balancer.update([WALKED, OTHER]);
    remaining(&balancer, 200);
    assert_eq!(status(&balancer).in_flight, 1);
    drop(in_flight);
    assert_eq!(status(&balancer).in_flight, 0);

    balancer.update([OTHER]);
    advance(MEMORY + Duration::from_millis(1)).await;
    balancer.update([WALKED, OTHER]);
    assert_eq!(status(&balancer).health, Health::InService);
}
