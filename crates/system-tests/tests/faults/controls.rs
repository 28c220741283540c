//! Negative controls: rows that a bad server must fail, as a harness that cannot fail proves nothing.

use std::future::Future;

use system_tests::Verdict;
use tokio::time::timeout;

use crate::servers::{row_01, row_23};
use crate::support::*;
use crate::zookeeper::{row_10, row_12};

/// Runs a row with a stand-in, and returns what it violated.
async fn violation(verdict: impl Future<Output = Verdict>) -> String {
    let verdict = timeout(4 * SOON, verdict).await.expect("a verdict");
    verdict.expect_err("the row passes a server that it must catch")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn control_the_tutorials_server_fails_row_01() {
    let Some(_) = test_zookeeper::require() else { return };
    let violated = violation(row_01(tutorial())).await;
    assert!(violated.contains("I4"), "{violated}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn control_the_tutorials_server_fails_row_10() {
    let Some(_) = test_zookeeper::require() else { return };
    let violated = violation(row_10(tutorial())).await;
    assert!(violated.contains("I4"), "{violated}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn control_the_tutorials_server_fails_row_12_also_with_an_ephemeral_znode() {
    let Some(_) = test_zookeeper::require() else { return };
    let violated = violation(row_12(tutorial())).await;
    assert!(violated.contains("I5"), "{violated}");
    let violated = violation(row_12(tutorial_ephemeral())).await;
    assert!(violated.contains("registered again"), "{violated}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn control_the_tutorials_server_fails_row_23_also_with_an_ephemeral_znode() {
    let Some(_) = test_zookeeper::require() else { return };
    for stand_in in [tutorial(), tutorial_ephemeral()] {
        let violated = violation(row_23(stand_in)).await;
        assert!(violated.contains("the new session owns it"), "{violated}");
    }
}
