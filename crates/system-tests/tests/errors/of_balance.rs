use std::error::Error;
use std::io;
use std::time::Duration;

use balance::{
    Balancer, BalancerConfig, Budget, CallConfig, Caller, Ejection, Failure, GaveUp, PickError, Strategy,
    Target,
};

use crate::assert_each_layer_is_its_own;

#[test]
fn no_layer_of_an_error_repeats_the_next() {
    let picks = [
        PickError::NotSynced,
        PickError::NoInstances,
        PickError::NoMatch,
        PickError::AllClosed,
        PickError::AllExcluded,
        PickError::Saturated,
    ];
    for error in picks {
        assert_each_layer_is_its_own(&error);
    }
    for failure in Failure::ALL {
        assert_each_layer_is_its_own(&failure);
    }
    assert_each_layer_is_its_own(&"best".parse::<Strategy>().unwrap_err());
    assert_each_layer_is_its_own(&CallConfig::new(Duration::ZERO, Duration::ZERO).unwrap_err());
    assert_each_layer_is_its_own(&Ejection::default().with_consecutive(0, 1).unwrap_err());
    assert_each_layer_is_its_own(&Budget::new(-1.0, 1, Duration::from_secs(1)).unwrap_err());
    let balancer = Balancer::new(BalancerConfig::new(Strategy::RoundRobin));
    balancer.update([("10.0.0.7:80", ())]);
    let limits = CallConfig::new(Duration::from_millis(5), Duration::from_millis(20)).unwrap();
    let caller = Caller::new(balancer.reader(), limits);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let failed = runtime.block_on(caller.call(|_: Target<&str, ()>| async {
        Err::<(), _>(io::Error::from(io::ErrorKind::ConnectionRefused))
    }));
    let failed = failed.unwrap_err();
    assert_eq!(failed.reason(), GaveUp::AllRefused);
    assert!(failed.source().is_some(), "{failed}");
    assert_each_layer_is_its_own(&failed);
}
