//! Configurations as serde writes and reads them, and statuses as it writes them.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::time::Duration;

use instance::{Incarnation, Owner};
use registry::{Holder, RegistrarConfig, RegistrationStatus};
use serde_json::{from_value, json, to_value};
use zk_core::{Acl, SessionId, Zxid};

#[test]
fn a_configuration_reads_back_as_itself_and_is_checked() {
    let plain: RegistrarConfig = "/services/web".parse().unwrap();
    let full = plain.clone().with_acl(Acl::Creator).with_audit_interval(Duration::from_secs(90)).unwrap();
    for config in [&plain, &full] {
        assert_eq!(from_value::<RegistrarConfig>(to_value(config).unwrap()).unwrap(), *config);
    }
    assert_eq!(
        to_value(&full).unwrap(),
        json!({"root": "/services/web", "acl": "creator", "audit_interval": "1m 30s"})
    );
    assert_eq!(from_value::<RegistrarConfig>(json!({"root": "/services/web"})).unwrap(), plain);
    for invalid in [
        json!({}),
        json!({"root": "services"}),
        json!({"root": "/a", "audit_interval": "1ms"}),
        json!({"root": "/a", "audit": "1s"}),
    ] {
        assert!(from_value::<RegistrarConfig>(invalid.clone()).is_err(), "{invalid}");
    }
}

#[test]
fn a_status_is_named() {
    let registered = RegistrationStatus::Registered { czxid: Zxid(7), session: SessionId(0x1a2) };
    assert_eq!(
        to_value(registered).unwrap(),
        json!({"status": "registered", "czxid": "0x7", "session": "0x1a2"})
    );
    let pending = RegistrationStatus::Pending { trouble: None };
    assert_eq!(to_value(pending).unwrap(), json!({"status": "pending", "trouble": null}));
    let owner = Owner::new(Incarnation::from_u128(7));
    let conflict = RegistrationStatus::Conflict(Holder { session: None, owner: Some(owner) });
    let written = to_value(conflict).unwrap();
    assert_eq!(
        (&written["status"], &written["owner"]["incarnation"]),
        (&json!("conflict"), &json!("00000000000000000000000000000007"))
    );
}
