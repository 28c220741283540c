//! Makes registrations.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use instance::{Encoded, Format, Instance, Owner, Plain};
use tokio::sync::{Semaphore, watch};
use zk_core::Zk;

use crate::config::Config;
use crate::error::RegisterError;
use crate::keeper::{Keeper, Name};
use crate::log_limiter::LogLimiter;
use crate::metrics::Metrics;
use crate::notify::Names;
use crate::process;
use crate::registration::Registration;
use crate::root_watch::{Context, Readiness, RootWatch};
use crate::singleflight::Singleflight;

/// Keepers of a registrar that take a step at the same time: enough to keep a link busy, and few enough
/// to leave room on it for others (zk-core lets 1,024 requests wait for answers) and never to be late.
const TURNS: usize = 256;
/// Single znodes that a registrar audits in a second where one watch serves all. More are audited less often;
/// their names are compared with the list all the same.
const AUDITS_A_SECOND: u32 = 200;

/// Makes registrations below one root, over one link. Cheap to clone; clones are the same registrar.
///
/// Each registrar made by [`new`](Self::new) is an incarnation of its own: to another one, also in the
/// same process, it is a stranger.
///
/// `Drop` does nothing: registrations live by themselves.
#[derive(Clone, Debug)]
pub struct Registrar {
    shared: Arc<Shared>,
}

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) zk: Zk,
    pub(crate) config: Config,
    pub(crate) format: Box<dyn Format>,
    owner: Owner,
    pub(crate) context: Context,
    /// Who acts on the ensemble takes a turn.
    pub(crate) turns: Semaphore,
    pub(crate) syncs: Singleflight,
    pub(crate) roots: Singleflight,
    /// From the first registration on.
    readiness: OnceLock<watch::Receiver<Readiness>>,
}

/// What the caller can say about the socket on which the instance serves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Socket {
    /// Nothing. A znode that another process left under the name is left alone until it goes by itself.
    #[default]
    Unvouched,
    /// This process holds the socket that listens on this address, exclusively (no `SO_REUSEPORT`), and
    /// will until the instance is deregistered. A znode that was written on this host for this very
    /// address is then a dead one's, and is taken over.
    Bound(SocketAddr),
}

impl Registrar {
    /// The registrations of one registrar that have a watch each, 256. Beyond them one recursive watch
    /// serves all: a process with few registrations need not hear of everything below a large root, and one
    /// with many need not burden the ensemble with as many watches.
    pub const OWN_WATCHES: usize = 256;

    /// A registrar that writes the `plain` format.
    pub fn new(zk: Zk, config: Config) -> Self {
        Self::with_format(zk, config, Box::new(Plain))
    }

    /// A registrar that writes another format.
    pub fn with_format(zk: Zk, config: Config, format: Box<dyn Format>) -> Self {
        let owner = process::owner();
        let context = Context {
            names: Arc::new(Names::new(Self::OWN_WATCHES)),
            metrics: Arc::new(Metrics::new(config.root().as_str())),
            log: Arc::new(LogLimiter::default()),
        };
        Self {
            shared: Arc::new(Shared {
                zk,
                config,
                format,
                owner,
                context,
                turns: Semaphore::new(TURNS),
                syncs: Singleflight::default(),
                roots: Singleflight::default(),
                readiness: OnceLock::new(),
            }),
        }
    }

    /// Declares an instance registered, from now until it is deregistered. Returns at once: see
    /// [`Registration::registered`]. The instance's owner facts are filled in.
    ///
    /// An instance is somewhere to call: the type [`Endpoint`](instance::Endpoint) refuses port 0 and the addresses
    /// that one only listens on, `0.0.0.0` and `::`, as who calls those reaches itself. Where a socket is bound to
    /// one of them, `local_addr()` is no endpoint: register an address of this machine that callers can reach.
    ///
    /// # Errors
    /// If the instance cannot be written, or its name is registered here already. What the ensemble
    /// says comes through [`Registration::status`].
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn register(&self, instance: Instance, socket: Socket) -> Result<Registration, RegisterError> {
        let shared = &self.shared;
        let (bound, mut owner) = match socket {
            Socket::Unvouched => (None, shared.owner.clone()),
            Socket::Bound(bound) => (Some(bound), shared.owner.clone()),
        };
        if let Some(bound) = bound {
            owner = owner.with_bound(bound);
        }
        let Encoded { segment, data } = shared.format.encode(&instance.with_owner(owner.clone()))?;
        let path = shared.config.root().join(&segment)?;
        let Some(notify) = shared.context.names.take(&path) else {
            return Err(RegisterError::Duplicate(path));
        };
        Ok(Keeper::spawn(shared.clone(), Name { path, notify, owner, vouched: bound.is_some() }, data))
    }

    /// Who this registrar is in the znodes it writes.
    pub fn owner(&self) -> &Owner {
        &self.shared.owner
    }
}

impl Shared {
    /// What the keepers stand on; looked after from the first question on.
    pub(crate) fn readiness(&self) -> watch::Receiver<Readiness> {
        let spawn = || {
            let (root, interval) = (self.config.root().clone(), self.config.audit_interval());
            RootWatch::spawn(self.zk.clone(), root, interval, self.context.clone())
        };
        self.readiness.get_or_init(spawn).clone()
    }

    /// How often a single znode is audited.
    pub(crate) fn audit_interval(&self, is_shared: bool) -> Duration {
        let interval = self.config.audit_interval();
        if is_shared {
            let all = Duration::from_secs(1) * self.context.names.len() as u32 / AUDITS_A_SECOND;
            interval.max(all)
        } else {
            interval
        }
    }
}
