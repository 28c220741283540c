//! Unary calls: what is repeated, and what is not.

use std::time::Duration;

use futures_util::future::join_all;
use tonic::{Code, Request};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use zk_testing::eventually;

use crate::by_hand::{self, ByHand};
use crate::server::{Manner, Server};
use crate::world::{World, check, closed};

#[tokio::test]
async fn a_thousand_concurrent_calls_are_answered_by_all_instances() {
    let servers = [(); 3].map(|()| Server::start(Manner::Serves));
    let world = World::new(&servers.each_ref().map(|server| server.address)).await;
    let channel = world.channel();
    let answers = join_all((0..1000).map(|_| check(channel.clone()))).await;
    for answer in answers {
        assert_eq!(answer.unwrap().into_inner().status, 1);
    }
    let taken = servers.each_ref().map(Server::taken);
    assert_eq!(taken.iter().sum::<usize>(), 1000);
    assert!(taken.iter().all(|count| *count > 100), "{taken:?}");
}

#[tokio::test]
async fn a_refused_connection_costs_no_call() {
    let server = Server::start(Manner::Serves);
    let (refusing, _socket) = closed();
    let world = World::new(&[server.address, refusing]).await;
    for _ in 0..4 {
        check(world.channel()).await.unwrap();
    }
}

#[tokio::test]
async fn where_all_refuse_the_status_says_so() {
    let (refusing, _socket) = closed();
    let second = Duration::from_secs(1);
    let world = World::with_times(&[refusing], second, second).await;
    let status = check(world.channel()).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable, "{status}");
    assert!(status.message().contains(&refusing.to_string()), "{status}");
    assert!(std::error::Error::source(&status).is_some());
}

#[tokio::test]
async fn unavailable_is_repeated_by_idempotent_channels_only() {
    let (good, bad) = (Server::start(Manner::Serves), Server::start(Manner::Fails(Code::Unavailable)));
    let world = World::new(&[good.address, bad.address]).await;
    let channel = world.channel().idempotent(true);
    for _ in 0..4 {
        check(channel.clone()).await.unwrap();
    }
    assert!(bad.taken() > 0);
    good.set(Manner::Fails(Code::Unavailable));
    let before = good.taken() + bad.taken();
    let status = check(world.channel()).await.unwrap_err();
    assert_eq!((status.code(), good.taken() + bad.taken()), (Code::Unavailable, before + 1));
    assert_eq!(status.message(), "as the script says", "the server's own words");
}

#[tokio::test]
async fn an_overloaded_instance_has_done_nothing() {
    let (good, bad) = (Server::start(Manner::Serves), Server::start(Manner::Fails(Code::ResourceExhausted)));
    let world = World::new(&[good.address, bad.address]).await;
    for _ in 0..4 {
        check(world.channel()).await.unwrap();
    }
    assert!(bad.taken() > 0);
}

#[tokio::test]
async fn any_other_status_is_the_answer_with_its_metadata() {
    let servers = [(); 2].map(|()| Server::start(Manner::Fails(Code::FailedPrecondition)));
    let world = World::new(&servers.each_ref().map(|server| server.address)).await;
    let status = check(world.channel().idempotent(true)).await.unwrap_err();
    assert_eq!((status.code(), status.message()), (Code::FailedPrecondition, "as the script says"));
    assert_eq!(status.metadata().get("who").unwrap(), "1");
    assert_eq!(servers[0].taken() + servers[1].taken(), 1);
}

#[tokio::test]
async fn a_proper_refusal_is_an_answer_and_an_internal_error_is_none() {
    let server = Server::start(Manner::Fails(Code::NotFound));
    let world = World::new(&[server.address]).await;
    // What is known of the endpoint: whether anything has answered, by its latency.
    let latency = || world.client.balancer().reader().choose().unwrap().latency(0, Duration::from_secs(3600));
    server.set(Manner::Fails(Code::Internal));
    assert_eq!(check(world.channel()).await.unwrap_err().code(), Code::Internal);
    assert_eq!(latency(), 0.0, "no answer yet");
    server.set(Manner::Fails(Code::NotFound));
    assert_eq!(check(world.channel()).await.unwrap_err().code(), Code::NotFound);
    assert!(latency() > 0.0);
}

#[tokio::test]
async fn a_call_under_way_at_a_killed_server_is_repeated_only_if_it_may_be() {
    for is_idempotent in [false, true] {
        let mut servers = [(); 2].map(|()| Server::start(Manner::Holds));
        let world = World::new(&servers.each_ref().map(|server| server.address)).await;
        let call = tokio::spawn(check(world.channel().idempotent(is_idempotent)));
        eventually("it is under way", async || servers.iter().any(|server| server.taken() == 1)).await;
        let at = usize::from(servers[1].taken() == 1);
        servers[1 - at].set(Manner::Serves);
        servers[at].kill().await;
        let answer = call.await.unwrap();
        assert_eq!(answer.is_ok(), is_idempotent, "{answer:?}");
        assert_eq!(servers[1 - at].taken(), usize::from(is_idempotent));
        if let Err(status) = answer {
            assert_eq!(status.code(), Code::Unavailable, "{status}");
        }
    }
}

#[tokio::test]
async fn what_http2_calls_not_processed_is_repeated_for_all() {
    for manner in [by_hand::Manner::Refuses, by_hand::Manner::GoesAway] {
        let (good, bad) = (Server::start(Manner::Serves), ByHand::start(manner).await);
        let world = World::new(&[good.address, bad.address]).await;
        for _ in 0..4 {
            check(world.channel()).await.unwrap();
        }
        assert!(bad.requests() > 0, "{manner:?}");
    }
}

#[tokio::test]
async fn the_deadline_of_the_caller_bounds_the_call_and_the_server_knows_it() {
    let server = Server::start(Manner::Holds);
    let world = World::new(&[server.address]).await;
    let mut request = Request::new(HealthCheckRequest::default());
    request.set_timeout(Duration::from_secs(1));
    let mut client = HealthClient::new(world.channel().idempotent(true));
    let status = client.check(request).await.unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded, "{status}");
    let told = server.timeout().unwrap();
    let millis: u64 = told.strip_suffix('m').unwrap().parse().unwrap();
    assert!(millis <= 1001, "what is left: {told}");
}

#[tokio::test]
async fn an_attempt_that_runs_out_of_time_ends_a_call_that_must_not_be_repeated() {
    let server = Server::start(Manner::Holds);
    let world = World::with_times(&[server.address], Duration::from_secs(1), Duration::from_secs(10)).await;
    let status = check(world.channel()).await.unwrap_err();
    assert_eq!((status.code(), server.taken()), (Code::DeadlineExceeded, 1), "{status}");
}
