//! The connections to the instances of a service: made when one is called, shared, and dropped when it has gone.

use std::fmt;
use std::sync::Arc;

use futures_util::future::{BoxFuture, Shared, WeakShared};
use futures_util::{FutureExt, TryFutureExt};
use instance::{Endpoint, Instance};
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::time::{Instant, timeout};
use tokio_util::task::AbortOnDropHandle;

use super::connect_error::ConnectError;
use super::slots::{Slots, State};
use crate::client::{Callee, Client, MemberSet};

/// The making of a connection. All calls that wait for it poll it together, and it ends with the last of them.
type Making<S> = BoxFuture<'static, Result<Made<S>, ConnectError>>;

/// The connection that is cloned for each attempt. It need not be `Sync`.
type Made<S> = Arc<Mutex<S>>;

/// The connections of one client. A clone shares them. `Drop` of the last one drops them; calls under way finish.
pub(crate) struct Connections<S: Clone> {
    kept: Arc<Kept<S>>,
    /// Drops the connections of instances that have gone. Ends with the last clone, or with following.
    _keeper: Arc<AbortOnDropHandle<()>>,
}

struct Kept<S: Clone> {
    members: watch::Receiver<Arc<MemberSet>>,
    slots: Mutex<Slots<Made<S>, WeakShared<Making<S>>>>,
}

impl<S: Clone + Send + 'static> Connections<S> {
    /// # Panics
    /// Outside a tokio runtime.
    pub(crate) fn new(client: &Client) -> Self {
        let kept = Arc::new(Kept { members: client.members(), slots: Mutex::new(Slots::new()) });
        let keeper = tokio::spawn(drop_gone(Arc::clone(&kept)));
        Self { kept, _keeper: Arc::new(AbortOnDropHandle::new(keeper)) }
    }

    /// Returns the connection to an instance, or makes it by `connect` if there is none. Of concurrent calls, one makes it.
    ///
    /// # Cancel safety
    /// The connection goes on being made as long as another call waits for it.
    pub(crate) async fn get(
        &self,
        callee: &Callee,
        connect: impl Future<Output = Result<S, ConnectError>> + Send + 'static,
    ) -> Result<Lease<S>, ConnectError> {
        if let Some((id, made)) = self.made(callee) {
            return Ok(self.lease(callee, id, &made, false));
        }
        let made = connect.map_ok(|service| Arc::new(Mutex::new(service)));
        let (id, making) = self.join(callee, made.boxed().shared());
        match timeout(callee.connect_timeout(), making).await {
            Ok(Ok(made)) => {
                let replaced = self.kept.slots.lock().connected(callee.endpoint(), id, Arc::clone(&made));
                drop(replaced);
                Ok(self.lease(callee, id, &made, true))
            }
            Ok(Err(error)) => {
                let failed = self.kept.slots.lock().discard(callee.endpoint(), id);
                drop(failed);
                Err(error)
            }
            // Others that came later may still wait for it.
            Err(_) => Err(ConnectError::out_of_time()),
        }
    }

    fn made(&self, callee: &Callee) -> Option<(u64, Made<S>)> {
        match self.kept.slots.lock().get(callee.endpoint(), incarnation(callee.instance()))? {
            (id, State::Connected(made)) => Some((id, Arc::clone(made))),
            (_, State::Connecting(_)) => None,
        }
    }

    /// Returns the connection that is being made; this one, if there is none.
    fn join(&self, callee: &Callee, making: Shared<Making<S>>) -> (u64, Shared<Making<S>>) {
        let (endpoint, incarnation) = (callee.endpoint(), incarnation(callee.instance()));
        let mut slots = self.kept.slots.lock();
        // `None` is one that nobody waits for any more.
        if let Some((id, State::Connecting(begun))) = slots.get(endpoint, incarnation)
            && let Some(begun) = begun.upgrade()
        {
            return (id, begun);
        }
        // The call may have been sent to an instance that has gone in the meantime. Nobody would ever drop its connection: the
        // keeper looks when the set changes, after us.
        let Some(weak) = making.downgrade().filter(|_| self.kept.is_listed(endpoint, incarnation)) else {
            return (slots.number(), making);
        };
        let (id, replaced) = slots.connecting(endpoint, incarnation, weak);
        drop(slots);
        drop(replaced);
        (id, making)
    }

    fn lease(&self, callee: &Callee, id: u64, made: &Made<S>, is_fresh: bool) -> Lease<S> {
        Lease {
            service: made.lock().clone(),
            is_fresh,
            endpoint: callee.endpoint().clone(),
            id,
            deadline: callee.deadline(),
            is_trial: callee.target().is_trial(),
            is_over: false,
            kept: Arc::clone(&self.kept),
        }
    }
}

impl<S: Clone> Kept<S> {
    fn is_listed(&self, endpoint: &Endpoint, incarnation: Option<u128>) -> bool {
        is_listed(&self.members.borrow(), endpoint, incarnation)
    }
}

fn is_listed(members: &MemberSet, endpoint: &Endpoint, of: Option<u128>) -> bool {
    members.get(endpoint).is_some_and(|instance| incarnation(instance) == of)
}

fn incarnation(instance: &Instance) -> Option<u128> {
    instance.owner().map(|owner| owner.incarnation().as_u128())
}

/// Drops the connections of instances that have gone, or are another process now: those that are idle close, and those in use when
/// the calls on them have ended.
async fn drop_gone<S: Clone + Send + 'static>(kept: Arc<Kept<S>>) {
    let mut members = kept.members.clone();
    while members.changed().await.is_ok() {
        let gone = {
            let mut slots = kept.slots.lock();
            // The latest: what it does not list, nobody adds any more.
            let members = members.borrow_and_update().clone();
            slots.retain(|endpoint, incarnation| is_listed(&members, endpoint, incarnation))
        };
        drop(gone);
    }
}

/// A connection, for one attempt. `Drop` after the attempt's deadline, without [`end`](Self::end), drops the connection for all later
/// calls, too: it may be one whose other end has vanished without a word. So does the end of a trial before its deadline, or callers
/// who never wait for that long would try the same connection for ever.
pub(crate) struct Lease<S: Clone> {
    pub(crate) service: S,
    /// Whether it was made for this attempt.
    pub(crate) is_fresh: bool,
    endpoint: Endpoint,
    id: u64,
    deadline: Instant,
    is_trial: bool,
    is_over: bool,
    kept: Arc<Kept<S>>,
}

impl<S: Clone> Lease<S> {
    /// The attempt has ended. If the connection is broken, later calls get another one.
    pub(crate) fn end(&mut self, is_broken: bool) {
        self.is_over = true;
        if is_broken {
            self.discard();
        }
    }

    fn discard(&self) {
        let broken = self.kept.slots.lock().discard(&self.endpoint, self.id);
        drop(broken);
    }
}

impl<S: Clone> Drop for Lease<S> {
    fn drop(&mut self) {
        if !self.is_over && (self.is_trial || Instant::now() >= self.deadline) {
            self.discard();
        }
    }
}

impl<S: Clone> Clone for Connections<S> {
    fn clone(&self) -> Self {
        Self { kept: Arc::clone(&self.kept), _keeper: Arc::clone(&self._keeper) }
    }
}

impl<S: Clone> fmt::Debug for Connections<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connections").finish_non_exhaustive()
    }
}
