//! How often a call, and all calls together, try again.

use std::sync::Arc;
use std::time::Duration;

use balance::{Budget, CallConfig, Caller, Failure, GaveUp};
use tokio::time::Instant;

use crate::common::{To, act, balancer, caller, idempotent, ms, named};

#[tokio::test(start_paused = true)]
async fn a_call_to_many_resetting_endpoints_makes_sixteen_attempts() {
    let balancer = balancer(named("resets", 50));
    let error = caller(&balancer).call(act).await.unwrap_err();
    assert_eq!((error.reason(), error.count()), (GaveUp::AttemptsSpent, 16));
    assert_eq!(error.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn of_many_refusing_endpoints_the_healthy_one_is_found() {
    let balancer = balancer(named("refuses", 900).chain(["good"]));
    let caller = caller(&balancer);
    for _ in 0..100 {
        let answered = caller.call_idempotent(act).await.unwrap();
        assert!(answered.attempts <= 901, "{}", answered.attempts);
        tokio::time::sleep(ms(100)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn the_refused_attempts_of_a_call_are_bounded() {
    let balancer = balancer(named("refuses", 3000));
    let error = caller(&balancer).call(act).await.unwrap_err();
    assert_eq!((error.reason(), error.count()), (GaveUp::AttemptsSpent, 1024));
    let config = CallConfig::default().with_max_attempts(16, 7).unwrap();
    let error = Caller::new(balancer.reader(), config).call(act).await.unwrap_err();
    assert_eq!((error.reason(), error.count()), (GaveUp::AttemptsSpent, 7));
}

#[tokio::test(start_paused = true)]
async fn what_may_have_had_an_effect_is_repeated_only_if_it_is_idempotent() {
    for failure in Failure::ALL {
        let balancer = balancer(["a", "b", "c"]);
        let fail = async |_: To| Err::<(), _>(failure);
        let limits = CallConfig::default().with_max_attempts(3, 3).unwrap();
        let caller = Caller::new(balancer.reader(), limits.clone());
        let error = caller.call(fail).await.unwrap_err();
        let expected = if failure.had_no_effect() { (GaveUp::AttemptsSpent, 3) } else { (GaveUp::Final, 1) };
        assert_eq!((error.reason(), error.count()), expected, "{failure}");
        let caller = Caller::new(balancer.reader(), limits.with_idempotent(true));
        assert_eq!(caller.call(fail).await.unwrap_err().count(), 3, "{failure}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_not_idempotent_is_not_repeated_after_a_timeout() {
    let balancer = balancer(["hangs-1", "hangs-2"]);
    let caller = Caller::new(balancer.reader(), CallConfig::default());
    let error = caller.call(act).await.unwrap_err();
    assert_eq!((error.reason(), error.count()), (GaveUp::Final, 1));
    assert_eq!(error.elapsed().as_millis() / 10, 100);
    // Nor after an error of which nobody knows what came before it.
    let balancer = balancer_of_errors();
    let caller = Caller::new(balancer.reader(), CallConfig::default());
    assert_eq!(caller.call(act).await.unwrap_err().count(), 1);
}

fn balancer_of_errors() -> crate::common::Set {
    balancer(["other-1", "other-2"])
}

#[tokio::test(start_paused = true)]
async fn a_storm_of_failing_calls_is_bounded_by_the_budget_of_all() {
    let balancer = balancer(named("resets", 50));
    let caller = caller(&balancer);
    let (mut attempts, mut spent, began) = (0, 0, Instant::now());
    for _ in 0..1000 {
        let error = caller.call(act).await.unwrap_err();
        attempts += error.count();
        spent += usize::from(error.reason() == GaveUp::BudgetSpent);
    }
    assert_eq!(began.elapsed(), Duration::ZERO);
    // A call each, a fifth of them again, and 100 at once.
    assert_eq!(attempts, 1000 + 200 + 100);
    assert!(spent > 900, "{spent}");
}

#[tokio::test(start_paused = true)]
async fn callers_that_share_a_budget_spend_it_together() {
    let balancer = balancer(named("resets", 5));
    let budget = Arc::new(Budget::new(0.0, 3, Duration::from_secs(1)).unwrap());
    let config = || idempotent().with_budget(Arc::clone(&budget));
    let callers = [Caller::new(balancer.reader(), config()), Caller::new(balancer.reader(), config())];
    let mut counts = Vec::new();
    for caller in callers {
        let error = caller.call(act).await.unwrap_err();
        counts.push((error.reason(), error.count()));
    }
    assert_eq!(counts, [(GaveUp::BudgetSpent, 4), (GaveUp::BudgetSpent, 1)]);
}

#[tokio::test(start_paused = true)]
async fn a_retry_costs_nothing_where_nothing_was_sent() {
    for (name, reason, count) in [
        ("refuses", GaveUp::AllRefused, 10..1024),
        ("unknown", GaveUp::AttemptsSpent, 16..17),
        ("resets", GaveUp::BudgetSpent, 1..2),
    ] {
        let balancer = balancer(named(name, 3));
        let budget = Budget::new(0.0, 0, Duration::from_secs(1)).unwrap();
        let caller = Caller::new(balancer.reader(), idempotent().with_budget(budget));
        let error = caller.call(act).await.unwrap_err();
        assert!(error.reason() == reason && count.contains(&error.count()), "{name}: {error}");
    }
}
