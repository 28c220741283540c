//! What the tests of this folder share.

#![allow(dead_code, reason = "not every test program uses all of it")]

use tokio::time::timeout;
use zk_core::{Config, ConnectError, Connection, State, Zk, ZnodePath};
pub(crate) use zk_testing::{SESSION, SOON};

pub(crate) fn path(text: &str) -> ZnodePath {
    ZnodePath::parse(text).unwrap()
}

pub(crate) fn config(hosts: &str) -> Config {
    Config::new(hosts).unwrap().with_session_timeout(SESSION).unwrap()
}

pub(crate) async fn connected(zk: &Zk) -> Connection {
    let connected = timeout(SOON, zk.connected()).await;
    connected.unwrap_or_else(|_| panic!("not connected: {:?}", zk.state())).unwrap()
}

/// Why it cannot connect, as soon as it says so.
pub(crate) async fn trouble(zk: &Zk) -> ConnectError {
    let mut states = zk.states();
    let found = timeout(SOON, states.wait_for(|state: &State| state.trouble.is_some())).await;
    let state = found.unwrap_or_else(|_| panic!("no trouble: {:?}", zk.state())).expect("not closed");
    state.trouble.expect("waited for")
}
