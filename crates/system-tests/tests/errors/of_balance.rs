use std::error::Error;
use std::io;
use std::time::Duration;

use balance::{Balancer, CallConfig, Config, Failure, PickError, Strategy, call};

use crate::assert_each_layer_is_its_own;

#[test]
fn no_layer_of_an_error_repeats_the_next() {
    for error in [PickError::NotSynced, PickError::NoInstances, PickError::AllExcluded] {
        assert_each_layer_is_its_own(&error);
    }
    for failure in [Failure::Refused, Failure::Timeout, Failure::Reset, Failure::Incomplete] {
        assert_each_layer_is_its_own(&failure);
    }
    assert_each_layer_is_its_own(&"best".parse::<Strategy>().unwrap_err());
    assert_each_layer_is_its_own(&CallConfig::new(Duration::ZERO, Duration::ZERO).unwrap_err());
    let balancer = Balancer::new(Config::new(Strategy::RoundRobin));
    balancer.update(["10.0.0.7:80"]);
    let limits = CallConfig::new(Duration::from_millis(5), Duration::from_millis(20)).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let failed = runtime.block_on(call(&balancer, &limits, |_| async {
        Err::<(), _>(io::Error::from(io::ErrorKind::ConnectionRefused))
    }));
    let failed = failed.unwrap_err();
    assert!(failed.source().is_some(), "{failed}");
    assert_each_layer_is_its_own(&failed);
}
