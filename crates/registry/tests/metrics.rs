//! The metrics of a registrar.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::collections::HashMap;
use std::time::Duration;

use common::*;
use metrics_util::debugging::{DebugValue, DebuggingRecorder, Snapshotter};
use registry::RegistrationStatus;
use zk_testing::raw;

/// The values by name and labels, summed up: a snapshot of the recorder has the changes since the last one.
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
            // Other tests have the metrics of the link.
            if !key.name().starts_with("registry_") {
                continue;
            }
            let labels = key.labels().map(|label| format!(" {}={}", label.key(), label.value()));
            let value = match value {
                DebugValue::Counter(count) => count as f64,
                DebugValue::Gauge(value) => value.into_inner(),
                DebugValue::Histogram(_) => continue,
            };
            let name = format!("{}{}", key.name(), labels.collect::<String>());
            *self.values.entry(name).or_default() += value;
        }
        &self.values
    }
}

#[tokio::test]
async fn metrics_count_registrations_by_status_and_their_events() {
    let recorder = DebuggingRecorder::new();
    let mut totals = Totals::of(&recorder);
    let _guard = metrics::set_default_local_recorder(&recorder);
    let Some((_server, proxy, service, admin)) = behind_proxy(NO_AUDITS).await else { return };
    let registrations = service.register_all((0..3).map(instance));
    all_registered(&registrations).await;
    let first = totals.look();
    assert_eq!(first["registry_registrations root=/go_servers status=registered"], 3.0);
    assert_eq!(first["registry_registrations root=/go_servers status=pending"], 0.0);
    assert_eq!(first["registry_created_total root=/go_servers"], 3.0);

    let one = registrations[0].path().as_str();
    delete_until_recreated(&admin, one).await;
    all_registered(&registrations).await;
    let rivals = format!("{ROOT}/10.0.0.9:80");
    admin.create(&rivals, b"", raw::CreateMode::Ephemeral).await.unwrap();
    let in_conflict = service.registrar.register(instance(9)).unwrap();
    conflict(&in_conflict).await;
    admin.set_acl(ROOT, &[read_and_admin()]).await.unwrap();
    let denied = service.registrar.register(instance(10)).unwrap();
    status_where(&denied, |status| matches!(status, RegistrationStatus::Pending { trouble: Some(_) })).await;
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
        status_where(registration, RegistrationStatus::is_final).await;
    }
    let last = totals.look();
    let gauges = last.iter().filter(|(name, _)| name.starts_with("registry_registrations"));
    assert!(gauges.clone().count() > 0 && gauges.into_iter().all(|(_, value)| *value == 0.0), "{last:?}");
}

#[tokio::test]
async fn metrics_count_a_take_over() {
    let recorder = DebuggingRecorder::new();
    let _guard = metrics::set_default_local_recorder(&recorder);
    let Some((server, proxy, dead, _observer)) = behind_proxy(NO_AUDITS).await else { return };
    let before = dead.register_vouched();
    registered(&before).await;
    proxy.hang().await.unwrap();
    let service = service(&server.connect_string(), NO_AUDITS);
    let registration = service.register_vouched();
    registered(&registration).await;
    let mut totals = Totals::of(&recorder);
    let values = totals.look();
    assert_eq!(values["registry_taken_over_total root=/go_servers"], 1.0);
    assert_eq!(values["registry_created_total root=/go_servers"], 1.0);
}
