use std::time::Duration;

use zk_core::{Auth, Closed, ConnectError, ErrorKind, Lingering, SessionId, ZkConfig, ZkHost, ZnodePath};

use crate::assert_each_layer_is_its_own;

#[test]
fn no_layer_of_an_error_repeats_the_next() {
    for text in ["", "zk1:x", "zk1@", "zk1/a//b", "zk1/svc😀", "zk1/:2181", "zk1/a,zk2"] {
        assert_each_layer_is_its_own(&ZkConfig::new(text).unwrap_err());
    }
    assert_each_layer_is_its_own(&ZkConfig::from_hosts(Vec::new(), ZnodePath::root()).unwrap_err());
    assert_each_layer_is_its_own(&ZkHost::parse("").unwrap_err());
    assert_each_layer_is_its_own(&Auth::digest("", "").unwrap_err());
    let config = ZkConfig::new("zk1").unwrap();
    assert_each_layer_is_its_own(&config.with_session_timeout(Duration::ZERO).unwrap_err());
    for text in ["", "a", "/a//b", "/.", "/😀"] {
        assert_each_layer_is_its_own(&ZnodePath::parse(text).unwrap_err());
    }
    let server = || String::from("127.0.0.1:2181");
    for error in [
        ConnectError::SessionExpired,
        ConnectError::AuthFailed { server: server() },
        ConnectError::NotAuthenticated { server: server(), scheme: "digest" },
        ConnectError::Handshake { server: server(), wanted: "grant a session", cause: "it is tired".into() },
        ConnectError::Unreachable(vec!["refused".into()]),
    ] {
        assert_each_layer_is_its_own(&error);
    }
    for kind in [ErrorKind::NoNode, ErrorKind::Refused("no".into()), ErrorKind::ConnectionLost("cut".into())]
    {
        assert_each_layer_is_its_own(&kind);
    }
    assert_each_layer_is_its_own(&Lingering { session: SessionId(7), up_to: Duration::from_secs(1) });
    assert_each_layer_is_its_own(&Closed);
}
