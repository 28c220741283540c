//! Which connections there are, and for how long.

use futures_util::future::join_all;
use zk_testing::eventually;

use crate::by_hand::{self, ByHand};
use crate::server::{Manner, Server};
use crate::world::{World, check};

#[tokio::test]
async fn a_removed_instance_finishes_its_call_and_its_connection_closes() {
    let mut server = ByHand::start(by_hand::Manner::Passes).await;
    let other = Server::start(Manner::Serves);
    let world = World::new(&[server.address]).await;
    let channel = world.channel();
    let call = tokio::spawn(check(channel.clone()));
    let respond = server.passed().await;
    world.remove(server.address).await;
    assert_eq!(server.closed(), 0, "a call is under way");
    by_hand::answer(respond);
    assert_eq!(call.await.unwrap().unwrap().into_inner().status, 1);
    eventually("the connection is closed", async || server.closed() == 1).await;
    drop((channel, other));
}

#[tokio::test]
async fn the_idle_connection_of_a_removed_instance_closes() {
    let mut server = ByHand::start(by_hand::Manner::Passes).await;
    let world = World::new(&[server.address]).await;
    let channel = world.channel();
    let call = tokio::spawn(check(channel.clone()));
    by_hand::answer(server.passed().await);
    call.await.unwrap().unwrap();
    assert_eq!(server.closed(), 0, "it is kept for the next call");
    world.remove(server.address).await;
    eventually("the connection is closed", async || server.closed() == 1).await;
    drop(channel);
}

#[tokio::test]
async fn a_server_that_starts_again_at_its_address_is_called_again() {
    let mut server = Server::start(Manner::Serves);
    let world = World::new(&[server.address]).await;
    let channel = world.channel();
    for incarnation in 2..5 {
        check(channel.clone()).await.unwrap();
        let address = server.address;
        server.kill().await;
        server = Server::start_at(address, Manner::Serves);
        world.set_incarnation(address, incarnation).await;
    }
    check(channel).await.unwrap();
    assert_eq!(server.taken(), 1);
}

#[tokio::test]
async fn a_server_that_stops_in_order_costs_no_call_though_none_may_be_repeated() {
    let servers = [(); 2].map(|()| Server::start(Manner::Serves));
    let world = World::new(&servers.each_ref().map(|server| server.address)).await;
    let channel = world.channel();
    let calling = async || {
        for _ in 0..200 {
            check(channel.clone()).await.unwrap();
        }
    };
    let stopping = async {
        eventually("both are called", async || servers.iter().all(|server| server.taken() > 100)).await;
        servers[0].stop();
    };
    tokio::join!(join_all((0..10).map(|_| calling())), stopping);
    // Its record is still there.
    let taken = servers.each_ref().map(Server::taken);
    assert_eq!(taken.iter().sum::<usize>(), 2000, "each once: {taken:?}");
    assert!(taken[1] > taken[0] + 500, "{taken:?}");
}
