//! What an error says is said once: no layer of a chain repeats the next one.

use std::error::Error;
use std::time::Duration;

use instance::{Format, Instance, Plain};
use registry::{Config, DeregisterError, RegisterError};
use zk_core::ZnodePath;

/// Walks down the causes of an error.
fn assert_each_layer_is_its_own(error: &dyn Error) {
    let (mut layer, mut next) = (error, error.source());
    assert!(!layer.to_string().is_empty());
    while let Some(cause) = next {
        assert!(!layer.to_string().contains(&cause.to_string()), "{layer} says {cause}, too");
        (layer, next) = (cause, cause.source());
    }
}

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
    assert_each_layer_is_its_own(&Config::new(root).with_audit_interval(Duration::ZERO).unwrap_err());
}
