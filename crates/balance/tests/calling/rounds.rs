//! Rounds, pauses and errors.

use std::error::Error;
use std::time::Duration;

use balance::{
    Balancer, BalancerConfig, CallConfig, Caller, Classify, Failure, GaveUp, Health, MAX_LISTED_ATTEMPTS,
};
use thiserror::Error;
use tokio::time::{Instant, sleep};

use crate::common::{Seen, To, act, balancer, caller, idempotent, in_service, ms, named, status, update};

#[tokio::test(start_paused = true)]
async fn a_refused_call_tries_another_endpoint_at_once() {
    let balancer = balancer(["refuses-1", "refuses-2", "good"]);
    let caller = Caller::new(balancer.reader(), CallConfig::default());
    let (mut attempts, began) = (Vec::new(), Instant::now());
    // Somebody is the first; three calls have seen all.
    for _ in 0..3 {
        let answered = caller.call(act).await.unwrap();
        assert_eq!((*answered.key(), answered.value), ("good", "hello"));
        attempts.push(answered.attempts);
    }
    assert_eq!(attempts.iter().sum::<usize>(), 5, "{attempts:?}");
    assert_eq!(began.elapsed(), Duration::ZERO);
    assert!(matches!(status(&balancer, "refuses-1").health, Health::Ejected { .. }));
    assert!(in_service(&balancer, "good"));
}

#[tokio::test(start_paused = true)]
async fn a_call_tries_another_endpoint_when_an_attempt_takes_too_long() {
    let balancer = balancer(["hangs"]);
    let caller = caller(&balancer);
    let began = Instant::now();
    let call = caller.call(|target| {
        update(&balancer, ["hangs", "good"]);
        act(target)
    });
    let answered = call.await.unwrap();
    assert_eq!((*answered.key(), answered.attempts), ("good", 2));
    assert_eq!(began.elapsed().as_millis() / 10, 100);
    assert!(matches!(status(&balancer, "hangs").health, Health::Ejected { .. }));
}

#[tokio::test(start_paused = true)]
async fn a_round_tries_each_endpoint_once_and_a_pause_follows_it() {
    let balancer = balancer(["refuses-1", "refuses-2", "refuses-3"]);
    let config = CallConfig::new(ms(100), ms(3000)).unwrap();
    let caller = Caller::new(balancer.reader(), config);
    let (began, calls) = (Instant::now(), Seen::default());
    let call = caller.call(|target| {
        calls.borrow_mut().push((began.elapsed(), *target.key()));
        act(target)
    });
    let error = call.await.unwrap_err();
    assert_eq!((error.reason(), error.elapsed().as_millis() / 10), (GaveUp::AllRefused, 300));

    let calls = calls.into_inner();
    assert_eq!((calls.len(), calls.len() % 3), (error.count(), 0));
    let rounds: Vec<_> = calls.chunks(3).collect();
    for round in &rounds {
        let mut keys: Vec<_> = round.iter().map(|(_, key)| *key).collect();
        keys.sort_unstable();
        assert_eq!(keys, ["refuses-1", "refuses-2", "refuses-3"]);
    }
    let pauses: Vec<_> = rounds.windows(2).map(|two| two[1][0].0 - two[0][2].0).collect();
    for (pause, about) in pauses.iter().zip([50, 100, 200, 400, 500, 500]) {
        assert!(*pause >= ms(about * 3 / 4) && *pause <= ms(about * 5 / 4 + 2), "{pauses:?}");
    }
    assert!(pauses.len() >= 6, "{pauses:?}");
}

#[tokio::test(start_paused = true)]
async fn a_new_round_tries_the_endpoints_of_that_moment() {
    let balancer = balancer(["refuses"]);
    let later = async {
        sleep(ms(300)).await;
        update(&balancer, ["good"]);
    };
    let caller = caller(&balancer);
    let (answered, ()) = tokio::join!(caller.call(act), later);
    assert_eq!(*answered.unwrap().key(), "good");
}

#[tokio::test(start_paused = true)]
async fn a_call_waits_for_the_first_endpoints() {
    let balancer = Balancer::new(BalancerConfig::default());
    let later = async {
        sleep(ms(300)).await;
        update(&balancer, ["good"]);
    };
    let (caller, began) = (caller(&balancer), Instant::now());
    let (answered, ()) = tokio::join!(caller.call(act), later);
    assert_eq!(answered.unwrap().attempts, 1);
    assert!(began.elapsed() < ms(1000));
}

#[tokio::test(start_paused = true)]
async fn a_call_survives_the_restart_of_a_large_set() {
    let balancer = balancer(named("any", 200));
    let (caller, began) = (caller(&balancer), Instant::now());
    let answered = caller.call(async |target: To| match began.elapsed() {
        passed if passed < ms(3500) => Err(std::io::Error::from(std::io::ErrorKind::ConnectionRefused)),
        _ => Ok(*target.key()),
    });
    let answered = answered.await.unwrap();
    assert!(answered.attempts <= 1024 && began.elapsed() < ms(4200), "{answered:?}");
}

#[tokio::test(start_paused = true)]
async fn a_call_without_endpoints_ends_with_its_time_and_the_reason() {
    let balancer = Balancer::new(BalancerConfig::default());
    let caller = caller(&balancer);
    let error = caller.call(act).await.unwrap_err();
    assert_eq!((error.reason(), error.count()), (GaveUp::NobodyKnown, 0));
    update(&balancer, []);
    let error = caller.call(act).await.unwrap_err();
    assert_eq!((error.reason(), error.count()), (GaveUp::NobodyRegistered, 0));
    assert_eq!(error.to_string(), "there are no endpoints after 5.0s, 0 attempts");
    assert!(error.source().is_none());
}

#[tokio::test(start_paused = true)]
async fn a_set_of_which_nobody_may_be_called_has_an_error_of_its_own() {
    let reason = async |config: BalancerConfig, weight: Weight| {
        let balancer = Balancer::new(config.with_seed(1));
        balancer.update([("good", weight)]);
        let caller = Caller::new(balancer.reader(), CallConfig::default());
        // With a limit of calls in flight, this one is at it.
        let _pick = balancer.reader().pick();
        caller.call(async |_| Ok::<_, Final>(())).await.unwrap_err().reason()
    };
    let config = BalancerConfig::default;
    assert_eq!(reason(config().with_label("zone", "a"), Weight(1)).await, GaveUp::NoMatch);
    assert_eq!(reason(config(), Weight(0)).await, GaveUp::AllClosed);
    assert_eq!(reason(config().with_max_in_flight(1).unwrap(), Weight(1)).await, GaveUp::Saturated);
}

struct Weight(u32);

impl balance::EndpointInfo for Weight {
    fn weight(&self) -> u32 {
        self.0
    }
}

#[derive(Debug, Error, PartialEq)]
#[error("not found")]
struct Final;

impl Classify for Final {
    fn failure(&self) -> Option<Failure> {
        None
    }

    fn may_retry(&self) -> bool {
        false
    }
}

#[tokio::test(start_paused = true)]
async fn a_final_error_ends_the_call_and_does_not_eject_the_endpoint() {
    let balancer = balancer(["a", "b"]);
    let error = caller(&balancer).call(async |_| Err::<(), _>(Final)).await.unwrap_err();
    assert_eq!((error.reason(), error.count()), (GaveUp::Final, 1));
    assert_eq!(error.attempts()[0].error, Some(Final));
    assert_eq!(error.source().unwrap().to_string(), "not found");
    let key = error.attempts()[0].key;
    assert_eq!(
        error.to_string(),
        format!("a final error after 0.0ns, 1 attempt, the last at {key} failed after 0.0ns")
    );
    assert_eq!(error.into_last_error(), Some(Final));
    assert!(balancer.status().iter().all(|status| status.health == Health::InService));
}

#[tokio::test(start_paused = true)]
async fn an_error_of_the_caller_is_retried_and_does_not_eject_the_endpoint() {
    let balancer = balancer(["caller", "good"]);
    let caller = caller(&balancer);
    let mut attempts = [caller.call(act).await.unwrap().attempts, caller.call(act).await.unwrap().attempts];
    attempts.sort_unstable();
    assert_eq!(attempts, [1, 2]);
    assert!(balancer.status().iter().all(|status| status.health == Health::InService));
}

#[tokio::test(start_paused = true)]
async fn the_list_of_attempts_is_bounded_and_ends_with_the_last_attempt() {
    let balancer = balancer(named("refuses", 40));
    let config = CallConfig::new(ms(1), ms(1)).unwrap();
    let seen = Seen::default();
    let caller = Caller::new(balancer.reader(), config);
    let call = caller.call(|target| {
        seen.borrow_mut().push(*target.key());
        act(target)
    });
    let error = call.await.unwrap_err();
    assert_eq!((error.attempts().len(), error.count()), (MAX_LISTED_ATTEMPTS, 40));
    let listed: Vec<_> = error.attempts().iter().map(|attempt| attempt.key).collect();
    assert_eq!(listed, seen.borrow()[24..]);
}

#[tokio::test(start_paused = true)]
async fn an_attempt_has_its_time_and_a_part_of_it_to_connect() {
    let balancer = balancer(["hangs"]);
    let seen = Seen::default();
    let note = |target: To| {
        seen.borrow_mut().push((target.connect_timeout(), target.deadline() - Instant::now()));
        act(target)
    };
    let config = CallConfig::new(ms(1000), ms(1200)).unwrap().with_connect(ms(400)).unwrap();
    let caller = Caller::new(balancer.reader(), config.with_idempotent(true));
    caller.call(note).await.unwrap_err();
    let seen = seen.into_inner();
    assert_eq!(seen[0], (ms(400), ms(1000)));
    // After a pause of 50 ms, and a quarter more or less.
    assert!(seen[1].0 == seen[1].1 && (ms(130)..ms(165)).contains(&seen[1].0), "{seen:?}");
}

#[tokio::test(start_paused = true)]
async fn equal_keys_go_to_one_endpoint_where_the_picker_goes_by_them() {
    #[derive(Clone, Debug)]
    struct ByKey;
    impl<K, V> balance::Picker<K, V> for ByKey {
        fn pick(
            &mut self,
            candidates: &balance::Candidates<'_, K, V>,
            context: &mut balance::Context<'_>,
        ) -> Option<usize> {
            Some(context.key? as usize % candidates.len())
        }
    }
    let balancer = balancer(named("good", 10));
    let caller = Caller::new(balancer.reader_with(ByKey), idempotent());
    for user in 0..10 {
        let first = *caller.call_for(&user, act).await.unwrap().key();
        assert_eq!(*caller.call_idempotent_for(&user, act).await.unwrap().key(), first);
    }
}

#[tokio::test(start_paused = true)]
async fn calls_can_be_spawned() {
    let balancer = balancer(["refuses", "good"]);
    let caller = caller(&balancer);
    let (one, two) = (caller.clone(), caller);
    let one = tokio::spawn(async move { one.call(act).await });
    let two = tokio::spawn(async move { two.call_idempotent(act).await });
    assert_eq!(*one.await.unwrap().unwrap().key(), "good");
    assert_eq!(*two.await.unwrap().unwrap().key(), "good");
}

#[tokio::test(start_paused = true)]
async fn who_comes_or_is_back_shortly_before_the_end_of_a_call_is_called() {
    let comes = |set: &'static [&'static str]| async move {
        let balancer = Balancer::new(BalancerConfig::default().with_seed(1));
        if !set.is_empty() {
            update(&balancer, set.iter().copied());
        }
        let caller = Caller::new(balancer.reader(), CallConfig::new(ms(5000), ms(5000)).unwrap());
        let later = async {
            sleep(ms(4900)).await;
            update(&balancer, set.iter().copied().chain(["good"]));
        };
        tokio::join!(caller.call(act), later).0.map(|answered| *answered.key())
    };
    assert_eq!(comes(&[]).await.unwrap(), "good");
    assert_eq!(comes(&["refuses-1", "refuses-2"]).await.unwrap(), "good");

    let balancer = balancer(["any"]);
    let caller = Caller::new(balancer.reader(), CallConfig::new(ms(5000), ms(5000)).unwrap());
    let began = Instant::now();
    let answered = caller.call(async |_: To| match began.elapsed() {
        passed if passed < ms(4900) => Err(Failure::Refused),
        _ => Ok(()),
    });
    assert!(answered.await.unwrap().attempts < 30);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_waits_for_somebody_to_call_waits_no_longer_than_a_short_pause() {
    let balancer = Balancer::new(BalancerConfig::default().with_max_in_flight(1).unwrap().with_seed(1));
    let caller = caller(&balancer);
    let (answered, ()) = tokio::join!(caller.call(act), async {
        sleep(ms(3000)).await;
        update(&balancer, ["good"]);
    });
    answered.unwrap();
    let pick = balancer.reader().pick().unwrap();
    let began = Instant::now();
    let (answered, ()) = tokio::join!(caller.call(act), async {
        sleep(ms(2000)).await;
        drop(pick);
    });
    answered.unwrap();
    assert!(began.elapsed() <= ms(2065), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn one_that_answered_before_is_tried_although_it_is_ejected_rather_than_all_that_never_did() {
    let balancer = balancer(["flaky"]);
    let caller = caller(&balancer);
    let ask = async |target: To| match *target.key() {
        "flaky" => Ok(()),
        _ => std::future::pending::<Result<_, std::io::Error>>().await,
    };
    caller.call(ask).await.unwrap();
    update(&balancer, named("hangs", 40).chain(["flaky"]));
    while balancer.status().iter().filter(|status| status.health == Health::InService).count() > 5 {
        if let Ok(pick) = balancer.reader().pick_where(|key| *key == "flaky") {
            pick.fail(Failure::Reset);
        }
        let began = Instant::now();
        caller.call(ask).await.unwrap();
        assert!(began.elapsed() <= ms(1001), "{:?}", began.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn those_that_never_answered_are_tried_although_many_that_did_are_ejected() {
    // The old processes have hung, and the first new one of those in service is not well.
    let balancer = balancer(named("old", 10));
    let caller = caller(&balancer);
    for _ in 0..10 {
        caller.call(async |_: To| Ok::<_, Failure>(())).await.unwrap();
    }
    for key in balancer.status().into_iter().map(|status| status.key) {
        balancer.reader().pick_where(|k| *k == key).unwrap().fail(Failure::Timeout);
    }
    let old = balancer.status().into_iter().map(|status| status.key);
    update(&balancer, old.chain(["new-1", "new-2"]));
    let mut attempts = 0;
    let call = caller.call(|target: To| {
        attempts += 1;
        let is_first = attempts == 1;
        async move {
            match *target.key() {
                key if key.starts_with("old") => std::future::pending().await,
                _ if is_first => Err(Failure::Reset),
                _ => Ok(()),
            }
        }
    });
    assert!(call.await.unwrap().attempts <= 3);
}

#[tokio::test(start_paused = true)]
async fn draining_and_mixed_sets_have_the_reason_of_what_is_left() {
    #[derive(Clone, Copy)]
    struct Info(bool, &'static str);
    impl balance::EndpointInfo for Info {
        fn is_draining(&self) -> bool {
            self.0
        }
        fn tag(&self, name: &str) -> Option<&str> {
            (name == "zone").then_some(self.1)
        }
    }
    let reason = async |set: &[(&'static str, Info)]| {
        let balancer = Balancer::new(BalancerConfig::default().with_label("zone", "a").with_seed(1));
        balancer.update(set.iter().copied());
        let caller = Caller::new(balancer.reader(), CallConfig::default());
        let error = caller.call(async |_| Err::<(), _>(Failure::Refused)).await.unwrap_err();
        (error.reason(), error.to_string())
    };
    let (drains, elsewhere, well) = (Info(true, "a"), Info(false, "b"), Info(false, "a"));
    let all = "all endpoints are draining or have the weight 0 after 5.0s, 0 attempts";
    assert_eq!(reason(&[("x", drains)]).await, (GaveUp::AllClosed, all.to_owned()));
    assert_eq!(reason(&[("x", drains), ("y", elsewhere)]).await.0, GaveUp::AllClosed);
    assert_eq!(reason(&[("x", Info(true, "b")), ("y", elsewhere)]).await.0, GaveUp::NoMatch);
    let (reason, text) = reason(&[("x", drains), ("y", elsewhere), ("z", well)]).await;
    assert_eq!(reason, GaveUp::AllRefused);
    assert!(
        text.starts_with("all refused after 5.0s, ") && text.contains(", the last at z refused after "),
        "{text}"
    );
}
