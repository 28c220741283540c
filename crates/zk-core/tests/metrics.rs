//! The metrics of a link.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::collections::BTreeMap;

use common::{SOON, config, connected, path, state_where};
use metrics_util::debugging::{DebugValue, DebuggingRecorder, Snapshotter};
use test_zookeeper::Server;
use zk_core::{Acl, State, Zk};
use zk_testing::proxy::Proxy;

/// All values that were recorded so far, by name and labels. The recorder returns what a counter has gained since the
/// last snapshot.
#[derive(Default)]
struct Seen(BTreeMap<(String, Vec<(String, String)>), f64>);

impl Seen {
    fn look(&mut self, recorder: &Snapshotter) -> &mut Self {
        for (key, _, _, value) in recorder.snapshot().into_vec() {
            let key = key.key();
            let labels =
                key.labels().map(|label| (label.key().to_owned(), label.value().to_owned())).collect();
            let known = self.0.entry((key.name().to_owned(), labels)).or_default();
            match value {
                DebugValue::Counter(gained) => *known += gained as f64,
                DebugValue::Gauge(value) => *known = value.0,
                DebugValue::Histogram(values) => *known += values.len() as f64,
            }
        }
        self
    }

    /// The sum over all series with this name and these labels.
    fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let wanted = |known: &[(String, String)]| {
            labels.iter().all(|(k, v)| known.iter().any(|(key, value)| key == k && value == v))
        };
        self.0.iter().filter(|((n, known), _)| n == name && wanted(known)).map(|(_, value)| value).sum()
    }
}

#[tokio::test]
async fn state_reconnects_failures_and_requests_are_counted() {
    let Some(_) = test_zookeeper::require() else { return };
    let recorder = DebuggingRecorder::new();
    let all = recorder.snapshotter();
    // Every task of this test runs on this thread.
    let _guard = metrics::set_default_local_recorder(&recorder);
    let server = Server::start().await.unwrap();
    let proxy = Proxy::start(server.addr()).await.unwrap();
    let hosts = proxy.connect_string();
    let zk = Zk::start(config(&hosts)).unwrap();
    let mut seen = Seen::default();
    let state = |seen: &Seen, state| seen.sum("zk_session_state", &[("ensemble", &hosts), ("state", state)]);
    seen.look(&all);
    assert_eq!((state(&seen, "lost"), state(&seen, "connected")), (1.0, 0.0));

    let connection = connected(&zk).await;
    connection.create_ephemeral(&path("/a"), b"", Acl::Open).await.unwrap();
    connection.create_ephemeral(&path("/a"), b"", Acl::Open).await.unwrap_err();
    seen.look(&all);
    assert_eq!((state(&seen, "lost"), state(&seen, "connected")), (0.0, 1.0));
    let requests = |outcome| seen.sum("zk_requests_total", &[("verb", "create"), ("outcome", outcome)]);
    assert_eq!((requests("done"), requests("not_done")), (1.0, 1.0));
    assert_eq!(seen.sum("zk_request_seconds", &[("verb", "create")]), 2.0);
    assert_eq!(seen.sum("zk_session_timeout_seconds", &[]), 2.0);

    proxy.refuse().await;
    state_where(&zk, "trouble", |state| state.trouble.is_some()).await;
    assert!(seen.look(&all).sum("zk_connect_failures_total", &[("reason", "unreachable")]) >= 1.0);
    assert_eq!(state(&seen, "suspended"), 1.0);
    proxy.pass().await.unwrap();
    state_where(&zk, "a connection", State::is_connected).await;
    seen.look(&all);
    assert_eq!((seen.sum("zk_reconnects_total", &[]), seen.sum("zk_session_epoch", &[])), (1.0, 1.0));
    zk.close(SOON).await.unwrap();
    assert_eq!(state(seen.look(&all), "closed"), 1.0);
}
