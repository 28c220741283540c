//! Requests that are not there at once, or are too long to be kept.

use std::time::Duration;

use futures_util::{Stream, StreamExt, stream};
use http::uri::PathAndQuery;
use tokio::sync::mpsc;
use tonic::client::Grpc;
use tonic::{Code, Request, Response, Status};
use tonic_health::pb::health_client::HealthClient;
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};
use tonic_prost::ProstCodec;
use zk_roster::tonic::BalancedChannel;
use zk_testing::eventually;

use crate::by_hand::{self, ByHand};
use crate::server::{Manner, Server};
use crate::world::{World, closed};

/// Sends messages one by one: to a server it is a unary call whose request takes its time.
async fn send(
    channel: BalancedChannel,
    messages: impl Stream<Item = HealthCheckRequest> + Send + 'static,
) -> Result<Response<HealthCheckResponse>, Status> {
    let mut client = Grpc::new(channel);
    client.ready().await?;
    let path = PathAndQuery::from_static("/grpc.health.v1.Health/Check");
    client.client_streaming(Request::new(messages), path, ProstCodec::default()).await
}

fn message() -> HealthCheckRequest {
    HealthCheckRequest { service: "a message".repeat(10) }
}

/// A message that comes only when it is sent.
fn later() -> (mpsc::UnboundedSender<HealthCheckRequest>, impl Stream<Item = HealthCheckRequest> + Send) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let messages = stream::unfold(receiver, |mut receiver: mpsc::UnboundedReceiver<_>| async {
        Some((receiver.recv().await?, receiver))
    });
    (sender, messages)
}

#[tokio::test]
async fn a_stream_that_nobody_has_seen_goes_on_elsewhere() {
    let mut good = ByHand::start(by_hand::Manner::Passes).await;
    let (refusing, _socket) = closed();
    let away = ByHand::start(by_hand::Manner::GoesAway).await;
    let full = ByHand::start(by_hand::Manner::Refuses).await;
    let world = World::new(&[good.address, refusing, away.address, full.address]).await;
    for _ in 0..8 {
        let (sender, messages) = later();
        let call = tokio::spawn(send(world.channel(), messages));
        by_hand::answer(good.passed().await);
        assert_eq!(call.await.unwrap().unwrap().into_inner().status, 1);
        drop(sender);
    }
    assert!(away.requests() > 0 && full.requests() > 0);
}

#[tokio::test]
async fn a_stream_of_which_a_message_is_gone_is_not_repeated() {
    let bad = ByHand::start(by_hand::Manner::ResetsAfterMessage).await;
    let other = ByHand::start(by_hand::Manner::ResetsAfterMessage).await;
    let world = World::new(&[bad.address, other.address]).await;
    let (sender, messages) = later();
    let call = tokio::spawn(send(world.channel().idempotent(true), messages));
    let requests = || bad.requests() + other.requests();
    eventually("it is under way", async || requests() == 1).await;
    sender.send(message()).unwrap();
    let status = call.await.unwrap().unwrap_err();
    assert_eq!((status.code(), requests()), (Code::Unavailable, 1), "{status}");
}

#[tokio::test]
async fn a_stream_that_a_server_has_answered_is_not_repeated() {
    let servers = [by_hand::Manner::IsFull, by_hand::Manner::IsFull].map(ByHand::start);
    let servers = futures_util::future::join_all(servers).await;
    let world = World::new(&[servers[0].address, servers[1].address]).await;
    let (_sender, messages) = later();
    let status = send(world.channel(), messages).await.unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted, "{status}");
    assert_eq!(servers[0].requests() + servers[1].requests(), 1);
}

#[tokio::test]
async fn what_is_too_long_is_sent_as_a_stream() {
    let (good, bad) = (Server::start(Manner::Serves), Server::start(Manner::Fails(Code::Unavailable)));
    let world = World::new(&[good.address, bad.address]).await;
    let at_once = || stream::iter([message()]);
    let channel = world.channel().idempotent(true);
    for _ in 0..2 {
        send(channel.clone(), at_once()).await.unwrap();
    }
    assert!(bad.taken() > 0, "and repeated elsewhere");
    let too_long = channel.max_buffered(10);
    let (mut answered, mut failed) = (0, 0);
    for _ in 0..4 {
        match send(too_long.clone(), at_once()).await {
            Ok(_) => answered += 1,
            Err(status) => {
                assert_eq!(status.code(), Code::Unavailable);
                failed += 1;
            }
        }
    }
    assert!(answered > 0 && failed > 0, "{answered} answered, {failed} failed: sent once each");
}

#[tokio::test]
async fn a_stream_may_take_longer_than_an_attempt() {
    let server = Server::start(Manner::Serves);
    let world =
        World::with_times(&[server.address], Duration::from_millis(200), Duration::from_secs(10)).await;
    let (sender, messages) = later();
    let slow = async {
        tokio::time::sleep(Duration::from_millis(600)).await;
        sender.send(message()).unwrap();
        drop(sender);
    };
    let (answer, ()) = tokio::join!(send(world.channel(), messages), slow);
    assert_eq!(answer.unwrap().into_inner().status, 1);
}

#[tokio::test]
async fn a_response_in_progress_outlives_the_registration_of_its_server() {
    let server = Server::start(Manner::Serves);
    let world = World::new(&[server.address]).await;
    let mut client = HealthClient::new(world.channel());
    let mut statuses = client.watch(HealthCheckRequest::default()).await.unwrap().into_inner();
    assert_eq!(statuses.next().await.unwrap().unwrap().status, 1);
    world.remove(server.address).await;
    let second = async {
        // The handler may not wait for it yet.
        loop {
            server.release();
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let status = tokio::select! {
        biased;
        status = statuses.next() => status.unwrap().unwrap().status,
        () = second => unreachable!(),
    };
    assert_eq!(status, 2);
    assert!(statuses.next().await.is_none());
}

#[tokio::test]
async fn messages_go_both_ways_also_after_the_head_of_the_response() {
    let server = ByHand::start(by_hand::Manner::Echoes).await;
    // The head comes within the attempt's time, and after it.
    for (attempt, first) in [(10_000, 0), (200, 600)].map(|times| (times.0, Duration::from_millis(times.1))) {
        let attempt = Duration::from_millis(attempt);
        let world = World::with_times(&[server.address], attempt, Duration::from_secs(30)).await;
        let mut client = Grpc::new(world.channel());
        client.ready().await.unwrap();
        let (sender, messages) = later();
        let path = PathAndQuery::from_static("/grpc.health.v1.Health/Chat");
        let chat = client.streaming(Request::new(messages), path, ProstCodec::default());
        let begin = async {
            tokio::time::sleep(first).await;
            sender.send(message()).unwrap();
        };
        let (chat, ()) = tokio::join!(chat, begin);
        let mut answers = chat.unwrap().into_inner();
        for number in 1..=3 {
            let answer: HealthCheckResponse = answers.next().await.expect("an answer").unwrap();
            assert_eq!(answer.status, 1, "{number} after {first:?}");
            sender.send(message()).unwrap();
        }
    }
}
