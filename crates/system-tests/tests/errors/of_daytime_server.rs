use std::io;

use daytime_server::Error as ServerError;
use instance::{EncodeError, EndpointError};
use zk_roster::ServeError;

use crate::assert_each_layer_is_its_own;

#[test]
fn no_layer_of_an_error_repeats_the_next() {
    let io = || io::Error::from(io::ErrorKind::AddrInUse);
    let address = ([127, 0, 0, 1], 8897).into();
    for error in [
        ServerError::Listen { address, source: io() },
        ServerError::ListenUdp { address, source: io() },
        ServerError::ListenerDied { address },
        ServerError::Link(zk_core::StartError::Reactor(io())),
        ServerError::Link(zk_core::StartError::Reserve(io())),
        ServerError::FileDescriptors(io()),
        ServerError::Metrics(daytime_metrics::StartError::Listen { address, source: io() }),
        ServerError::Authentication(zk_core::ConnectError::AuthFailed { server: "127.0.0.1:2181".into() }),
        ServerError::Serve(ServeError::Endpoint { bound: address, source: EndpointError::Unspecified }),
        ServerError::Serve(ServeError::Record(EncodeError::EmptyKey)),
        ServerError::Serve(ServeError::Path(zk_core::ZnodePath::parse("a").unwrap_err())),
        ServerError::Serve(ServeError::Listener(io())),
        ServerError::Serve(ServeError::NoListener),
        ServerError::Start(io()),
    ] {
        assert_each_layer_is_its_own(&error);
    }
}
