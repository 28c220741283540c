//! What an error says is said once: no layer of a chain repeats the next one.

use std::error::Error;

use instance::{Endpoint, Format, Incarnation, Instance, Plain};

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
    for text in ["", "a", "a:0", "0.0.0.0:80", "[::", "a..b:80"] {
        assert_each_layer_is_its_own(&text.parse::<Endpoint>().unwrap_err());
        assert_each_layer_is_its_own(&Plain.decode_name(text).unwrap_err());
    }
    let instance = Instance::new("a:80".parse().unwrap());
    for wrong in [
        instance.clone().with_weight(u32::MAX),
        instance.clone().with_tag("", ""),
        instance.clone().with_tag("owner.x", ""),
        instance.with_tag("long", "x".repeat(1 << 16)),
    ] {
        assert_each_layer_is_its_own(&Plain.encode(&wrong).unwrap_err());
    }
    assert_each_layer_is_its_own(&"x".parse::<Incarnation>().unwrap_err());
}
