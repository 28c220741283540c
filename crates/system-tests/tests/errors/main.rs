//! No layer of an error chain repeats the text of its cause. One file for each crate.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod of_balance;
mod of_daytime_metrics;
mod of_daytime_server;
mod of_discovery;
mod of_instance;
mod of_registry;
mod of_zk_core;
mod of_zk_testing;

use std::error::Error;

/// Walks down the causes of an error.
fn assert_each_layer_is_its_own(error: &dyn Error) {
    let (mut layer, mut next) = (error, error.source());
    assert!(!layer.to_string().is_empty());
    while let Some(cause) = next {
        assert!(!layer.to_string().contains(&cause.to_string()), "{layer} repeats {cause}");
        (layer, next) = (cause, cause.source());
    }
}

/// The check finds a layer that repeats its cause.
#[test]
#[should_panic(expected = "repeats")]
fn an_error_that_repeats_its_cause_is_found() {
    #[derive(Debug)]
    struct Twice(std::fmt::Error);
    impl std::fmt::Display for Twice {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            write!(f, "failed: {}", self.0)
        }
    }
    impl Error for Twice {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            Some(&self.0)
        }
    }
    assert_each_layer_is_its_own(&Twice(std::fmt::Error));
}
