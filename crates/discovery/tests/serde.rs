//! Configurations as serde writes and reads them, and views as it writes them.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::time::Duration;

use discovery::{Discovery, DiscoveryConfig, MassDisappearance, Records};
use instance::Instance;
use serde_json::{from_value, json, to_value};
use zk_simulated::SimulatedEnsemble;

#[test]
fn a_configuration_reads_back_as_itself_and_is_checked() {
    let plain: DiscoveryConfig = "/services/web".parse().unwrap();
    let rule = MassDisappearance::default().with_share(0.25).unwrap().with_number(7).unwrap();
    let full = plain
        .clone()
        .with_audit_interval(Duration::from_secs(90))
        .and_then(|config| config.with_settle(Duration::ZERO))
        .and_then(|config| config.with_hold(Duration::from_millis(1500)))
        .unwrap()
        .with_mass_disappearance(rule)
        .with_records(Records::Read);
    for config in [&plain, &full] {
        assert_eq!(from_value::<DiscoveryConfig>(to_value(config).unwrap()).unwrap(), *config);
    }
    assert_eq!(
        to_value(&full).unwrap(),
        json!({
            "root": "/services/web", "audit_interval": "1m 30s", "settle": "0s", "hold": "1s 500ms",
            "mass_disappearance": {"share": 0.25, "number": 7, "window": "1s"}, "records": "read",
        })
    );
    assert_eq!(from_value::<DiscoveryConfig>(json!({"root": "/services/web"})).unwrap(), plain);
    for invalid in [
        json!({}),
        json!({"root": "services"}),
        json!({"root": "/a", "settle": "2s"}),
        json!({"root": "/a", "hold": "1h"}),
        json!({"root": "/a", "mass_disappearance": {"share": 1.5}}),
        json!({"root": "/a", "holds": "1s"}),
    ] {
        assert!(from_value::<DiscoveryConfig>(invalid.clone()).is_err(), "{invalid}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_view_is_written_with_its_instances_and_its_age() {
    let ensemble = SimulatedEnsemble::new(7);
    let zk = ensemble.zk();
    let registrar = registry::Registrar::new(&zk, "/services/web".parse().unwrap());
    let instance = Instance::new("10.0.0.7:80".parse().unwrap());
    let registration = registrar.register(instance.clone()).unwrap();
    registration.registered().await.unwrap();
    let discovery = Discovery::start(&zk, "/services/web".parse().unwrap());
    discovery.ready(1, Duration::from_secs(10)).await.unwrap();
    discovery.views().wait_for(|view| view.is_live()).await.unwrap();
    tokio::time::advance(Duration::from_secs(1)).await;
    let view = to_value(&*discovery.view()).unwrap();
    assert_eq!(view["snapshot"], json!({"revision": 1, "instances": [instance]}));
    assert_eq!(view["freshness"]["state"], "live");
    assert!(view["freshness"]["age"].as_str().unwrap().starts_with("1s"), "{view}");
    assert_eq!((&view["held"], &view["trouble"]), (&json!(0), &json!(null)));
}
