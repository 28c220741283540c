//! What is repeated, and where.

use std::time::Duration;

use tower::util::BoxService;
use tower::{Layer, Service, ServiceBuilder};
use zk_roster::tower::{AttemptError, Balanced, BalancedLayer, Classified, Cloned};
use zk_roster::{CallConfig, Classify, GaveUp};

use crate::web::{Manner, Web};

/// A request that cannot be cloned.
#[derive(Debug)]
struct Single;

/// The instance whose turn is next is called first; the others follow. So the order of the ports is found by calling.
async fn order(web: &Web) -> Vec<u16> {
    let mut service = Balanced::new(&web.client, web.network.clone());
    let mut order = Vec::new();
    for _ in 0..web.client.balancer().status().len() {
        order.push(service.call(Single).await.unwrap());
    }
    order
}

#[tokio::test(start_paused = true)]
async fn a_request_that_cannot_be_cloned_goes_on_until_a_connection_takes_it() {
    let web = Web::new(&[1, 2, 3]).await;
    web.network.set(1, Manner::Refuses);
    web.network.set(2, Manner::ConnectsAfter(Duration::from_secs(9)));
    let mut service = Balanced::new(&web.client, web.network.clone());
    for _ in 0..3 {
        assert_eq!(service.call(Single).await.unwrap(), 3);
    }
    assert_eq!(web.network.taken(), [3, 3, 3]);
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_takes_no_request_in_time_has_none_sent() {
    let web = Web::new(&[1, 2]).await;
    web.network.set(1, Manner::NeverReady);
    let mut service = Balanced::new(&web.client, web.network.clone());
    for _ in 0..2 {
        assert_eq!(service.call(Single).await.unwrap(), 2, "the other one has had all of its time");
    }
}

#[tokio::test(start_paused = true)]
async fn a_hedge_of_a_request_that_cannot_be_copied_leaves_the_call_alone() {
    let web = Web::new(&[1, 2]).await;
    for port in [1, 2] {
        web.network.set(port, Manner::AnswersAfter(Duration::from_millis(500)));
    }
    let second = Duration::from_secs(1);
    let calls = CallConfig::new(second, 5 * second).unwrap();
    let calls = calls.with_idempotent(true).with_hedge_after(second / 10).unwrap();
    let mut service = Balanced::new(&web.client_with(calls).await, web.network.clone());
    service.call(Single).await.unwrap();
    assert_eq!(
        (web.network.taken().len(), web.network.connects().len()),
        (1, 2),
        "the hedge had none to send"
    );
}

#[tokio::test(start_paused = true)]
async fn an_ejected_instance_comes_back_by_requests_that_cannot_be_copied() {
    for is_idempotent in [false, true] {
        let web = Web::new(&[1, 2]).await;
        let mut service = Balanced::new(&web.client, web.network.clone()).idempotent(is_idempotent);
        web.network.set(1, Manner::Resets);
        while service.call(Single).await.is_ok() {}
        web.network.set(1, Manner::Answers);
        let mut answers = 0;
        for _ in 0..400 {
            tokio::time::sleep(Duration::from_millis(100)).await;
            answers += usize::from(service.call(Single).await.unwrap() == 1);
        }
        assert!(answers > 100, "{answers}, idempotent: {is_idempotent}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_may_have_had_an_effect_is_not_repeated() {
    let web = Web::new(&[1, 2]).await;
    for port in [1, 2] {
        web.network.set(port, Manner::Resets);
    }
    let mut service = Balanced::new(&web.client, web.network.clone()).repeating(Cloned);
    let error = service.call("request").await.unwrap_err();
    assert_eq!((error.reason(), error.count()), (GaveUp::Final, 1));
    assert_eq!(web.network.taken().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_idempotent_request_is_repeated_if_there_is_a_copy() {
    let web = Web::new(&[1, 2]).await;
    web.network.set(1, Manner::Resets);
    let service = Balanced::new(&web.client, web.network.clone()).idempotent(true);
    let mut cloning = service.clone().repeating(Cloned);
    for _ in 0..2 {
        assert_eq!(cloning.call("request").await.unwrap(), 2);
    }
    assert!(web.network.taken().contains(&1), "the broken one was called, too");

    let web = Web::new(&[1, 2]).await;
    for port in [1, 2] {
        web.network.set(port, Manner::Resets);
    }
    let mut once = Balanced::new(&web.client, web.network.clone()).idempotent(true);
    let error = once.call(Single).await.unwrap_err();
    assert_eq!((error.reason(), error.count()), (GaveUp::Final, 1));
    let Some(error @ AttemptError::Failed { has_copy: false, .. }) = error.into_last_error() else {
        panic!("no copy")
    };
    assert!(!error.may_retry());
}

#[tokio::test(start_paused = true)]
async fn a_closure_decides_which_requests_have_a_copy() {
    let web = Web::new(&[1, 2, 3]).await;
    let [first, ..] = order(&web).await[..] else { panic!() };
    web.network.set(first, Manner::Resets);
    let service = Balanced::new(&web.client, web.network.clone()).idempotent(true);
    let mut service = service.repeating(|request: &u8| (*request == 1).then_some(1));
    assert!(service.call(0).await.is_err());
    let web = Web::new(&[1, 2, 3]).await;
    web.network.set(first, Manner::Resets);
    let service = Balanced::new(&web.client, web.network.clone()).idempotent(true);
    let mut service = service.repeating(|request: &u8| (*request == 1).then_some(1));
    for _ in 0..3 {
        assert_ne!(service.call(1).await.unwrap(), first);
    }
}

#[tokio::test(start_paused = true)]
async fn a_layer_makes_it_of_what_makes_connections() {
    let web = Web::new(&[1]).await;
    let layer = BalancedLayer::new(&web.client).idempotent(true);
    assert_eq!(layer.layer(web.network.clone()).repeating(Cloned).call(7).await.unwrap(), 1);
    let mut limited = ServiceBuilder::new().concurrency_limit(3).layer(layer).service(web.network.clone());
    std::future::poll_fn(|cx| Service::<Single>::poll_ready(&mut limited, cx)).await.unwrap();
    assert_eq!(limited.call(Single).await.unwrap(), 1);
}

/// A connection that cannot be cloned is put into a buffer, whose errors are boxed.
#[tokio::test(start_paused = true)]
async fn a_buffer_shares_what_cannot_be_cloned() {
    let web = Web::new(&[1, 2]).await;
    web.network.set(1, Manner::Resets);
    let make = ServiceBuilder::new()
        .map_response(|connection| {
            let single = ServiceBuilder::new().concurrency_limit(1).service(BoxService::new(connection));
            ServiceBuilder::new().map_err(Classified::new).buffer(8).service(single)
        })
        .service(web.network.clone());
    let mut service = Balanced::new(&web.client, make).idempotent(true).repeating(Cloned);
    for _ in 0..4 {
        assert_eq!(service.call("request").await.unwrap(), 2);
    }
    assert!(web.network.taken().contains(&1));
}

#[tokio::test(start_paused = true)]
async fn an_error_says_what_was_tried() {
    let web = Web::new(&[1]).await;
    web.network.set(1, Manner::Refuses);
    let mut service = Balanced::new(&web.client, web.network.clone());
    let error = service.call(Single).await.unwrap_err();
    assert_eq!(error.reason(), GaveUp::AllRefused);
    assert!(matches!(error.into_last_error(), Some(AttemptError::Connect(_))));
}
