//! What an error says is said once: no layer of a chain repeats the next one.

use std::error::Error;
use std::io;

use daytime_metrics::StartError;

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
    let source = io::Error::from(io::ErrorKind::AddrInUse);
    assert_each_layer_is_its_own(&StartError::Listen { address: ([127, 0, 0, 1], 1).into(), source });
    assert_each_layer_is_its_own(&StartError::Installed);
}
