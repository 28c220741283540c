//! A second attempt in a race with a slow one.

use std::io;

use balance::{Budget, CallConfig, Caller, GaveUp, Health};
use tokio::time::{Instant, sleep};

use crate::common::{Log, Set, To, act, balancer, in_service, logged, ms, status};

fn hedging(balancer: &Set) -> Caller<&'static str, ()> {
    Caller::new(balancer.reader(), config())
}

fn config() -> CallConfig {
    CallConfig::default().with_idempotent(true).with_hedge_after(ms(20)).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_slow_attempt_gets_a_rival_elsewhere_and_the_first_answer_counts() {
    let balancer = balancer(["hangs", "quick"]);
    let (caller, log) = (hedging(&balancer), Log::default());
    let mut raced = 0;
    for _ in 0..2 {
        let began = Instant::now();
        let answered = caller.call_idempotent(logged(&log)).await.unwrap();
        assert_eq!(*answered.key(), "quick");
        if answered.attempts == 2 {
            raced += 1;
            assert_eq!(began.elapsed(), ms(25));
        }
        assert_eq!(log.take().len(), answered.attempts);
    }
    assert_eq!(raced, 1);
    assert!(balancer.status().iter().all(|status| status.in_flight == 0));
}

#[tokio::test(start_paused = true)]
async fn an_attempt_in_time_has_no_rival() {
    let balancer = balancer(["quick-1", "quick-2"]);
    let caller = hedging(&balancer);
    for _ in 0..10 {
        assert_eq!(caller.call(act).await.unwrap().attempts, 1);
    }
}

#[tokio::test(start_paused = true)]
async fn only_idempotent_calls_are_hedged() {
    let balancer = balancer(["slow-1", "slow-2"]);
    let config = CallConfig::default().with_hedge_after(ms(20)).unwrap();
    let caller = Caller::new(balancer.reader(), config);
    assert_eq!(caller.call(act).await.unwrap().attempts, 1);
    assert_eq!(caller.call_idempotent(act).await.unwrap().attempts, 2);
}

#[tokio::test(start_paused = true)]
async fn a_hedge_costs_a_retry_and_without_one_there_is_none() {
    let balancer = balancer(["slow-1", "slow-2"]);
    let budget = Budget::new(0.0, 1, ms(1000)).unwrap();
    let caller = Caller::new(balancer.reader(), config().with_budget(budget));
    assert_eq!(caller.call(act).await.unwrap().attempts, 2);
    assert_eq!(caller.call(act).await.unwrap().attempts, 1);
}

#[tokio::test(start_paused = true)]
async fn a_failed_attempt_in_a_race_leaves_it_to_the_other_one() {
    let balancer = balancer(["a", "b"]);
    let caller = hedging(&balancer);
    let began = Instant::now();
    // The first one, whichever it is, breaks after its rival has begun.
    let call = caller.call(|_: To| {
        let is_first = began.elapsed() < ms(20);
        async move {
            sleep(if is_first { ms(30) } else { ms(50) }).await;
            if is_first { Err(io::Error::from(io::ErrorKind::ConnectionReset)) } else { Ok(()) }
        }
    });
    assert_eq!(call.await.unwrap().attempts, 2);
    assert_eq!(began.elapsed(), ms(70));
    assert_eq!(balancer.status().iter().filter(|status| status.health == Health::InService).count(), 1);
}

#[tokio::test(start_paused = true)]
async fn when_both_fail_the_call_goes_on() {
    let balancer = balancer(["a", "b", "c"]);
    let caller = hedging(&balancer);
    let began = Instant::now();
    let call = caller.call(|_: To| {
        let is_late = began.elapsed() >= ms(40);
        async move {
            sleep(ms(30)).await;
            if is_late { Ok(()) } else { Err(io::Error::from(io::ErrorKind::ConnectionReset)) }
        }
    });
    // The second one begins after 20 ms and fails after 50; then there is a third, and its rival has nobody left.
    assert_eq!(call.await.unwrap().attempts, 3);
    assert_eq!(began.elapsed(), ms(80));
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_that_loses_race_after_race_is_ejected_and_one_race_is_nothing() {
    let balancer = balancer(["hangs", "quick"]);
    let caller = hedging(&balancer);
    // It never has its fair time, which is 50 ms: others answer after 25.
    let mut lost = 0;
    while in_service(&balancer, "hangs") {
        lost += usize::from(caller.call(act).await.unwrap().attempts == 2);
        assert!(lost <= 5, "{balancer:?}");
    }
    assert_eq!(lost, 5);
    assert!(in_service(&balancer, "quick"));
}

#[tokio::test(start_paused = true)]
async fn the_later_of_two_attempts_is_not_blamed_for_losing() {
    let balancer = balancer(["a", "b"]);
    let caller = hedging(&balancer);
    for _ in 0..50 {
        let call = caller.call(|_: To| async move {
            sleep(ms(21)).await;
            Ok::<_, io::Error>(())
        });
        assert_eq!(call.await.unwrap().attempts, 2);
    }
    assert!(balancer.status().iter().all(|status| status.health == Health::InService));
}

#[tokio::test(start_paused = true)]
async fn a_race_ends_with_the_time_of_the_call() {
    let balancer = balancer(["hangs-1", "hangs-2"]);
    let config = CallConfig::new(ms(1000), ms(1000)).unwrap().with_hedge_after(ms(600)).unwrap();
    let caller = Caller::new(balancer.reader(), config);
    let error = caller.call_idempotent(act).await.unwrap_err();
    assert_eq!((error.reason(), error.count()), (GaveUp::OutOfTime, 2));
    assert_eq!(error.elapsed().as_millis() / 10, 100);
    // The second one had 400 ms, and that is not half of an attempt.
    let out = ["hangs-1", "hangs-2"].map(|key| status(&balancer, key).health == Health::InService);
    assert_eq!(out.iter().filter(|in_service| **in_service).count(), 1);
}
