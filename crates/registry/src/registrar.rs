//! [`Registrar`]: makes the registrations of one root, and owns what they share.

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

/// How many keepers of a registrar take a step at the same time: enough to keep a link busy, and few enough to leave
/// room on it for others (zk-core lets 1,024 requests wait for replies) and to stay within the operation timeout.
const STEPS_AT_A_TIME: usize = 256;
/// How many single znodes a registrar audits in a second where one watch serves all. Where there are more, each is
/// audited less often; the list is compared with the names at every audit all the same.
const AUDITS_A_SECOND: u32 = 200;

/// Makes registrations below one root, over one link. Cheap to clone; clones are the same registrar.
///
/// Each registrar made by [`new`](Self::new) is an incarnation of its own: another registrar treats its znodes as those
/// of another owner, also in the same process.
///
/// `Drop` does nothing: registrations live on without it.
///
/// # Costs
/// In requests, where `n` registrations have a znode each:
///
/// | event | up to [`OWN_WATCHES`](Self::OWN_WATCHES) registrations: a watch each | more: one recursive watch of the root |
/// | --- | --- | --- |
/// | registration of a free name | a create, and a read that sets the watch | a create |
/// | update | a read and a write, and a read that sets the watch again | a read and a write |
/// | deregistration | a read and a write | a read and a write |
/// | reconnect | one `sync`, `n` reads | four in all, if nothing was created or deleted below the root meanwhile and in the second before; else `n` reads, too |
/// | audit | `n` reads | one read if the list has not changed, else the list; besides, single znodes, at most 200 a second |
///
/// A server never has more watches of one registrar than `OWN_WATCHES` and one. At most 256 steps are under way at one
/// time. Where more than 500 registrations are pending after a failure, each waits longer in proportion.
///
/// The recursive watch may exist beside that of the crate `discovery`; no other kind of watch may be set on the root in
/// the same session (ZOOKEEPER-4466). Servers before ZooKeeper 3.6 have no recursive watches, and the attempt may cost
/// one connection in each session; then every znode has its own watch.
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
    /// A keeper has a permit while it takes a step.
    pub(crate) steps: Semaphore,
    pub(crate) syncs: Singleflight,
    pub(crate) roots: Singleflight,
    /// Set by the first registration, which starts the root watch.
    readiness: OnceLock<watch::Receiver<Readiness>>,
}

/// What the caller states about the socket on which the instance serves: it decides whether a znode that another
/// process left under the name is taken over.
///
/// A znode is ours if this [`Registrar`] wrote it: it has our incarnation. A znode is a stale one of ours if it was
/// written on the same boot of the same host, in the same network namespace, for the same bound address, **and** the
/// caller vouches by [`Bound`](Self::Bound) that it owns that listening socket now: then the writer cannot be alive.
/// The second rule applies until the registration has had the name once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Socket {
    /// Nothing. A znode of another process stays until that process or its session ends.
    #[default]
    Unvouched,
    /// This process owns the socket that listens on this address, exclusively (no `SO_REUSEPORT`), and will own it
    /// until the instance is deregistered. A znode that was written on this host for this address is stale, and is
    /// taken over.
    Bound(SocketAddr),
}

impl Registrar {
    /// How many registrations of one registrar have a watch each: 256. With more, one recursive watch serves all. So a
    /// process with few registrations does not receive every event below a large root, and a process with many does
    /// not burden the ensemble with as many watches.
    pub const OWN_WATCHES: usize = 256;

    /// Makes a registrar that writes the `plain` format.
    pub fn new(zk: Zk, config: Config) -> Self {
        Self::with_format(zk, config, Box::new(Plain))
    }

    /// Makes a registrar that writes another format.
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
                steps: Semaphore::new(STEPS_AT_A_TIME),
                syncs: Singleflight::default(),
                roots: Singleflight::default(),
                readiness: OnceLock::new(),
            }),
        }
    }

    /// Declares an instance registered, from now until it is deregistered, and fills in the facts about its owner.
    /// Returns at once; [`Registration::registered`] waits for the znode.
    ///
    /// [`Endpoint`](instance::Endpoint) refuses port 0 and the addresses `0.0.0.0` and `::`, by which a caller reaches
    /// itself. Where a socket is bound to one of them, `local_addr()` is no endpoint: register an address of this
    /// machine that callers can reach.
    ///
    /// # Errors
    /// [`RegisterError`], if the instance cannot be written, or this registrar has its name already. Errors of the
    /// ensemble are part of [`Registration::status`].
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

    /// Returns the owner that this registrar writes into its znodes.
    pub fn owner(&self) -> &Owner {
        &self.shared.owner
    }
}

impl Shared {
    /// The connection that keepers may use. The first call starts the root watch.
    pub(crate) fn readiness(&self) -> watch::Receiver<Readiness> {
        let spawn = || {
            let (root, interval) = (self.config.root().clone(), self.config.audit_interval());
            RootWatch::spawn(self.zk.clone(), root, interval, self.context.clone())
        };
        self.readiness.get_or_init(spawn).clone()
    }

    /// How often a single znode is audited, by its own watch or under the shared one.
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
