//! What an error says is said once: no layer of a chain repeats the next one.

use std::error::Error;
use std::io;
use std::time::Duration;

use balance::{Balancer, CallConfig, Config, Failure, PickError, Strategy, call};

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
