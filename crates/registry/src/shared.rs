//! What the keepers of one registrar share.

use std::sync::Arc;
use std::time::Duration;

use instance::Format;
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;
use zk_core::Zk;

use crate::config::RegistrarConfig;
use crate::log_limiter::LogLimiter;
use crate::metrics::Metrics;
use crate::names::Names;
use crate::singleflight::Singleflight;

/// How many keepers of a registrar take a step at the same time: enough to keep a link busy, and few enough to leave
/// room on it for others (zk-core lets 1,024 requests wait for replies) and to stay within the operation timeout. As many
/// leave beside them.
const STEPS_AT_A_TIME: usize = 256;
/// How many single znodes a registrar audits in a second where one watch serves all. Where there are more, each is
/// audited less often; the list is compared with the names at every audit all the same.
const AUDITS_A_SECOND: u32 = 200;

/// What the keepers of one registrar share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) zk: Zk,
    pub(crate) config: RegistrarConfig,
    pub(crate) format: Arc<dyn Format>,
    pub(crate) context: Context,
    /// A keeper has a permit while it takes a step, and another kind while it leaves.
    pub(crate) steps: Arc<Semaphore>,
    pub(crate) leaves: Arc<Semaphore>,
    pub(crate) syncs: Singleflight,
    pub(crate) roots: Singleflight,
    /// The tasks of the registrar, which waits for their end.
    pub(crate) tasks: TaskTracker,
}

/// What the registrar's task needs, too.
#[derive(Clone, Debug)]
pub(crate) struct Context {
    pub(crate) names: Arc<Names>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) log: Arc<LogLimiter>,
}

impl Shared {
    pub(crate) fn new(zk: Zk, config: RegistrarConfig, format: Arc<dyn Format>) -> Self {
        let context = Context {
            names: Arc::new(Names::new(config.own_watches())),
            metrics: Arc::new(Metrics::new(config.root().as_str())),
            log: Arc::new(LogLimiter::default()),
        };
        let permits = || Arc::new(Semaphore::new(STEPS_AT_A_TIME));
        let (steps, leaves) = (permits(), permits());
        let (syncs, roots) = (Singleflight::default(), Singleflight::default());
        let tasks = TaskTracker::new();
        Self { zk, config, format, context, steps, leaves, syncs, roots, tasks }
    }

    /// How often a single znode is audited under the shared watch.
    pub(crate) fn shared_audits(&self) -> Duration {
        let all = Duration::from_secs(1) * self.context.names.len() as u32 / AUDITS_A_SECOND;
        self.config.audit_interval().max(all)
    }
}
