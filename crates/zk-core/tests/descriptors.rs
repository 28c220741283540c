//! What becomes of a link when file descriptors are short. They are the process's: one test, alone in its program.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::io::{self, PipeReader, PipeWriter};
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use common::{SESSION, SOON, config, connected, path};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tokio::time::timeout;
use zk_core::{Acl, StartError, State, Zk, fd_reserve};
use zk_testing::proxy::Proxy;

/// Leaves this many descriptors free, for as long as the returned value lives.
fn leave_free(count: u64) -> impl Drop {
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
    assert_eq!(io::pipe().is_ok(), count >= 2, "there are holes below");
    Restore(soft, hard)
}

/// Ends the callers, also where the test fails.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Takes all descriptors, as a server full of callers does; gives them back if it is told to.
fn callers(until: &AtomicBool) {
    let mut callers: Vec<(PipeReader, PipeWriter)> = Vec::new();
    while !until.load(Ordering::Relaxed) {
        if let Ok(caller) = io::pipe()
            && fd_reserve().is_whole()
        {
            callers.push(caller);
        } else {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_without_descriptors_is_an_error_that_spoils_nothing_and_callers_never_take_the_last_ones() {
    let server = zk_embedded::Server::start().await.unwrap();
    let proxy = Proxy::start(server.addr()).await.unwrap();
    let config = config(&proxy.connect_string());

    // The client's reactor, made now, would be of no use for the life of the process.
    let none = leave_free(0);
    assert!(matches!(Zk::start(config.clone()), Err(StartError::Reactor(_))));
    drop(none);
    let few = leave_free(10);
    assert!(matches!(Zk::start(config.clone()), Err(StartError::Reserve(_))));
    drop(few);
    let zk = Zk::start(config).unwrap();
    let connection = connected(&zk).await;
    connection.create_ephemeral(&path("/here"), b"", Acl::Open).await.unwrap();
    assert!(fd_reserve().is_whole());

    // Proxy and server live in this process, too: their descriptors are what the reserve has over.
    let limit = leave_free(20);
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| callers(&over));
        let _over = Over(&over);
        tokio::task::block_in_place(|| {
            tokio::runtime::Handle::current().block_on(async {
                for reconnects in 1..=3 {
                    while io::pipe().is_ok() {
                        tokio::time::sleep(Duration::from_millis(1)).await;
                    }
                    proxy.cut().await;
                    let mut states = zk.states();
                    let again = |state: &State| state.is_connected() && state.reconnects >= reconnects;
                    let again = timeout(SOON, states.wait_for(again)).await;
                    let state = again.unwrap_or_else(|_| panic!("{:?}", zk.state())).unwrap();
                    assert_eq!(state.epoch, 1, "in the same session");
                }
            });
        });
    });
    drop(limit);
    assert!(fd_reserve().is_whole());
    zk.close(SESSION).await.unwrap();
}
