//! Helpers that the tests of zk-core share.

#![allow(dead_code, reason = "not every test program uses all of it")]

use std::io;
use std::net::SocketAddr;
use std::os::fd::AsRawFd;
use std::time::Duration;

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tokio::time::timeout;
use zk_core::{ConnectError, Connection, State, Zk, ZkConfig, ZnodePath};
use zk_testing::raw;
pub(crate) use zk_testing::{SESSION, SOON};

pub(crate) fn path(text: &str) -> ZnodePath {
    ZnodePath::parse(text).unwrap()
}

pub(crate) fn config(hosts: &str) -> ZkConfig {
    ZkConfig::new(hosts).unwrap().with_session_timeout(SESSION).unwrap()
}

pub(crate) async fn connected(zk: &Zk) -> Connection {
    let connected = timeout(SOON, zk.connected()).await;
    connected.unwrap_or_else(|_| panic!("not connected: {:?}", zk.state())).unwrap()
}

/// Waits for a state, for at most [`SOON`].
pub(crate) async fn state_where(zk: &Zk, what: &str, wanted: impl FnMut(&State) -> bool) -> State {
    state_within(zk, SOON, what, wanted).await
}

pub(crate) async fn state_within(
    zk: &Zk,
    within: Duration,
    what: &str,
    wanted: impl FnMut(&State) -> bool,
) -> State {
    let mut states = zk.states();
    let found = timeout(within, states.wait_for(wanted)).await;
    found
        .unwrap_or_else(|_| panic!("no state with {what}: {:?}", zk.state()))
        .expect("the link is not closed")
}

/// Waits for the first failed attempt to connect, and returns its error.
pub(crate) async fn trouble(zk: &Zk) -> ConnectError {
    let state = state_where(zk, "trouble", |state| state.trouble.is_some()).await;
    state.trouble.expect("waited for")
}

/// A client of its own, which sees what is on the server.
pub(crate) async fn observer(server: SocketAddr) -> raw::Client {
    raw::Client::connect(server, Duration::from_secs(4)).await.unwrap()
}

/// Leaves this many file descriptors free, for as long as the returned value lives.
pub(crate) fn leave_free(count: u64) -> impl Drop {
    struct Restore(u64, u64);
    impl Drop for Restore {
        fn drop(&mut self) {
            setrlimit(Resource::RLIMIT_NOFILE, self.0, self.1).unwrap();
        }
    }
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    // The system hands out the lowest number that is free.
    let first_free = io::pipe().unwrap().0.as_raw_fd();
    setrlimit(Resource::RLIMIT_NOFILE, u64::try_from(first_free).unwrap() + count, hard).unwrap();
    assert_eq!(io::pipe().is_ok(), count >= 2, "lower descriptors are free, too");
    Restore(soft, hard)
}
