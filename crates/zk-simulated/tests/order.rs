//! What the seam of zk-core promises about order.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::time::Duration;

use futures_util::FutureExt;
use futures_util::TryFutureExt;
use futures_util::future::join_all;
use tokio::time::Instant;
use zk_core::{Acl, EventKind, ZnodePath};
use zk_simulated::{SimulatedEnsemble, Verb, builder};

fn path(text: &str) -> ZnodePath {
    ZnodePath::parse(text).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_round_trip_takes_virtual_time_and_requests_take_effect_in_the_order_of_the_calls() {
    let ensemble = builder(1).round_trip(Duration::from_millis(10)..=Duration::from_millis(20)).build();
    let zk = ensemble.zk();
    let connection = zk.connected().await.unwrap();
    let begun = Instant::now();
    let (a, b) = (path("/a"), path("/b"));
    let created = connection.create_ephemeral(&a, b"", Acl::Open).map_ok(drop).boxed();
    let write = |n: i32| {
        let (connection, a) = (&connection, &a);
        async move { connection.set_data(a, n.to_string().as_bytes(), Some(n)).await.map(drop) }.boxed()
    };
    let all: Vec<_> = std::iter::once(created).chain((0..20).map(write)).collect();
    assert!(join_all(all).await.iter().all(Result::is_ok));
    let elapsed = begun.elapsed();
    assert!((Duration::from_millis(10)..=Duration::from_millis(20)).contains(&elapsed), "{elapsed:?}");
    assert_eq!(connection.data(&a).await.unwrap().0, b"19");
    assert_eq!(connection.stat(&b).await.unwrap(), None);
    assert_eq!(ensemble.requests(Verb::SetData).len(), 20);
}

#[tokio::test(start_paused = true)]
async fn an_event_is_queued_before_the_reply_to_a_later_request() {
    for seed in 0..50 {
        let ensemble = SimulatedEnsemble::new(seed);
        let (zk, operator) = (ensemble.zk(), ensemble.operator());
        operator.create("/root", "").unwrap();
        let connection = zk.connected().await.unwrap();
        let mut watch = connection.watch_recursive(&path("/root")).await.unwrap();
        operator.create_ephemeral("/root/a", "").unwrap();
        let (names, stat) = connection.children(&path("/root")).await.unwrap();
        assert_eq!((names.len(), stat.cversion), (1, 1));
        let event = watch.try_next().expect("queued before the list");
        assert_eq!((event.kind, event.path.as_str(), event.zxid), (EventKind::Created, "/root/a", None));
    }
}
