//! Mass disappearances, with the events of a server.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::time::Duration;

use common::{Engine, ROOT, add, node, observer, on_both_engines, ports, ports_become, start, view_where};
use test_zookeeper::Server;
use tokio::time::{Instant, sleep};
use zk_testing::proxy::Proxy;
use zk_testing::raw::MultiOp;

on_both_engines! {
    fault_34_what_goes_in_one_transaction_is_held_as_a_whole,
    fault_34_what_is_held_and_refuses_a_connection_goes_at_once,
    fault_34_after_an_outage_there_is_a_whole_hold_for_coming_back,
    without_a_link_nothing_that_is_held_is_removed,
}

const EIGHT_OF_TEN: [u16; 10] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10];

/// The first eight of ten go in one transaction.
async fn eight_go(observer: &zk_testing::raw::Client) {
    let eight: Vec<_> = (1..=8).map(|port| MultiOp::delete(node(port), None)).collect();
    observer.multi(&eight).await.unwrap();
}

async fn fault_34_what_goes_in_one_transaction_is_held_as_a_whole(engine: Engine) {
    let Some(_) = test_zookeeper::require() else { return };
    let server = Server::start().await.unwrap();
    let observer = observer(&server).await;
    observer.create_all(ROOT).await.unwrap();
    add(&observer, EIGHT_OF_TEN).await;
    let (_zk, discovery) = start(engine, &server.connect_string(), |config| {
        // A busy machine may take its time between the first event and the last.
        config.with_settle(Duration::from_millis(500)).unwrap().with_hold(Duration::from_secs(600)).unwrap()
    });
    let before = ports_become(&discovery, &EIGHT_OF_TEN).await;
    eight_go(&observer).await;
    let held = view_where(&discovery, "all of them held", |view| view.held == 8).await;
    assert_eq!(held.snapshot, before.snapshot);
    // It is the view's only doubt, and the operator's word ends it.
    assert!(held.is_live());
    discovery.release_held();
    ports_become(&discovery, &[9, 10]).await;
}

async fn fault_34_what_is_held_and_refuses_a_connection_goes_at_once(engine: Engine) {
    let Some(_) = test_zookeeper::require() else { return };
    let server = Server::start().await.unwrap();
    let observer = observer(&server).await;
    observer.create_all(ROOT).await.unwrap();
    add(&observer, EIGHT_OF_TEN).await;
    let (_zk, discovery) = start(engine, &server.connect_string(), |config| {
        config.with_settle(Duration::from_millis(500)).unwrap().with_hold(Duration::from_secs(600)).unwrap()
    });
    ports_become(&discovery, &EIGHT_OF_TEN).await;
    eight_go(&observer).await;
    view_where(&discovery, "held", |view| view.held == 8).await;
    // What is listed refuses as well, and stays: in this order, so that it was heard before the other.
    for port in [9, 3] {
        discovery.report_refused(&format!("127.0.0.1:{port}").parse().unwrap());
    }
    let view = ports_become(&discovery, &[1, 2, 4, 5, 6, 7, 8, 9, 10]).await;
    assert_eq!(view.held, 7);
}

const HOLD: Duration = Duration::from_secs(2);

async fn fault_34_after_an_outage_there_is_a_whole_hold_for_coming_back(engine: Engine) {
    let Some(_) = test_zookeeper::require() else { return };
    let server = Server::start().await.unwrap();
    let proxy = Proxy::start(server.addr()).await.unwrap();
    let observer = observer(&server).await;
    observer.create_all(ROOT).await.unwrap();
    add(&observer, EIGHT_OF_TEN).await;
    let (_zk, discovery) = start(engine, &proxy.connect_string(), |config| {
        config.with_settle(Duration::from_millis(500)).unwrap().with_hold(HOLD).unwrap()
    });
    let before = ports_become(&discovery, &EIGHT_OF_TEN).await;
    eight_go(&observer).await;
    view_where(&discovery, "held", |view| view.held == 8).await;
    proxy.refuse().await;
    view_where(&discovery, "stale", |view| !view.is_live()).await;
    sleep(HOLD).await;
    let healed = Instant::now();
    proxy.pass().await.unwrap();
    let after = view_where(&discovery, "live", |view| view.is_live()).await;
    assert_eq!((after.held, &after.snapshot), (8, &before.snapshot));
    ports_become(&discovery, &[9, 10]).await;
    assert!(healed.elapsed() >= HOLD, "{:?}", healed.elapsed());
}

async fn without_a_link_nothing_that_is_held_is_removed(engine: Engine) {
    let Some(_) = test_zookeeper::require() else { return };
    let server = Server::start().await.unwrap();
    let proxy = Proxy::start(server.addr()).await.unwrap();
    let observer = observer(&server).await;
    observer.create_all(ROOT).await.unwrap();
    add(&observer, EIGHT_OF_TEN).await;
    let (_zk, discovery) = start(engine, &proxy.connect_string(), |config| {
        config.with_settle(Duration::from_millis(500)).unwrap().with_hold(HOLD).unwrap()
    });
    ports_become(&discovery, &EIGHT_OF_TEN).await;
    eight_go(&observer).await;
    view_where(&discovery, "held", |view| view.held == 8).await;
    proxy.refuse().await;
    view_where(&discovery, "stale", |view| !view.is_live()).await;
    // Without a link a refused connection proves nothing, and no time passes.
    discovery.report_refused(&"127.0.0.1:1".parse().unwrap());
    sleep(HOLD + Duration::from_millis(500)).await;
    assert_eq!(ports(&discovery.view()).unwrap(), EIGHT_OF_TEN);
    // The operator knows better.
    discovery.release_held();
    let view = view_where(&discovery, "released", |view| view.held == 0).await;
    assert_eq!((ports(&view).unwrap(), view.is_live()), (vec![9, 10], false));
}
