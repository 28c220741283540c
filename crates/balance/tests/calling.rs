//! Calls that try other endpoints, in paused time.

use std::cell::RefCell;
use std::error::Error;
use std::future::pending;
use std::io;
use std::time::Duration;

use balance::{
    Balancer, CallConfig, Classify, Config, ConfigError, Failure, GaveUp, Health, MAX_LISTED_ATTEMPTS,
    PickError, Strategy, call,
};
use thiserror::Error;
use tokio::time::{Instant, sleep, timeout};

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn balancer(keys: impl IntoIterator<Item = &'static str>) -> Balancer<&'static str> {
    let balancer = Balancer::new(Config::new(Strategy::RoundRobin).with_seed(3));
    balancer.update(keys);
    balancer
}

/// Behaves as the name of the endpoint says.
async fn act(key: &'static str) -> io::Result<&'static str> {
    match key.split('-').next() {
        Some("good") => Ok("hello"),
        Some("refuses") => Err(io::ErrorKind::ConnectionRefused.into()),
        Some("hangs") => pending().await,
        _ => Err(io::ErrorKind::Other.into()),
    }
}

#[tokio::test(start_paused = true)]
async fn a_refused_call_tries_another_endpoint_at_once() {
    let balancer = balancer(["refuses-1", "refuses-2", "good"]);
    let began = Instant::now();
    let answered = call(&balancer, &CallConfig::default(), |key| act(key)).await.unwrap();
    assert_eq!((answered.key, answered.value, answered.attempts), ("good", "hello", 3));
    assert_eq!(began.elapsed(), Duration::ZERO);
    assert!(matches!(balancer.status()[0].health, Health::Ejected { .. }));
    assert_eq!(balancer.status()[2].health, Health::InService);
}

#[tokio::test(start_paused = true)]
async fn a_call_tries_another_endpoint_when_an_attempt_takes_too_long() {
    let balancer = balancer(["hangs", "good"]);
    let began = Instant::now();
    let answered = call(&balancer, &CallConfig::default(), |key| act(key)).await.unwrap();
    assert_eq!((answered.key, answered.attempts), ("good", 2));
    assert_eq!(began.elapsed().as_millis() / 10, 100);
    assert!(matches!(balancer.status()[0].health, Health::Ejected { .. }));
}

#[tokio::test(start_paused = true)]
async fn a_round_tries_each_endpoint_once_and_a_pause_follows_it() {
    let balancer = balancer(["refuses-1", "refuses-2", "refuses-3"]);
    let began = Instant::now();
    let calls = RefCell::new(Vec::new());
    let config = CallConfig::new(ms(100), ms(3000)).unwrap();
    let error = call(&balancer, &config, |key| {
        calls.borrow_mut().push((began.elapsed(), *key));
        act(key)
    })
    .await
    .unwrap_err();
    assert_eq!((error.gave_up(), error.elapsed().as_millis() / 10), (GaveUp::TimeIsOver, 300));

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
    let update = async {
        sleep(ms(300)).await;
        balancer.update(["good"]);
    };
    let config = CallConfig::default();
    let (answered, ()) = tokio::join!(call(&balancer, &config, |key| act(key)), update);
    assert_eq!(answered.unwrap().key, "good");
}

#[tokio::test(start_paused = true)]
async fn a_call_waits_for_the_first_endpoints() {
    let balancer = Balancer::new(Config::default());
    let update = async {
        sleep(ms(300)).await;
        balancer.update(["good"]);
    };
    let began = Instant::now();
    let config = CallConfig::default();
    let (answered, ()) = tokio::join!(call(&balancer, &config, |key| act(key)), update);
    assert_eq!(answered.unwrap().attempts, 1);
    assert!(began.elapsed() < ms(1000));
}

#[tokio::test(start_paused = true)]
async fn a_call_without_endpoints_ends_with_its_time_and_the_reason() {
    let balancer = balancer([]);
    let error = call(&balancer, &CallConfig::default(), |key| act(key)).await.unwrap_err();
    assert_eq!((error.gave_up(), error.count()), (GaveUp::TimeIsOver, 0));
    assert_eq!(error.nothing_to_pick(), Some(PickError::NoInstances));
    assert_eq!(error.to_string(), "no answer in 5.0s, 0 attempts; there are no endpoints");
    assert!(error.source().is_none());
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
    let answer = async |_: &'static str| Err::<(), _>(Final);
    let error = call(&balancer, &CallConfig::default(), |key| answer(key)).await.unwrap_err();
    assert_eq!((error.gave_up(), error.count()), (GaveUp::NoRetry, 1));
    assert_eq!(error.attempts()[0].error, Some(Final));
    assert_eq!(error.source().unwrap().to_string(), "not found");
    assert!(balancer.status().iter().all(|status| status.health == Health::InService));
}

#[tokio::test(start_paused = true)]
async fn an_error_of_the_caller_is_retried_and_does_not_eject_the_endpoint() {
    let balancer = balancer(["caller", "good"]);
    let answered = call(&balancer, &CallConfig::default(), |key| act(key)).await.unwrap();
    assert_eq!(answered.attempts, 2);
    assert!(balancer.status().iter().all(|status| status.health == Health::InService));
}

#[tokio::test(start_paused = true)]
async fn an_attempt_interrupted_by_the_end_of_the_call_does_not_count_against_the_endpoint() {
    let balancer = balancer(["hangs"]);
    let config = CallConfig::new(ms(1000), ms(1500)).unwrap();
    let error = call(&balancer, &config, |key| act(key)).await.unwrap_err();
    let failures: Vec<_> = error.attempts().iter().map(|attempt| attempt.failure).collect();
    assert_eq!(failures, [Some(Failure::Timeout), None]);
    assert_eq!((balancer.status()[0].failures, balancer.status()[0].in_flight), (1, 0));
    assert!(error.to_string().starts_with("no answer in 1.5s, 2 attempts, the last at hangs cut off after "));
}

#[tokio::test(start_paused = true)]
async fn the_list_of_attempts_is_bounded_and_ends_with_the_last_attempt() {
    let keys: Vec<&'static str> = (0..40).map(|n| &*format!("refuses-{n:02}").leak()).collect();
    let balancer = balancer(keys);
    let config = CallConfig::new(ms(1), ms(1)).unwrap();
    let error = call(&balancer, &config, |key| act(key)).await.unwrap_err();
    assert_eq!((error.attempts().len(), error.count()), (MAX_LISTED_ATTEMPTS, 40));
    assert_eq!(error.attempts().last().unwrap().key, "refuses-39");
}

#[tokio::test(start_paused = true)]
async fn a_dropped_call_ends_its_attempt_without_a_report() {
    let balancer = balancer(["hangs"]);
    let config = CallConfig::default();
    let call = call(&balancer, &config, |key| act(key));
    assert!(timeout(ms(10), call).await.is_err());
    let status = &balancer.status()[0];
    assert_eq!((status.in_flight, status.health), (0, Health::InService));
}

#[tokio::test(start_paused = true)]
async fn calls_can_be_spawned() {
    let balancer = balancer(["refuses", "good"]);
    let task = tokio::spawn(async move { call(&balancer, &CallConfig::default(), |key| act(key)).await });
    assert_eq!(task.await.unwrap().unwrap().key, "good");
}

#[test]
fn only_limits_in_range_are_taken() {
    let hour = Duration::from_secs(3600);
    assert!(CallConfig::new(ms(1), hour).is_ok());
    assert_eq!(CallConfig::new(ms(0), hour), Err(ConfigError::Attempt { attempt: ms(0) }));
    for overall in [ms(9), hour + ms(1)] {
        assert_eq!(CallConfig::new(ms(10), overall), Err(ConfigError::Overall { attempt: ms(10), overall }));
    }
}
