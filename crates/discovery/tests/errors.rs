//! What an error says is said once: no layer of a chain repeats the next one.

use std::error::Error;
use std::time::Duration;

use discovery::Config;

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
    let config = || Config::new("/go_servers".parse().unwrap());
    let long = Duration::from_secs(1 << 30);
    for error in [
        config().with_audit_interval(Duration::ZERO).unwrap_err(),
        config().with_hold(long).unwrap_err(),
        config().with_settle(long).unwrap_err(),
    ] {
        assert_each_layer_is_its_own(&error);
    }
}
