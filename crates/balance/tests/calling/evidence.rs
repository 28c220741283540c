//! What an attempt without an answer says, whoever's clock ran out.

use std::time::Duration;

use balance::{Balancer, BalancerConfig, CallConfig, Caller, Failure, GaveUp, Health, Strategy};
use tokio::time::{Instant, sleep, timeout};

use crate::common::{act, balancer, caller, in_service, ms, named, status, update};

#[tokio::test(start_paused = true)]
async fn an_attempt_cut_short_by_the_end_of_the_call_counts_after_a_fair_time() {
    // Half the time of an attempt, as nothing has answered yet.
    for (overall, second) in [(ms(1500), None), (ms(1600), Some(Failure::Timeout))] {
        let balancer = balancer(["hangs"]);
        let config = CallConfig::new(ms(1000), overall).unwrap().with_idempotent(true);
        let caller = Caller::new(balancer.reader(), config);
        let error = caller.call(act).await.unwrap_err();
        let failures: Vec<_> = error.attempts().iter().map(|attempt| attempt.failure).collect();
        assert_eq!(failures, [Some(Failure::Timeout), second]);
        assert_eq!(
            (error.reason(), error.elapsed().as_millis() / 10),
            (GaveUp::OutOfTime, overall.as_millis() / 10)
        );
        assert_eq!(status(&balancer, "hangs").in_flight, 0);
        let end = if second.is_some() { "timed out after " } else { "cut off after " };
        assert!(error.to_string().contains(&format!(", 2 attempts, the last at hangs {end}")), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_dropped_call_ends_its_attempt_without_a_report_before_a_fair_time() {
    let balancer = balancer(["hangs"]);
    let caller = caller(&balancer);
    assert!(timeout(ms(490), caller.call(act)).await.is_err());
    let status = status(&balancer, "hangs");
    assert_eq!((status.in_flight, status.health), (0, Health::InService));
}

#[tokio::test(start_paused = true)]
async fn a_dropped_call_is_a_timeout_of_its_endpoint_after_a_fair_time() {
    let balancer = balancer(["hangs"]);
    let caller = caller(&balancer);
    assert!(timeout(ms(510), caller.call(act)).await.is_err());
    let status = status(&balancer, "hangs");
    assert!(matches!(status.health, Health::Ejected { .. }) && status.in_flight == 0, "{status:?}");
}

#[tokio::test(start_paused = true)]
async fn a_hung_endpoint_is_ejected_by_a_callers_own_deadline_once_something_has_answered() {
    let balancer = balancer(["hangs", "quick-1", "quick-2"]);
    let caller = caller(&balancer);
    let mut lost = 0;
    for _ in 0..100 {
        lost += usize::from(timeout(ms(200), caller.call_idempotent(act)).await.is_err());
    }
    // Once before anything has answered, at most, and once after it: trials run beside the calls.
    assert!((1..=2).contains(&lost), "{lost}");
    assert!(!in_service(&balancer, "hangs"));
}

#[tokio::test(start_paused = true)]
async fn a_hung_endpoint_is_not_picked_for_ever_whatever_the_timeout() {
    for overall in [999, 1000, 1001, 1050, 1500, 2000].map(ms) {
        let balancer = balancer(["hangs", "quick-1", "quick-2"]);
        let attempt = overall.min(ms(1000));
        let config = CallConfig::new(attempt, overall).unwrap();
        let caller = Caller::new(balancer.reader(), config);
        let mut lost = 0;
        for _ in 0..100 {
            lost += usize::from(caller.call_idempotent(act).await.is_err());
        }
        assert!(lost <= 1, "{overall:?}: {lost}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_impatient_caller_does_not_eject_the_healthy() {
    let balancer = balancer(named("slow", 3));
    let caller = caller(&balancer);
    caller.call(act).await.unwrap();
    for _ in 0..20 {
        assert!(timeout(ms(400), caller.call(act)).await.is_err());
    }
    assert!(balancer.status().iter().all(|status| status.health == Health::InService));
}

#[tokio::test(start_paused = true)]
async fn with_most_endpoints_hung_only_the_first_rounds_are_lost() {
    for strategy in Strategy::ALL {
        for (hung, name) in [(10, "hangs"), (40, "hangs"), (40, "silent"), (200, "unknown")] {
            first_rounds(strategy, hung, name).await;
        }
    }
    for name in ["hangs", "silent"] {
        first_rounds(Strategy::Random, 200, name).await;
    }
}

/// From a cold start, at the default timeouts.
async fn first_rounds(strategy: Strategy, hung: usize, name: &str) {
    let balancer = Balancer::new(BalancerConfig::new(strategy).with_seed(3));
    update(&balancer, named(name, hung).chain(["good"]));
    let caller = caller(&balancer);
    let a_round = if name == "hangs" { 5 } else { 16 };
    let (mut lost, mut longest, mut answered) = (0, Duration::ZERO, false);
    for _ in 0..250 {
        let began = Instant::now();
        match caller.call_idempotent(act).await {
            Ok(_) if answered => longest = longest.max(began.elapsed()),
            Ok(_) => answered = true,
            Err(error) if answered => {
                panic!("{strategy}, {hung} {name}: lost after the first answer: {error}")
            }
            Err(_) => lost += 1,
        }
        sleep(ms(200)).await;
    }
    assert!(lost <= hung.div_ceil(a_round), "{strategy}, {hung} {name}: {lost} rounds lost");
    assert!(longest <= ms(1001), "{strategy}, {hung} {name}: {longest:?}");
}

#[tokio::test(start_paused = true)]
async fn whoever_stays_with_one_endpoint_leaves_it_when_it_has_hung_however_short_the_deadline() {
    for (others, deadline) in
        [("slowish", ms(400)), ("slowish", ms(450)), ("hangs", ms(60)), ("hangs", ms(400))]
    {
        let balancer = Balancer::new(BalancerConfig::new(Strategy::Sticky).with_seed(3));
        update(&balancer, ["home"]);
        let caller = caller(&balancer);
        let has_hung = std::cell::Cell::new(false);
        let ask = async |target: crate::common::To| match *target.key() {
            "home" if has_hung.get() => std::future::pending().await,
            _ => {
                sleep(if others == "slowish" { ms(180) } else { ms(10) }).await;
                Ok::<_, std::io::Error>(())
            }
        };
        if others == "slowish" {
            caller.call(ask).await.unwrap();
        } else {
            // Nothing has ever answered.
            has_hung.set(true);
            assert!(timeout(deadline, caller.call(ask)).await.is_err());
        }
        has_hung.set(true);
        update(&balancer, ["home", "b", "c"]);
        let mut lost = 0;
        for _ in 0..100 {
            lost += usize::from(timeout(deadline, caller.call(ask)).await.is_err());
        }
        // Five in a row are believed; then there are trials, at most one call in 20.
        assert!(lost <= 5 + 5, "{others}, {deadline:?}: {lost}");
    }
}

#[tokio::test(start_paused = true)]
async fn calls_that_are_dropped_at_once_say_nothing() {
    let balancer = balancer(named("slow", 3));
    let caller = caller(&balancer);
    for _ in 0..50 {
        assert!(timeout(ms(40), caller.call(act)).await.is_err());
    }
    assert!(balancer.status().iter().all(|status| status.health == Health::InService));
}

#[tokio::test(start_paused = true)]
async fn an_attempt_is_in_flight_until_its_operation_is_dropped() {
    struct Watches(crate::common::Set, std::sync::Arc<std::sync::atomic::AtomicU32>);
    impl Drop for Watches {
        fn drop(&mut self) {
            self.1.store(status(&self.0, "hangs").in_flight, std::sync::atomic::Ordering::Relaxed);
        }
    }
    let balancer = balancer(["hangs"]);
    let caller = caller(&balancer);
    let seen = std::sync::Arc::default();
    let call = caller.call(|target| {
        let watches = Watches(balancer.clone(), std::sync::Arc::clone(&seen));
        async move {
            let _watches = watches;
            act(target).await
        }
    });
    assert!(timeout(ms(100), call).await.is_err());
    assert_eq!(seen.load(std::sync::atomic::Ordering::Relaxed), 1);
}
