//! Trials of ejected endpoints: in line, and beside calls.

use balance::{CallConfig, Caller, Failure, Health};
use tokio::time::{Instant, sleep};

use crate::common::{Log, Set, act, balancer, caller, in_service, logged, ms, named, status};

/// Ejects endpoints for at least a second, or shorter if they are not said to have hung.
async fn eject(balancer: &Set, keys: impl IntoIterator<Item = &'static str>) {
    for key in keys {
        balancer.reader().pick_where(|k| *k == key).unwrap().fail(Failure::Reset);
    }
    sleep(ms(300)).await;
}

#[tokio::test(start_paused = true)]
async fn an_idempotent_call_starts_one_trial_beside_it_and_does_not_wait() {
    let balancer = balancer(["hangs-1", "hangs-2", "good"]);
    eject(&balancer, ["hangs-1", "hangs-2"]).await;
    let (caller, log, began) = (caller(&balancer), Log::default(), Instant::now());
    let answered = caller.call_idempotent(logged(&log)).await.unwrap();
    assert_eq!((*answered.key(), answered.attempts), ("good", 1));
    assert_eq!(log.take(), [("good", false)]);
    sleep(ms(1)).await;
    // The first that was ejected is the first that is tried.
    assert_eq!(log.take(), [("hangs-1", true)]);
    assert_eq!(status(&balancer, "hangs-1").health, Health::OnProbation { trial: true });
    caller.call_idempotent(logged(&log)).await.unwrap();
    sleep(ms(1)).await;
    assert_eq!(log.take(), [("good", false), ("hangs-2", true)]);
    assert_eq!(began.elapsed(), ms(2));
    sleep(ms(1000)).await;
    assert!(matches!(status(&balancer, "hangs-1").health, Health::Ejected { .. }));
}

#[tokio::test(start_paused = true)]
async fn a_trial_beside_a_call_brings_an_endpoint_back() {
    let balancer = balancer(["good-1", "good-2"]);
    eject(&balancer, ["good-1"]).await;
    let caller = caller(&balancer);
    assert_eq!(*caller.call_idempotent(act).await.unwrap().key(), "good-2");
    sleep(ms(1)).await;
    assert!(in_service(&balancer, "good-1"));
}

#[tokio::test(start_paused = true)]
async fn at_most_eight_trials_are_under_way() {
    let balancer = balancer(named("hangs", 20).chain(["good"]));
    eject(&balancer, named("hangs", 20)).await;
    let (caller, log) = (caller(&balancer), Log::default());
    for _ in 0..30 {
        caller.call_idempotent(logged(&log)).await.unwrap();
    }
    sleep(ms(500)).await;
    let log = log.take();
    assert_eq!(log.iter().filter(|(_, is_trial)| *is_trial).count(), 8);
    assert_eq!(log.len(), 38);
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_a_trial_ends_only_the_trial() {
    let balancer = balancer(["bad", "good"]);
    eject(&balancer, ["bad"]).await;
    let caller = caller(&balancer);
    let call = caller.call_idempotent(async |target: crate::common::To| match target.is_trial() {
        true => panic!("this panic is meant"),
        false => Ok::<_, std::io::Error>(()),
    });
    call.await.unwrap();
    sleep(ms(1)).await;
    assert_eq!(status(&balancer, "bad").health, Health::OnProbation { trial: false });
    assert_eq!(status(&balancer, "bad").in_flight, 0);
}

#[tokio::test(start_paused = true)]
async fn shutdown_ends_the_trials_and_calls_go_on_without() {
    let balancer = balancer(["hangs", "good"]);
    eject(&balancer, ["hangs"]).await;
    let (caller, log) = (caller(&balancer), Log::default());
    caller.call_idempotent(logged(&log)).await.unwrap();
    sleep(ms(1)).await;
    assert_eq!(status(&balancer, "hangs").in_flight, 1);
    caller.shutdown().await;
    assert_eq!(status(&balancer, "hangs").in_flight, 0);
    assert_eq!(status(&balancer, "hangs").health, Health::OnProbation { trial: false });
    log.take();
    caller.call_idempotent(logged(&log)).await.unwrap();
    sleep(ms(1)).await;
    assert_eq!(log.take(), [("good", false)]);
}

#[tokio::test(start_paused = true)]
async fn the_last_clone_ends_the_trials() {
    let balancer = balancer(["hangs", "good"]);
    eject(&balancer, ["hangs"]).await;
    let caller = caller(&balancer);
    let clone = caller.clone();
    caller.call_idempotent(act).await.unwrap();
    drop(caller);
    sleep(ms(1)).await;
    assert_eq!(status(&balancer, "hangs").in_flight, 1);
    drop(clone);
    sleep(ms(1)).await;
    assert_eq!(status(&balancer, "hangs").in_flight, 0);
}

#[tokio::test(start_paused = true)]
async fn other_calls_make_a_trial_of_one_pick_in_twenty_with_half_of_their_time() {
    let balancer = balancer(named("hangs", 3).chain(["good"]));
    eject(&balancer, named("hangs", 3)).await;
    let config = CallConfig::new(ms(1000), ms(1000)).unwrap().with_idempotent(true);
    let (caller, log) = (Caller::new(balancer.reader(), config), Log::default());
    let (mut trials, began) = (0, Instant::now());
    for _ in 0..60 {
        // Each is answered: half of the time is left after a trial.
        caller.call(logged(&log)).await.unwrap();
        let tried = log.take();
        let in_trial = tried.iter().filter(|(_, is_trial)| *is_trial).count();
        assert!(in_trial == 0 || (in_trial == 1 && tried[0].1), "{tried:?}");
        trials += in_trial;
    }
    assert!((2..=3).contains(&trials), "{trials}");
    assert!(began.elapsed() >= ms(500) && began.elapsed() <= ms(510 * 3), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn the_own_attempts_of_an_idempotent_call_are_no_trials() {
    let balancer = balancer(named("refuses", 5).chain(["good"]));
    eject(&balancer, named("refuses", 5)).await;
    let (caller, log) = (caller(&balancer), Log::default());
    for _ in 0..100 {
        assert_eq!(caller.call_idempotent(logged(&log)).await.unwrap().attempts, 1);
        sleep(ms(50)).await;
    }
    assert!(log.take().iter().all(|(key, is_trial)| *is_trial == (*key != "good")));
}

#[tokio::test(start_paused = true)]
async fn a_trial_that_is_never_settled_expires() {
    let balancer = balancer(["good-1", "good-2"]);
    eject(&balancer, ["good-1"]).await;
    let mut reader = balancer.reader();
    let lost = (0..30).map(|_| reader.pick().unwrap()).find(balance::Pick::is_trial).unwrap();
    std::mem::forget(lost);
    let (caller, log, began) = (caller(&balancer), Log::default(), Instant::now());
    while !in_service(&balancer, "good-1") {
        caller.call_idempotent(logged(&log)).await.unwrap();
        sleep(ms(100)).await;
        assert!(began.elapsed() < ms(31_000), "it expires");
    }
    assert!(began.elapsed() >= ms(29_000), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_set_that_is_all_out_of_service_is_called_nevertheless() {
    let balancer = balancer(["good-1", "good-2"]);
    eject(&balancer, ["good-1", "good-2"]).await;
    let caller = caller(&balancer);
    caller.call_idempotent(act).await.unwrap();
    sleep(ms(1)).await;
    assert!(
        in_service(&balancer, "good-1") && in_service(&balancer, "good-2") || {
            caller.call_idempotent(act).await.unwrap();
            sleep(ms(1)).await;
            in_service(&balancer, "good-1") && in_service(&balancer, "good-2")
        }
    );
}

#[tokio::test(start_paused = true)]
async fn a_trial_beside_a_call_respects_the_limit_of_calls_in_flight() {
    let config = balance::BalancerConfig::default().with_max_in_flight(1).unwrap().with_seed(1);
    let balancer = balance::Balancer::new(config);
    crate::common::update(&balancer, ["hangs", "good"]);
    let slow = balancer.reader().pick_where(|key| *key == "hangs").unwrap();
    // Another one, from before the limit was reached, failed.
    let caller = caller(&balancer);
    slow.fail(Failure::Reset);
    sleep(ms(300)).await;
    let (_last, log) = (
        {
            let only = |key: &&str| *key == "hangs";
            balancer.reader().pick_where(only).unwrap()
        },
        Log::default(),
    );
    for _ in 0..5 {
        caller.call_idempotent(logged(&log)).await.unwrap();
        sleep(ms(10)).await;
    }
    assert_eq!(status(&balancer, "hangs").in_flight, 1);
    assert!(log.take().iter().all(|(_, is_trial)| !is_trial));
}
