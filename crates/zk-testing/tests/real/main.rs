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

use zk_testing::SESSION;
use zk_testing::raw::Client;

async fn connect(addr: std::net::SocketAddr) -> Client {
    Client::connect(addr, 2 * SESSION).await.unwrap()
}

fn process_exists(pid: u32) -> bool {
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid.cast_signed()), None).is_ok()
}
