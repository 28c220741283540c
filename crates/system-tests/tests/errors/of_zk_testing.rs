use std::io;

use zk_testing::raw::Error as RawError;
use zk_testing::{MissingZooKeeper, ServerError, StartError};

use crate::assert_each_layer_is_its_own;

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
