//! An I/O reactor that other code has broken. The reactor belongs to the process: one test, alone in its program.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::panic::catch_unwind;
use std::pin::pin;
use std::task::{Context, Waker};
use std::time::Duration;

use common::{config, leave_free};
use zk_core::{StartError, Zk};
use zk_testing::eventually;

/// The threads of this process. Needs one descriptor: `None` if another thread has it, such as one that prints a backtrace.
fn threads() -> Option<BTreeSet<OsString>> {
    Some(std::fs::read_dir("/proc/self/task").ok()?.flatten().map(|task| task.file_name()).collect())
}

/// D8: other code in the process uses `async-io` when no descriptors are free, and the reactor thread dies.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_fails_if_the_reactor_thread_is_dead() {
    let before = threads().unwrap();
    // The reactor needs three.
    let one = leave_free(1);
    let used = catch_unwind(|| {
        let timer = pin!(async_io::Timer::after(Duration::from_secs(3600)));
        timer.poll(&mut Context::from_waker(Waker::noop())).is_pending()
    });
    assert!(used.is_err(), "the fault did not take effect");
    eventually("the reactor thread is dead", async || threads().is_some_and(|now| now.is_subset(&before)))
        .await;
    drop(one);

    let refused = Zk::start(config("127.0.0.1:1"));
    assert!(matches!(refused, Err(StartError::Reactor(_))), "{refused:?}");
}
