//! What an error says is said once: no layer of a chain repeats the next one.

use std::error::Error;
use std::io;

use daytime_server::Error as ServerError;
use instance::EndpointError;

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
    let io = || io::Error::from(io::ErrorKind::AddrInUse);
    let address = ([127, 0, 0, 1], 8897).into();
    for error in [
        ServerError::Listen { address, source: io() },
        ServerError::ListenUdp { address, source: io() },
        ServerError::Dead { address },
        ServerError::Metrics(daytime_metrics::StartError::Listen { address, source: io() }),
        ServerError::Authentication(zk_core::ConnectError::AuthFailed { server: "127.0.0.1:2181".into() }),
        ServerError::Endpoint(EndpointError::Unspecified),
        ServerError::Register(registry::RegisterError::Duplicate(zk_core::ZnodePath::root())),
        ServerError::Start(io()),
    ] {
        assert_each_layer_is_its_own(&error);
    }
}
