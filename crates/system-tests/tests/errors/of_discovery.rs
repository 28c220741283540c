use std::time::Duration;

use discovery::DiscoveryConfig;

use crate::assert_each_layer_is_its_own;

#[test]
fn no_layer_of_an_error_repeats_the_next() {
    let config = || DiscoveryConfig::new("/go_servers".parse().unwrap());
    let long = Duration::from_secs(1 << 30);
    for error in [
        config().with_audit_interval(Duration::ZERO).unwrap_err(),
        config().with_hold(long).unwrap_err(),
        config().with_settle(long).unwrap_err(),
    ] {
        assert_each_layer_is_its_own(&error);
    }
}
