//! Which configurations are taken.

use std::time::Duration;

use balance::{BalancerConfigError, CallConfig};

use crate::common::ms;

#[test]
fn only_limits_in_range_are_taken() {
    let hour = Duration::from_secs(3600);
    let error = |attempt, overall| CallConfig::new(attempt, overall).map(|_| ()).unwrap_err();
    assert!(CallConfig::new(ms(1), hour).is_ok());
    assert_eq!(error(ms(0), hour), BalancerConfigError::Attempt { attempt: ms(0) });
    for overall in [ms(9), hour + ms(1)] {
        assert_eq!(error(ms(10), overall), BalancerConfigError::Overall { attempt: ms(10), overall });
    }
    let attempt = ms(1000);
    let config = CallConfig::default();
    for time in [ms(0), ms(1001)] {
        let connect = config.clone().with_connect(time).unwrap_err();
        assert_eq!(connect, BalancerConfigError::Connect { connect: time, attempt });
        let hedge = config.clone().with_hedge_after(time).unwrap_err();
        assert_eq!(hedge, BalancerConfigError::Hedge { after: time, attempt });
    }
    assert!(config.clone().with_connect(attempt).unwrap().with_hedge_after(attempt).is_ok());
    for (attempts, refused) in [(0, 1), (1, 0)] {
        let error = config.clone().with_max_attempts(attempts, refused).unwrap_err();
        assert_eq!(error, BalancerConfigError::Attempts);
    }
}

#[test]
fn connecting_is_not_longer_than_an_attempt() {
    assert_eq!(CallConfig::default().connect(), ms(300));
    assert_eq!(CallConfig::new(ms(100), ms(100)).unwrap().connect(), ms(100));
    assert_eq!(CallConfig::new(ms(2000), ms(9000)).unwrap().connect(), ms(300));
}
