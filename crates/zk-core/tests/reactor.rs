//! A reactor that was spoilt before our time. It is the process's: one test, alone in its program.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::io;
use std::os::fd::AsRawFd;
use std::panic::catch_unwind;
use std::pin::pin;
use std::task::{Context, Waker};
use std::time::Duration;

use common::{SOON, config};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tokio::time::Instant;
use zk_core::{StartError, Zk};

/// The threads of this process. Needs one descriptor.
fn threads() -> BTreeSet<OsString> {
    std::fs::read_dir("/proc/self/task").unwrap().flatten().map(|task| task.file_name()).collect()
}

/// D8: somebody else in the process uses `async-io` when there are no descriptors, and its thread dies.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reactor_that_nobody_turns_any_more_is_told_at_the_start() {
    let before = threads();
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    let first_free = io::pipe().unwrap().0.as_raw_fd();
    // One is left, and the reactor needs three.
    setrlimit(Resource::RLIMIT_NOFILE, u64::try_from(first_free).unwrap() + 1, hard).unwrap();
    let used = catch_unwind(|| {
        let timer = pin!(async_io::Timer::after(Duration::from_secs(3600)));
        timer.poll(&mut Context::from_waker(Waker::noop())).is_pending()
    });
    assert!(used.is_err(), "the fault did not take effect");
    let deadline = Instant::now() + SOON;
    while !threads().is_subset(&before) {
        assert!(Instant::now() < deadline, "the fault did not take effect");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    setrlimit(Resource::RLIMIT_NOFILE, soft, hard).unwrap();

    let refused = Zk::start(config("127.0.0.1:1"));
    assert!(matches!(refused, Err(StartError::Reactor(_))), "{refused:?}");
}
