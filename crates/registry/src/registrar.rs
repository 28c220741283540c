//! Makes registrations.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use instance::{Encoded, Format, Instance, Owner, Plain};
use zk_core::{Zk, ZnodePath};

use crate::config::Config;
use crate::error::RegisterError;
use crate::keeper::Keeper;
use crate::process;
use crate::registration::Registration;

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
    /// The names in use here.
    names: Mutex<HashSet<ZnodePath>>,
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
    Held(SocketAddr),
}

impl Registrar {
    /// A registrar that writes the `plain` format.
    pub fn new(zk: Zk, config: Config) -> Self {
        Self::with_format(zk, config, Box::new(Plain))
    }

    /// A registrar that writes another format.
    pub fn with_format(zk: Zk, config: Config, format: Box<dyn Format>) -> Self {
        let owner = process::owner();
        Self { shared: Arc::new(Shared { zk, config, format, owner, names: Mutex::default() }) }
    }

    /// Declares an instance registered, from now until it is deregistered. Returns at once: see
    /// [`Registration::registered`]. The instance's owner facts are filled in.
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
            Socket::Held(bound) => (Some(bound), shared.owner.clone()),
        };
        if let Some(bound) = bound {
            owner = owner.with_bound(bound);
        }
        let Encoded { segment, data } = shared.format.encode(&instance.with_owner(owner.clone()))?;
        let path = shared.config.root().join(&segment)?;
        if !shared.names().insert(path.clone()) {
            return Err(RegisterError::Duplicate(path));
        }
        Ok(Keeper::spawn(shared.clone(), path, owner, bound.is_some(), data))
    }

    /// Who this registrar is in the znodes it writes.
    pub fn owner(&self) -> &Owner {
        &self.shared.owner
    }
}

impl Shared {
    pub(crate) fn release(&self, path: &ZnodePath) {
        self.names().remove(path);
    }

    fn names(&self) -> MutexGuard<'_, HashSet<ZnodePath>> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
