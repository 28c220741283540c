//! Mass disappearances on a real server: held as a whole, and for how long.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::time::Duration;

use common::{
    Watches, becomes_live, becomes_stale, node, on_both_watches, ports, ports_become, serve,
    serve_with_proxy, start, view_where,
};
use discovery::DiscoveryConfig;
use instance::Endpoint;
use tokio::time::{Instant, sleep};
use zk_testing::raw::{self, MultiOp};

on_both_watches! {
    fault_34_instances_that_go_in_one_transaction_are_held_as_a_whole,
    fault_34_a_held_instance_that_refuses_a_connection_goes_at_once,
    fault_34_a_hold_begins_again_after_an_outage,
    without_a_link_only_the_operator_removes_held_instances,
}

fn endpoint(port: u16) -> Endpoint {
    format!("127.0.0.1:{port}").parse().unwrap()
}

const TEN: [u16; 10] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10];

/// Settles for long: on a busy machine some time may pass between the first event and the last.
fn settles_long(config: DiscoveryConfig) -> DiscoveryConfig {
    config.with_settle(Duration::from_millis(500)).unwrap()
}

/// Removes the first eight in one transaction.
async fn remove_eight(observer: &raw::Client) {
    let eight: Vec<_> = (1..=8).map(|port| MultiOp::delete(node(port), None)).collect();
    observer.multi(&eight).await.unwrap();
}

async fn fault_34_instances_that_go_in_one_transaction_are_held_as_a_whole(watches: Watches) {
    let Some(_) = test_zookeeper::require() else { return };
    let (server, observer) = serve(TEN).await;
    let (_zk, discovery) = start(watches, &server.connect_string(), |config| {
        settles_long(config).with_hold(Duration::from_secs(600)).unwrap()
    });
    let before = ports_become(&discovery, &TEN).await;
    remove_eight(&observer).await;
    let held = view_where(&discovery, "all of them held", |view| view.held == 8).await;
    assert_eq!(held.snapshot, before.snapshot);
    assert!(held.held_endpoints().iter().map(Endpoint::port).eq(1..=8));
    assert!(held.is_held(&endpoint(8)) && !held.is_held(&endpoint(9)) && !held.is_held(&endpoint(11)));
    // A view with held instances is live, and the operator may release them.
    assert!(held.is_live());
    discovery.release_held();
    let view = ports_become(&discovery, &[9, 10]).await;
    assert_eq!((view.held, view.held_endpoints()), (0, &[][..]));
}

async fn fault_34_a_held_instance_that_refuses_a_connection_goes_at_once(watches: Watches) {
    let Some(_) = test_zookeeper::require() else { return };
    let (server, observer) = serve(TEN).await;
    let (_zk, discovery) = start(watches, &server.connect_string(), |config| {
        settles_long(config).with_hold(Duration::from_secs(600)).unwrap()
    });
    ports_become(&discovery, &TEN).await;
    remove_eight(&observer).await;
    view_where(&discovery, "held", |view| view.held == 8).await;
    // A listed instance refuses first, and stays.
    for port in [9, 3] {
        discovery.report_refused(&endpoint(port));
    }
    let view = ports_become(&discovery, &[1, 2, 4, 5, 6, 7, 8, 9, 10]).await;
    assert_eq!(view.held, 7);
    assert!(view.is_held(&endpoint(1)) && !view.is_held(&endpoint(3)));
}

const HOLD: Duration = Duration::from_secs(2);

async fn fault_34_a_hold_begins_again_after_an_outage(watches: Watches) {
    let Some(_) = test_zookeeper::require() else { return };
    let (_server, proxy, observer) = serve_with_proxy(TEN).await;
    let (_zk, discovery) =
        start(watches, &proxy.connect_string(), |config| settles_long(config).with_hold(HOLD).unwrap());
    let before = ports_become(&discovery, &TEN).await;
    remove_eight(&observer).await;
    view_where(&discovery, "held", |view| view.held == 8).await;
    proxy.refuse().await;
    becomes_stale(&discovery).await;
    sleep(HOLD).await;
    let healed = Instant::now();
    proxy.pass().await.unwrap();
    let after = becomes_live(&discovery).await;
    assert_eq!((after.held, &after.snapshot), (8, &before.snapshot));
    ports_become(&discovery, &[9, 10]).await;
    assert!(healed.elapsed() >= HOLD, "{:?}", healed.elapsed());
}

async fn without_a_link_only_the_operator_removes_held_instances(watches: Watches) {
    let Some(_) = test_zookeeper::require() else { return };
    let (_server, proxy, observer) = serve_with_proxy(TEN).await;
    let (_zk, discovery) =
        start(watches, &proxy.connect_string(), |config| settles_long(config).with_hold(HOLD).unwrap());
    ports_become(&discovery, &TEN).await;
    remove_eight(&observer).await;
    view_where(&discovery, "held", |view| view.held == 8).await;
    proxy.refuse().await;
    becomes_stale(&discovery).await;
    // Without a link a refused connection removes nothing, and the time of the hold stops.
    discovery.report_refused(&endpoint(1));
    sleep(HOLD + Duration::from_millis(500)).await;
    assert_eq!(ports(&discovery.view()).unwrap(), TEN);
    discovery.release_held();
    let view = view_where(&discovery, "released", |view| view.held == 0).await;
    assert_eq!((ports(&view).unwrap(), view.is_live()), (vec![9, 10], false));
}
