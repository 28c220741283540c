use instance::{Endpoint, Format, Incarnation, Instance, Plain};

use crate::assert_each_layer_is_its_own;

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
