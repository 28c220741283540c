//! Strategies and configurations as serde writes and reads them.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::time::Duration;

use balance::{BalancerConfig, Budget, CallConfig, Ejection, Strategy};
use serde_json::{Value, from_value, json, to_value};

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

#[test]
fn a_strategy_is_its_name() {
    for strategy in Strategy::ALL {
        assert_eq!(to_value(strategy).unwrap(), json!(strategy.name()));
        assert_eq!(from_value::<Strategy>(json!(strategy.name())).unwrap(), strategy);
    }
    assert!(from_value::<Strategy>(json!("fastest")).is_err());
}

/// Reads a configuration back, and returns what was written both times.
fn written<T: serde::Serialize + serde::de::DeserializeOwned>(config: T) -> Value {
    let first = to_value(config).unwrap();
    let again: T = from_value(first.clone()).unwrap();
    assert_eq!(to_value(again).unwrap(), first);
    first
}

#[test]
fn a_balancer_s_configuration_reads_back_as_itself() {
    assert_eq!(
        written(BalancerConfig::default()),
        to_value(from_value::<BalancerConfig>(json!({})).unwrap()).unwrap()
    );
    let ejection = Ejection::default().with_consecutive(2, 7).unwrap().with_times(ms(100), ms(1500)).unwrap();
    let full = BalancerConfig::new(Strategy::LeastLoaded)
        .with_ejection(ejection)
        .with_zone("zone", "a")
        .with_label("version", "2")
        .with_subset(20, "web-7")
        .and_then(|config| config.with_panic_threshold(0.25))
        .and_then(|config| config.with_slow_start(ms(30_000)))
        .and_then(|config| config.with_max_in_flight(100))
        .unwrap()
        .with_seed(7);
    assert_eq!(
        written(full),
        json!({
            "strategy": "least-loaded",
            "ejection": {
                "consecutive": 2, "consecutive_soft": 7, "failure_share": 0.5, "base": "100ms", "cap": "1s 500ms",
                "max_share": 0.5,
            },
            "zone": {"tag": "zone", "value": "a"}, "labels": [{"tag": "version", "value": "2"}],
            "subset": {"size": 20, "client": "web-7"}, "panic_threshold": 0.25, "slow_start": "30s",
            "max_in_flight": 100, "seed": 7,
        })
    );
}

#[test]
fn the_limits_of_a_call_read_back_as_themselves() {
    let defaults: CallConfig = from_value(json!({})).unwrap();
    assert_eq!(written(defaults), written(CallConfig::default()));
    let full = CallConfig::new(ms(200), ms(2000))
        .and_then(|config| config.with_connect(ms(50)))
        .and_then(|config| config.with_max_attempts(3, 7))
        .and_then(|config| config.with_hedge_after(ms(20)))
        .unwrap()
        .with_idempotent(true)
        .with_budget(Budget::new(0.5, 3, ms(7000)).unwrap());
    assert_eq!(
        written(full),
        json!({
            "attempt": "200ms", "overall": "2s", "connect": "50ms", "idempotent": true, "max_attempts": 3,
            "max_refused": 7, "hedge_after": "20ms", "budget": {"share": 0.5, "floor_per_second": 3, "ttl": "7s"},
        })
    );
    let short: CallConfig = from_value(json!({"attempt": "100ms"})).unwrap();
    assert_eq!(short.connect(), ms(100), "no longer than the attempt");
}

#[test]
fn configurations_are_checked_when_they_are_read() {
    for invalid in [
        json!({"strategy": "fastest"}),
        json!({"ejection": {"consecutive": 0}}),
        json!({"ejection": {"base": "2h"}}),
        json!({"subset": {"size": 0, "client": "a"}}),
        json!({"panic_threshold": 2.0}),
        json!({"slow_start": "2h"}),
        json!({"slow_start": 30}),
        json!({"max_in_flight": 0}),
        json!({"zones": "a"}),
    ] {
        assert!(from_value::<BalancerConfig>(invalid.clone()).is_err(), "{invalid}");
    }
    for invalid in [
        json!({"attempt": "0s"}),
        json!({"overall": "1ms"}),
        json!({"connect": "2s"}),
        json!({"max_attempts": 0}),
        json!({"hedge_after": "1h"}),
        json!({"budget": {"share": -1.0}}),
        json!({"budget": {"ttl": "1h"}}),
    ] {
        assert!(from_value::<CallConfig>(invalid.clone()).is_err(), "{invalid}");
    }
}
