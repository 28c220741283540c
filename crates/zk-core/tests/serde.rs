//! Configurations and states as serde writes and reads them.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::time::Duration;

use serde_json::{Value, from_value, json, to_value};
use zk_core::{Acl, Auth, ServerVersion, ZkConfig, ZkHost, ZnodePath};

fn config() -> ZkConfig {
    "zk1:2181,[::1]:2182/apps".parse().unwrap()
}

#[test]
fn a_configuration_reads_back_as_itself() {
    let full = config()
        .with_session_timeout(Duration::from_millis(90_500))
        .unwrap()
        .with_operation_timeout(Duration::from_secs(2))
        .unwrap()
        .with_server_version(ServerVersion::Before3_6);
    for config in [config(), full.clone()] {
        assert_eq!(from_value::<ZkConfig>(to_value(&config).unwrap()).unwrap(), config);
    }
    assert_eq!(
        to_value(&full).unwrap(),
        json!({
            "hosts": ["zk1:2181", "[::1]:2182"], "chroot": "/apps", "session_timeout": "1m 30s 500ms",
            "operation_timeout": "2s", "server_version": "before-3.6",
        })
    );
    assert_eq!(from_value::<ZkConfig>(json!({"hosts": ["zk1"]})).unwrap(), "zk1".parse().unwrap());
    assert_eq!(to_value(Acl::Creator).unwrap(), json!("creator"));
    assert_eq!(from_value::<Acl>(json!("open")).unwrap(), Acl::Open);
}

#[test]
fn a_configuration_is_checked_when_it_is_read() {
    let with = |key: &str, value: Value| {
        let mut config = json!({"hosts": ["zk1"]});
        config[key] = value;
        from_value::<ZkConfig>(config)
    };
    assert!(with("session_timeout", json!("10s")).is_ok());
    for (key, value) in [
        ("hosts", json!([])),
        ("hosts", json!(["zk1:0"])),
        ("chroot", json!("apps")),
        ("session_timeout", json!("10ms")),
        ("session_timeout", json!(10)),
        ("session_timeout", json!("99999999999999999999s 99999999999999999999s")),
        ("session_timeout", json!("9999999999y ".repeat(5))),
        ("operation_timeout", json!("2h")),
        ("server_version", json!("3.4")),
        ("password", json!("hunter2")),
    ] {
        assert!(with(key, value.clone()).is_err(), "{key}: {value}");
    }
}

#[test]
fn a_written_configuration_has_no_secret() {
    let config = config().with_auth(Auth::digest("user", "hunter2").unwrap());
    assert!(!to_value(&config).unwrap().to_string().contains("hunter2"));
}

#[test]
fn hosts_and_paths_are_text() {
    assert_eq!(to_value("/a/b".parse::<ZnodePath>().unwrap()).unwrap(), json!("/a/b"));
    assert!(from_value::<ZnodePath>(json!("a/b")).is_err());
    assert_eq!(from_value::<ZkHost>(json!("zk1")).unwrap().to_string(), "zk1:2181");
}

#[tokio::test]
async fn a_state_says_for_how_long_and_why() {
    let nobody = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let zk = zk_core::Zk::start(nobody.to_string().parse().unwrap()).unwrap();
    zk.states().wait_for(|state| state.trouble.is_some()).await.unwrap();
    let state = to_value(zk.state()).unwrap();
    assert_eq!(
        (&state["phase"], &state["session"], &state["epoch"]),
        (&json!("lost"), &json!(null), &json!(0))
    );
    assert!(state["trouble"].as_str().unwrap().contains(&nobody.to_string()), "{state}");
    assert!(state["age"].as_str().unwrap().ends_with('s'), "{state}");
    zk.close(Duration::ZERO).await.unwrap();
    assert_eq!(to_value(zk.state()).unwrap()["phase"], "closed");
}
