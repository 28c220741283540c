//! What a registrar tells by metrics.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Duration;

use metrics_util::debugging::{DebugValue, DebuggingRecorder, Snapshotter};
use registry::{Socket, Status};
use support::*;
use test_zookeeper::Server;
use zk_testing::proxy::Proxy;
use zk_testing::raw;

/// The values by name and labels. The recorder starts anew at each look.
struct Totals {
    snapshotter: Snapshotter,
    values: HashMap<String, f64>,
}

impl Totals {
    fn of(recorder: &DebuggingRecorder) -> Self {
        Self { snapshotter: recorder.snapshotter(), values: HashMap::new() }
    }

    fn look(&mut self) -> &HashMap<String, f64> {
        for (key, _, _, value) in self.snapshotter.snapshot().into_vec() {
            let key = key.key();
            // Those of the link are tested elsewhere.
            if !key.name().starts_with("registry_") {
                continue;
            }
            let labels = key.labels().map(|label| format!(" {}={}", label.key(), label.value()));
            let value = match value {
                DebugValue::Counter(count) => count as f64,
                DebugValue::Gauge(value) => value.into_inner(),
                // Those of the link below.
                DebugValue::Histogram(_) => continue,
            };
            let name = format!("{}{}", key.name(), labels.collect::<String>());
            *self.values.entry(name).or_default() += value;
        }
        &self.values
    }
}

#[tokio::test]
async fn metrics_tell_what_stands_and_what_has_happened() {
    let Some(_) = test_zookeeper::require() else { return };
    let recorder = DebuggingRecorder::new();
    let mut totals = Totals::of(&recorder);
    let _guard = metrics::set_default_local_recorder(&recorder);
    let server = Server::start().await.unwrap();
    let proxy = Proxy::start(server.addr()).await.unwrap();
    let admin = observer(&server).await;
    let service = service(&proxy.connect_string(), NEVER);
    let registrations = service.register_all((0..3).map(instance));
    all_registered(&registrations).await;
    let first = totals.look();
    assert_eq!(first["registry_registrations root=/go_servers status=registered"], 3.0);
    assert_eq!(first["registry_registrations root=/go_servers status=pending"], 0.0);
    assert_eq!(first["registry_created_total root=/go_servers"], 3.0);

    let one = registrations[0].path().as_str();
    let czxid = admin.exists(one).await.unwrap().unwrap().czxid;
    admin.delete(one, None).await.unwrap();
    let is_back = || async { admin.exists(one).await.unwrap().is_some_and(|stat| stat.czxid != czxid) };
    eventually("the znode", is_back).await;
    all_registered(&registrations).await;
    let rivals = format!("{ROOT}/10.0.0.9:80");
    admin.create(&rivals, b"", raw::CreateMode::Ephemeral).await.unwrap();
    let in_conflict = service.registrar.register(instance(9), Socket::Unvouched).unwrap();
    status_where(&in_conflict, |status| matches!(status, Status::Conflict(_))).await;
    admin.set_acl(ROOT, &[read_and_mend()]).await.unwrap();
    let denied = service.registrar.register(instance(10), Socket::Unvouched).unwrap();
    status_where(&denied, |status| matches!(status, Status::Pending { trouble: Some(_) })).await;
    let second = totals.look();
    assert_eq!(second["registry_lost_total root=/go_servers"], 1.0);
    assert_eq!(second["registry_created_total root=/go_servers"], 4.0);
    assert_eq!(second["registry_conflicts_total root=/go_servers"], 1.0);
    assert!(second["registry_failures_total root=/go_servers kind=denied"] >= 1.0);
    for (status, wanted) in [("registered", 3.0), ("conflict", 1.0), ("pending", 1.0)] {
        let gauge = format!("registry_registrations root=/go_servers status={status}");
        assert_eq!(second[&gauge], wanted, "{status}");
    }

    proxy.refuse().await;
    none_registered(&registrations).await;
    let third = totals.look();
    assert_eq!(third["registry_registrations root=/go_servers status=unconfirmed"], 3.0);
    assert_eq!(third["registry_registrations root=/go_servers status=registered"], 0.0);
    service.zk.close(Duration::from_millis(100)).await.unwrap_err();
    for registration in registrations.iter().chain([&in_conflict, &denied]) {
        status_where(registration, Status::is_final).await;
    }
    let last = totals.look();
    let gauges = last.iter().filter(|(name, _)| name.starts_with("registry_registrations"));
    assert!(gauges.clone().count() > 0 && gauges.into_iter().all(|(_, value)| *value == 0.0), "{last:?}");
}

#[tokio::test]
async fn metrics_tell_of_a_take_over() {
    let Some(_) = test_zookeeper::require() else { return };
    let recorder = DebuggingRecorder::new();
    let _guard = metrics::set_default_local_recorder(&recorder);
    let server = Server::start().await.unwrap();
    let proxy = Proxy::start(server.addr()).await.unwrap();
    let bound: SocketAddr = "127.0.0.1:8897".parse().unwrap();
    let register = |service: &Service| {
        let instance = instance::Instance::new("127.0.0.1:8897".parse().unwrap());
        service.registrar.register(instance, Socket::Bound(bound)).unwrap()
    };
    let dead = service(&proxy.connect_string(), NEVER);
    let before = register(&dead);
    all_registered(std::slice::from_ref(&before)).await;
    proxy.hang().await.unwrap();
    let service = service(&server.connect_string(), NEVER);
    let registration = register(&service);
    all_registered(std::slice::from_ref(&registration)).await;
    let mut totals = Totals::of(&recorder);
    let values = totals.look();
    assert_eq!(values["registry_taken_over_total root=/go_servers"], 1.0);
    assert_eq!(values["registry_created_total root=/go_servers"], 1.0);
}
