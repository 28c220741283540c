//! Helpers of tests on a simulated ensemble.

#![allow(clippy::unwrap_used, reason = "a test may panic")]
#![allow(dead_code, reason = "not every test file needs all of it")]

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use discovery::{Discovery, DiscoveryConfig, View};
use rand::RngExt;
use rand::rngs::SmallRng;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use zk_simulated::{Chaos, SimulatedEnsemble};

const ROOT: &str = "/go_servers";

/// Longer than whatever heals takes, in virtual time.
const LONG: Duration = Duration::from_secs(120);

pub(crate) fn config() -> DiscoveryConfig {
    DiscoveryConfig::new(ROOT.parse().unwrap())
}

pub(crate) fn node(port: u16) -> String {
    format!("{ROOT}/127.0.0.1:{port}")
}

pub(crate) fn ports(view: &View) -> Option<BTreeSet<u16>> {
    Some(view.snapshot.as_ref()?.endpoints().map(|endpoint| endpoint.port()).collect())
}

pub(crate) async fn view_where(discovery: &Discovery, wanted: impl Fn(&View) -> bool) -> Arc<View> {
    let mut views = discovery.views();
    let found = timeout(LONG, views.wait_for(|view| wanted(view))).await;
    found.unwrap_or_else(|_| panic!("not in time; the view is {:?}", discovery.view())).unwrap().clone()
}

pub(crate) async fn ports_become(
    discovery: &Discovery,
    expected: impl IntoIterator<Item = u16>,
) -> Arc<View> {
    let expected: BTreeSet<_> = expected.into_iter().collect();
    view_where(discovery, |view| view.is_live() && ports(view).as_ref() == Some(&expected)).await
}

/// Collects what a reader sees of every view, until following ends.
pub(crate) fn collect<T: Send + 'static>(
    discovery: &Discovery,
    see: impl Fn(&View) -> Option<T> + Send + 'static,
) -> JoinHandle<Vec<T>> {
    let mut views = discovery.views();
    tokio::spawn(async move {
        let mut seen: Vec<T> = see(&views.borrow_and_update()).into_iter().collect();
        while views.changed().await.is_ok() {
            seen.extend(see(&views.borrow_and_update()));
        }
        seen
    })
}

/// Lets instances come, go and change on a bad day; returns all sets of ports, beginning with the empty one.
pub(crate) async fn bad_day(ensemble: &SimulatedEnsemble, rng: &mut SmallRng) -> Vec<BTreeSet<u16>> {
    let operator = ensemble.operator();
    let mut truth = vec![BTreeSet::new()];
    ensemble.random_faults(Chaos::bad_day());
    for _ in 0..150 {
        let mut now = truth.last().unwrap().clone();
        let port = rng.random_range(1..=6);
        if !now.contains(&port) {
            operator.create_ephemeral(node(port), format!(r#"{{"Weight":{port}}}"#)).unwrap();
            now.insert(port);
        } else if rng.random_bool(0.3) {
            operator.set_data(node(port), format!(r#"{{"Weight":{}}}"#, port + 10)).unwrap();
        } else {
            match rng.random_bool(0.5) {
                true => operator.write_and_delete(node(port), "").unwrap(),
                false => operator.delete(node(port)).unwrap(),
            }
            now.remove(&port);
        }
        truth.push(now);
        if rng.random_bool(0.05) {
            ensemble.cut();
        }
        sleep(Duration::from_millis(rng.random_range(0..400))).await;
    }
    ensemble.random_faults(Chaos::default());
    // What is said at the end is heard; a session of the operator that ends would change the truth.
    ensemble.cut();
    std::mem::forget(operator);
    truth
}
