use std::io;

use daytime_metrics::StartError;

use crate::assert_each_layer_is_its_own;

#[test]
fn no_layer_of_an_error_repeats_the_next() {
    let source = io::Error::from(io::ErrorKind::AddrInUse);
    assert_each_layer_is_its_own(&StartError::Listen { address: ([127, 0, 0, 1], 1).into(), source });
    assert_each_layer_is_its_own(&StartError::Installed);
}
