//! Trials of ejected endpoints, beside the calls.

use parking_lot::Mutex;
use tokio::task::JoinSet;

/// How many trials of one caller there are at a time. The balancer has the same limit over all its callers.
const MAX_TRIALS: usize = 8;

/// The tasks of trials beside calls. `Drop` aborts them.
#[derive(Debug)]
pub(super) struct Trials {
    /// `None` after [`shutdown`](Self::shutdown).
    tasks: Mutex<Option<JoinSet<()>>>,
}

impl Trials {
    pub(super) fn new() -> Self {
        Self { tasks: Mutex::new(Some(JoinSet::new())) }
    }

    /// Starts the trial that `start` returns, if there is room for one.
    pub(super) fn spawn<Fut>(&self, start: impl FnOnce() -> Option<Fut>)
    where
        Fut: Future<Output = ()> + Send + 'static,
    {
        let mut tasks = self.tasks.lock();
        let Some(tasks) = &mut *tasks else { return };
        // One that panicked has told its endpoint's report, too.
        while tasks.try_join_next().is_some() {}
        if tasks.len() < MAX_TRIALS
            && let Some(trial) = start()
        {
            tasks.spawn(trial);
        }
    }

    /// Ends all trials, and starts no more.
    pub(super) async fn shutdown(&self) {
        let tasks = self.tasks.lock().take();
        if let Some(mut tasks) = tasks {
            tasks.shutdown().await;
        }
    }
}
