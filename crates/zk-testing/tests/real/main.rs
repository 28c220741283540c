//! Each part against Apache ZooKeeper itself.

// Helpers of tests are not in test functions, where it is allowed anyway.
#![allow(clippy::unwrap_used)]

mod ensemble;
mod old;
mod proxy;
mod raw;
mod sasl;
mod server;
mod session;
mod tls;

use std::time::Duration;

use tokio::time::{Instant, sleep};
use zk_testing::raw::Client;

/// The longest that a tick of 200 ms allows.
const SESSION: Duration = Duration::from_secs(4);

async fn connect(addr: std::net::SocketAddr) -> Client {
    Client::connect(addr, SESSION).await.unwrap()
}

/// Waits until something holds, and panics with the claim if it does not in time.
async fn eventually(claim: &str, within: Duration, mut holds: impl AsyncFnMut() -> bool) {
    let give_up = Instant::now() + within;
    while !holds().await {
        assert!(Instant::now() < give_up, "not within {within:?}: {claim}");
        sleep(Duration::from_millis(5)).await;
    }
}

fn process_exists(pid: u32) -> bool {
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid.cast_signed()), None).is_ok()
}
