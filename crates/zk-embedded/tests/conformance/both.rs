//! Both servers, and running the same on each.

use std::panic::resume_unwind;
use std::thread;

use tokio::runtime::Runtime;
use zk_embedded::Version;

use crate::common::target::{Settings, Target};

/// Apache ZooKeeper and the embedded server.
pub(crate) struct Both {
    targets: [Target; 2],
    /// Runs the servers' own tasks; last, for they end with it.
    _runtime: Runtime,
}

impl Both {
    /// Starts both; `None`, after a word about it, where Apache ZooKeeper is not installed.
    pub(crate) fn start(settings: Settings) -> Option<Self> {
        if settings.version == Version::V3_4 {
            zk_testing::require_old()?;
        } else {
            zk_testing::require()?;
        }
        let runtime = Runtime::new().expect("a runtime starts");
        let targets =
            [Target::apache(runtime.handle(), settings), Target::embedded(runtime.handle(), settings)];
        Some(Self { targets, _runtime: runtime })
    }

    /// Runs the same on both at the same time; the first result is Apache's.
    pub(crate) fn run<T: Send>(&self, run: impl Fn(&Target) -> T + Sync) -> [T; 2] {
        let run = &run;
        thread::scope(|scope| {
            self.targets
                .each_ref()
                .map(|target| scope.spawn(move || run(target)))
                .map(|thread| thread.join().unwrap_or_else(|panic| resume_unwind(panic)))
        })
    }
}
