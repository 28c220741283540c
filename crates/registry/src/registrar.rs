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

use crate::config::RegistrarConfig;
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
    pub fn new(zk: Zk, config: RegistrarConfig) -> Self {
        Self::with_format(zk, config, Box::new(Plain))
    }

    /// Makes a registrar that writes another format.
    pub fn with_format(zk: Zk, config: RegistrarConfig, format: Box<dyn Format>) -> Self {
        let owner = process::owner(zk.sources());
        let shared = Arc::new(Shared::new(zk, config, format, Self::OWN_WATCHES));
        Self { shared, owner, task: Arc::default() }
    }

    /// Declares an instance registered, from now until it is deregistered, and fills in the facts about its owner.
    /// Returns at once; [`Registration::registered`] waits for the znode.
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
    pub fn register(&self, instance: Instance, socket: Socket) -> Result<Registration, RegisterError> {
        // Panics before a name is taken.
        let _runtime = Handle::current();
        let (shared, owner) = (&self.shared, self.owner.clone());
        let (is_vouched, owner) = match socket {
            Socket::Unvouched => (false, owner),
            Socket::Bound(bound) => (true, owner.with_bound(bound)),
        };
        let Encoded { segment, data } = shared.format.encode(&instance.with_owner(owner.clone()))?;
        let path = shared.config.root().join(&segment)?;
        let (wish_tx, wish) = watch::channel(Wish::Present(data.into()));
        // Held until the keeper has its receiver: a shutdown comes before or after.
        let mut task = self.task.lock();
        let inbox = shared.context.names.take(&path, &wish_tx)?;
        let registrar = task.get_or_insert_with(|| task::spawn(shared)).clone();
        let claim = Claim::new(owner.clone(), is_vouched);
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
