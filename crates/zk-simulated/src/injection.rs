use std::fmt;
use std::sync::Arc;

use zk_core::transport::latest;

use crate::shared::Shared;

/// A requested fault: whether and how often it has happened. Dropping it changes nothing.
#[derive(Clone)]
pub struct Injection {
    shared: Arc<Shared>,
    rule: usize,
    count: latest::Receiver<u64>,
}

impl Injection {
    pub(crate) fn new(shared: Arc<Shared>, (rule, count): (usize, latest::Receiver<u64>)) -> Self {
        Self { shared, rule, count }
    }

    /// Whether it has happened at least once.
    pub fn fired(&self) -> bool {
        self.count() > 0
    }

    /// How often it has happened.
    pub fn count(&self) -> u64 {
        *self.count.latest()
    }

    /// Waits until it has happened; for ever if it never does.
    pub async fn wait_fired(&self) {
        let mut count = self.count.clone();
        // The rules live as long as the ensemble, and so as long as this.
        let _ = count.wait_for(|count| *count > 0).await;
    }

    /// Ends it; what it holds stays held.
    pub fn lift(&self) {
        self.shared.with(|world, _| world.rules.lift(self.rule));
    }

    /// Ends it, and lets go the requests and replies that it holds.
    pub fn release(&self) {
        self.shared.with(|world, now| world.release(self.rule, now));
    }
}

impl fmt::Debug for Injection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Injection").field("count", &self.count()).finish()
    }
}
