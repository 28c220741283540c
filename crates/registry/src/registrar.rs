//! [`Registrar`]: makes the registrations of one root, and owns what they share.

mod task;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use instance::{Encoded, Format, Instance, Owner, Plain};
use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::time::{Instant, timeout};
use zk_core::Zk;

use crate::config::{OWN_WATCHES, RegistrarConfig};
use crate::decide::Claim;
use crate::error::{RegisterError, ShutdownError};
use crate::keeper::{self, Name, Published};
use crate::process;
use crate::registration::Registration;
use crate::shared::Shared;
use crate::wish::Wish;

/// Makes registrations below one root, over one link. Cheap to clone; clones are the same registrar.
///
/// Each registrar made by [`new`](Self::new) is an incarnation of its own: another registrar treats its znodes as those
/// of another owner, also in the same process.
///
/// `Drop` does nothing: registrations live on without it. [`shutdown`](Self::shutdown) ends them.
///
/// # Costs
/// In requests, where `n` registrations have a znode each:
///
/// | event | up to [`OWN_WATCHES`](Self::OWN_WATCHES) registrations: a watch each | more: one recursive watch of the root |
/// | --- | --- | --- |
/// | registration of a free name | a create, and a read that sets the watch | a create |
/// | update | a write, and a read that sets the watch again | a write |
/// | deregistration | a transaction | a transaction |
/// | reconnect | one `sync`, `n` reads | three in all, if nothing was created or deleted below the root meanwhile; else `n` reads, too |
/// | audit | `n` reads | one read, and the list if something was missed; besides, single znodes, at most 200 a second |
///
/// A server never has more watches of one registrar than `OWN_WATCHES` and one. At most 256 steps are under way at one
/// time, and as many deregistrations beside them. Where more than 500 registrations are pending after a failure, each waits
/// longer in proportion.
///
/// The recursive watch may exist beside that of the crate `discovery`; no other kind of watch may be set on the root in
/// the same session (ZOOKEEPER-4466). Servers before ZooKeeper 3.6 have no recursive watches, and the attempt may cost
/// one connection in each session; then every znode has its own watch.
#[derive(Clone, Debug)]
pub struct Registrar {
    shared: Arc<Shared>,
    owner: Owner,
    /// Keeps the registrar's task alive. Set by the first registration, which starts the task.
    task: Arc<Mutex<Option<watch::Receiver<()>>>>,
}

impl Registrar {
    /// How many registrations of one registrar have a watch each: 256. With more, one recursive watch serves all. So a
    /// process with few registrations does not receive every event below a large root, and a process with many does
    /// not burden the ensemble with as many watches.
    pub const OWN_WATCHES: usize = OWN_WATCHES;

    /// Makes a registrar that writes the `plain` format. It keeps a clone of the link.
    pub fn new(zk: &Zk, config: RegistrarConfig) -> Self {
        Self::with_format(zk, config, Arc::new(Plain))
    }

    /// Makes a registrar that writes another format.
    pub fn with_format(zk: &Zk, config: RegistrarConfig, format: Arc<dyn Format>) -> Self {
        let owner = process::owner(zk.sources());
        let shared = Arc::new(Shared::new(zk.clone(), config, format));
        Self { shared, owner, task: Arc::default() }
    }

    /// Declares an instance registered, from now until it is deregistered, and fills in the facts about its owner.
    /// Returns at once; [`Registration::registered`] waits for the znode.
    ///
    /// A znode under its name that another process wrote stays until that process or its session ends; what owns its
    /// listening socket registers by [`register_bound`](Self::register_bound), and need not wait for a dead predecessor.
    ///
    /// [`Endpoint`](instance::Endpoint) refuses port 0 and the addresses `0.0.0.0` and `::`, by which a caller reaches
    /// itself. Where a socket is bound to one of them, `local_addr()` is no endpoint: register an address of this
    /// machine that callers can reach.
    ///
    /// # Errors
    /// [`RegisterError`], if the instance cannot be written, this registrar has its name already, or it is shut down. Errors
    /// of the ensemble are part of [`Registration::status`].
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn register(&self, instance: Instance) -> Result<Registration, RegisterError> {
        self.declare(instance, None)
    }

    /// Declares an instance registered like [`register`](Self::register), and takes a stale znode over instead of waiting
    /// for its session to end. The caller vouches that this process owns the socket that listens on `bound`, exclusively
    /// (no `SO_REUSEPORT`), and will own it until the instance is deregistered.
    ///
    /// A znode is stale if it was written on the same boot of the same host, in the same network namespace, for the same
    /// bound address: as we own that socket now, its writer cannot be alive. This applies until the registration has had
    /// the name once. (A znode that this registrar wrote has our incarnation, and is ours in any case.)
    ///
    /// # Errors
    /// As [`register`](Self::register).
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn register_bound(
        &self,
        instance: Instance,
        bound: SocketAddr,
    ) -> Result<Registration, RegisterError> {
        self.declare(instance, Some(bound))
    }

    fn declare(&self, instance: Instance, bound: Option<SocketAddr>) -> Result<Registration, RegisterError> {
        // Panics before a name is taken.
        let _runtime = Handle::current();
        let shared = &self.shared;
        let owner = bound.into_iter().fold(self.owner.clone(), Owner::with_bound);
        let Encoded { segment, data } = shared.format.encode(&instance.with_owner(owner.clone()))?;
        let path = shared.config.root().join(&segment)?;
        let (wish_tx, wish) = watch::channel(Wish::Present(data.into()));
        // Held until the keeper has its receiver: a shutdown comes before or after.
        let mut task = self.task.lock();
        let inbox = shared.context.names.take(&path, &wish_tx)?;
        let registrar = task.get_or_insert_with(|| task::spawn(shared)).clone();
        let claim = Claim::new(owner.clone(), bound.is_some());
        let name = Name { path: path.clone(), inbox, claim, wish, registrar };
        let Published { status, on_znode } = keeper::spawn(shared.clone(), name);
        Ok(Registration { shared: shared.clone(), path, owner, wish: wish_tx, status, on_znode })
    }

    /// Deregisters every instance of this registrar, also those whose [`Registration`] was dropped, and waits until they
    /// and the registrar's tasks have ended. No instance can be registered any more, by any clone.
    ///
    /// # Errors
    /// [`ShutdownError`] if some were not deregistered `within` the time: they go on, for as long as the link exists, and
    /// another call waits for them. Also if some were [abandoned](crate::RegistrationStatus::Abandoned), and their znodes may still exist.
    ///
    /// # Cancel safety
    /// The deregistrations go on if the future is dropped.
    pub async fn shutdown(&self, within: Duration) -> Result<(), ShutdownError> {
        let (names, started) = (&self.shared.context.names, Instant::now());
        {
            let mut task = self.task.lock();
            names.close();
            // The registrar's task ends with the last keeper.
            *task = None;
        }
        self.shared.tasks.close();
        match (timeout(within, self.shared.tasks.wait()).await, names.left()) {
            (Ok(()), 0) => Ok(()),
            (_, left) => Err(ShutdownError { left, waited: started.elapsed() }),
        }
    }

    /// Returns the owner that this registrar writes into its znodes.
    pub fn owner(&self) -> &Owner {
        &self.owner
    }
}
