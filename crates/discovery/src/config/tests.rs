use super::*;

fn config() -> DiscoveryConfig {
    DiscoveryConfig::new(ZnodePath::parse("/go_servers").unwrap())
}

#[test]
fn a_value_out_of_range_is_refused_with_the_range() {
    let (second, day) = (Duration::from_secs(1), Duration::from_secs(86_400));
    let error = config().with_settle(2 * second).unwrap_err();
    assert_eq!(error.to_string(), "a settling time of 2s is out of range; expected 0ns to 1s");
    assert!(config().with_settle(second).is_ok() && config().with_settle(Duration::ZERO).is_ok());
    assert!(config().with_hold(601 * second).is_err() && config().with_hold(600 * second).is_ok());
    for refused in [Duration::ZERO, DiscoveryConfig::AUDIT_INTERVALS.start().mul_f64(0.9), day] {
        assert!(config().with_audit_interval(refused).is_err(), "{refused:?}");
    }
    for allowed in [*DiscoveryConfig::AUDIT_INTERVALS.start(), *DiscoveryConfig::AUDIT_INTERVALS.end()] {
        assert!(config().with_audit_interval(allowed).is_ok(), "{allowed:?}");
    }
}

#[test]
fn the_default_hold_is_the_session_timeout_plus_two_seconds() {
    let timeout = Duration::from_secs(10);
    assert_eq!(config().hold(timeout), Duration::from_secs(12));
    for hold in [Duration::ZERO, Duration::from_secs(60)] {
        assert_eq!(config().with_hold(hold).unwrap().hold(timeout), hold);
    }
}

#[test]
fn the_defaults_settle_for_25_ms_audit_once_a_minute_and_read_no_records() {
    let config = config();
    assert_eq!(config.settle(), Duration::from_millis(25));
    assert_eq!(config.audit_interval(), Duration::from_secs(60));
    assert_eq!(config.records(), Records::NamesOnly);
}

#[test]
fn the_rule_of_mass_disappearances_is_checked_and_is_by_default_more_than_half_and_three_within_a_second() {
    let rule = MassDisappearance::default();
    assert_eq!(rule, config().mass_disappearance());
    assert_eq!(rule.window(), Duration::from_secs(1));
    for (gone, all, applies) in [(3, 5, true), (3, 6, false), (2, 2, false), (4, 6, true)] {
        assert_eq!(rule.applies(gone, all), applies, "{gone} of {all}");
    }
    let error = rule.with_share(1.5).unwrap_err();
    assert_eq!(error.to_string(), "a share of 1.5 is out of range; expected 0.0 to 1.0");
    assert!(rule.with_share(f64::NAN).is_err() && rule.with_number(0).is_err());
    assert!(rule.with_window(Duration::ZERO).is_err());
    let rule =
        rule.with_share(0.8).unwrap().with_number(1).unwrap().with_window(Duration::from_secs(60)).unwrap();
    assert!(rule.applies(1, 1) && !rule.applies(4, 5));
    assert_eq!(config().with_mass_disappearance(rule).mass_disappearance(), rule);
    assert!(!rule.with_share(1.0).unwrap().applies(9, 9));
}
