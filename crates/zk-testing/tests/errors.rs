//! What an error says is said once: no layer of a chain repeats the next one.

use std::error::Error;
use std::io;

use zk_testing::raw::Error as RawError;
use zk_testing::{MissingZooKeeper, ServerError, StartError};

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
    let io = || io::Error::from(io::ErrorKind::PermissionDenied);
    let address = ([127, 0, 0, 1], 2181).into();
    for error in [
        StartError::Missing(MissingZooKeeper::Java),
        StartError::Missing(MissingZooKeeper::Home("/zk".into())),
        StartError::Io { what: "make a folder", source: io() },
    ] {
        assert_each_layer_is_its_own(&error);
    }
    for error in [ServerError::NotRunning(address), ServerError::Io { what: "send a signal", source: io() }] {
        assert_each_layer_is_its_own(&error);
    }
    let failed = RawError::Multi { index: 1, source: Box::new(RawError::NodeExists) };
    for error in [RawError::Io(io()), failed, RawError::Other(-1)] {
        assert_each_layer_is_its_own(&error);
    }
}
