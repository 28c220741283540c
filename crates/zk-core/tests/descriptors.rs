//! A link when file descriptors are short. Descriptors belong to the process: one test, alone in its program.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::io::{self, PipeReader, PipeWriter};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use common::{SESSION, config, connected, leave_free, path, state_where};
use zk_core::{Acl, StartError, Zk, fd_reserve};
use zk_testing::eventually;
use zk_testing::proxy::Proxy;

/// Ends the callers, also if the test fails.
struct EndCallers<'a>(&'a AtomicBool);

impl Drop for EndCallers<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Takes all descriptors, as a server full of callers does, but those that the fd reserve needs.
fn callers(until: &AtomicBool) {
    let mut callers: Vec<(PipeReader, PipeWriter)> = Vec::new();
    while !until.load(Ordering::Relaxed) {
        if let Ok(caller) = io::pipe()
            && fd_reserve().is_full()
        {
            callers.push(caller);
        } else {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_without_descriptors_can_be_repeated_and_a_link_reconnects_when_callers_take_all_descriptors()
{
    let server = zk_embedded::Server::start().await.unwrap();
    let proxy = Proxy::start(server.addr()).await.unwrap();
    let config = config(&proxy.connect_string());

    // If the reactor of the client crate were started now, it would be broken for the life of the process.
    let none = leave_free(0);
    assert!(matches!(Zk::start(config.clone()), Err(StartError::Reactor(_))));
    drop(none);
    let few = leave_free(10);
    assert!(matches!(Zk::start(config.clone()), Err(StartError::Reserve(_))));
    drop(few);
    let zk = Zk::start(config).unwrap();
    let connection = connected(&zk).await;
    connection.create_ephemeral(&path("/here"), b"", Acl::Open).await.unwrap();
    assert!(fd_reserve().is_full());

    // The proxy and the server of this process need descriptors, too: the reserve has enough for them.
    let limit = leave_free(20);
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| callers(&over));
        let _end = EndCallers(&over);
        tokio::task::block_in_place(|| {
            tokio::runtime::Handle::current().block_on(async {
                for reconnects in 1..=3 {
                    eventually("callers have taken all descriptors", async || io::pipe().is_err()).await;
                    proxy.cut().await;
                    let state = state_where(&zk, "a reconnect", |state| {
                        state.is_connected() && state.reconnects >= reconnects
                    })
                    .await;
                    assert_eq!(state.epoch, 1, "in the same session");
                }
            });
        });
    });
    drop(limit);
    assert!(fd_reserve().is_full());
    zk.close(SESSION).await.unwrap();
}
