//! The instances, for a balancer of tower's.

use std::time::Duration;

use futures_util::future::poll_fn;
use tokio::time::timeout;
use tower::discover::{Change, Discover};
use tower::load::Constant;
use tower::{Service, ServiceExt};
use zk_roster::tower::discover;

use crate::web::{LONG, Web};

/// The changes until a time has passed without one: + and the port, or - and the port.
async fn changes<D>(discover: &mut D) -> Vec<String>
where
    D: Discover<Key = zk_roster::Endpoint, Error = std::convert::Infallible> + Unpin,
{
    let mut changes = Vec::new();
    let mut next = async || poll_fn(|cx| std::pin::Pin::new(&mut *discover).poll_discover(cx)).await;
    while let Ok(Some(Ok(change))) = timeout(Duration::from_secs(5), next()).await {
        changes.push(match change {
            Change::Insert(endpoint, _) => format!("+{}", endpoint.port()),
            Change::Remove(endpoint) => format!("-{}", endpoint.port()),
        });
    }
    changes
}

#[tokio::test(start_paused = true)]
async fn those_that_come_or_are_another_process_are_inserted_and_those_that_leave_or_drain_removed() {
    let web = Web::new(&[1, 2, 3]).await;
    let mut discover = discover(&web.client, |_| ());
    assert_eq!(changes(&mut discover).await, ["+1", "+2", "+3"]);
    web.remove(1);
    assert_eq!(changes(&mut discover).await, ["-1"]);
    web.set(2, 1, true);
    assert_eq!(changes(&mut discover).await, ["-2"]);
    web.set(3, 2, false);
    assert_eq!(changes(&mut discover).await, ["+3"]);
    web.add(4);
    assert_eq!(changes(&mut discover).await, ["+4"]);
    web.client.shutdown().await;
    let end = poll_fn(|cx| std::pin::Pin::new(&mut discover).poll_discover(cx));
    assert!(timeout(LONG, end).await.unwrap().is_none(), "following has ended");
}

#[tokio::test(start_paused = true)]
async fn a_balancer_of_tower_calls_what_is_discovered() {
    let web = Web::new(&[1, 2]).await;
    let make = |instance: &std::sync::Arc<zk_roster::Instance>| {
        let port = instance.endpoint().port();
        Constant::new(tower::service_fn(move |()| std::future::ready(Ok::<_, tower::BoxError>(port))), 0)
    };
    let mut balance = tower::balance::p2c::Balance::new(discover(&web.client, make));
    for _ in 0..10 {
        let answer = ServiceExt::<()>::ready(&mut balance).await.unwrap().call(()).await.unwrap();
        assert!([1, 2].contains(&answer));
    }
}

#[tokio::test(start_paused = true)]
async fn a_saved_list_is_discovered_until_zookeeper_lists_the_service() {
    let web = Web::new(&[1, 2]).await;
    let mut discover = discover(&web.saved_client().await, |_| ());
    assert_eq!(changes(&mut discover).await, ["+1", "+2"]);
    web.remove(2);
    web.let_zookeeper_back();
    assert_eq!(changes(&mut discover).await, ["-2"]);
}
