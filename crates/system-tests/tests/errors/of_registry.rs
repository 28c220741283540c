use std::time::Duration;

use instance::{Format, Instance, Plain};
use registry::{DeregisterError, RegisterError, RegistrarConfig};
use zk_core::ZnodePath;

use crate::assert_each_layer_is_its_own;

#[test]
fn no_layer_of_an_error_repeats_the_next() {
    let root = ZnodePath::parse("/go_servers").unwrap();
    let wrong = Instance::new("a:80".parse().unwrap()).with_weight(u32::MAX);
    for error in [
        RegisterError::Encode(Plain.encode(&wrong).unwrap_err()),
        RegisterError::Name(root.join("a/b").unwrap_err()),
        RegisterError::Duplicate(root.clone()),
        RegisterError::OtherName { from: "a:80".into(), to: "b:80".into() },
        RegisterError::Deregistered(root.clone()),
    ] {
        assert_each_layer_is_its_own(&error);
    }
    assert_each_layer_is_its_own(&DeregisterError { path: root.clone(), waited: Duration::from_secs(1) });
    assert_each_layer_is_its_own(
        &RegistrarConfig::new(root).with_audit_interval(Duration::ZERO).unwrap_err(),
    );
}
