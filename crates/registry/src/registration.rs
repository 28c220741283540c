//! [`Registration`]: the handle that a service keeps.

use std::borrow::Borrow;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use instance::{Instance, Owner};
use tokio::sync::watch;
use tokio::time::Instant;
use zk_core::ZnodePath;

use crate::error::{DeregisterError, NotRegistered, RegisterError};
use crate::shared::Shared;
use crate::status::RegistrationStatus;
use crate::wish::{Record, Wish};

/// A declared instance, kept registered until it is deregistered.
///
/// `Drop` deregisters in the background, without waiting for the outcome.
#[derive(Debug)]
pub struct Registration {
    pub(crate) shared: Arc<Shared>,
    pub(crate) path: ZnodePath,
    pub(crate) owner: Owner,
    pub(crate) wish: watch::Sender<Wish>,
    pub(crate) status: watch::Receiver<RegistrationStatus>,
    /// The record that the znode is known to have; `None` while a change is on its way, or nothing is known.
    pub(crate) on_znode: watch::Receiver<Option<Record>>,
}

impl Registration {
    /// Returns the path of the znode.
    pub fn path(&self) -> &ZnodePath {
        &self.path
    }

    /// Returns the status at this moment. What stands in the way of the link is no part of it: see [`check`](Self::check).
    pub fn status(&self) -> RegistrationStatus {
        self.status.borrow().clone()
    }

    /// Follows the status. A receiver sees the latest one, not every one in between.
    pub fn statuses(&self) -> watch::Receiver<RegistrationStatus> {
        self.status.clone()
    }

    /// Follows the status as a stream, from the present one on. It ends after the final one, and may skip others.
    pub fn status_stream(&self) -> BoxStream<'static, RegistrationStatus> {
        let mut status = self.status.clone();
        status.mark_changed();
        let next = |mut status: watch::Receiver<RegistrationStatus>| async move {
            status.changed().await.ok()?;
            let now = status.borrow_and_update().clone();
            Some((now, status))
        };
        stream::unfold(status, next).boxed()
    }

    /// Waits until the instance is registered, however long that takes; [`registered_within`](Self::registered_within) says
    /// why it takes long.
    ///
    /// # Errors
    /// [`RegisterError::Deregistered`] if the instance is deregistered or abandoned, or the link is closed, before.
    ///
    /// # Cancel safety
    /// Safe: the registration goes on.
    pub async fn registered(&self) -> Result<(), RegisterError> {
        let mut status = self.status.clone();
        let end = status.wait_for(|status| status.is_registered() || status.is_final()).await;
        match end.as_deref() {
            Ok(status) if status.is_registered() => Ok(()),
            _ => Err(RegisterError::Deregistered(self.path.clone())),
        }
    }

    /// Returns whether the instance is registered at this moment, or why it is not: no server reachable, a conflict, missing
    /// rights.
    ///
    /// # Errors
    /// [`NotRegistered`] if it is not.
    pub fn check(&self) -> Result<(), NotRegistered> {
        if self.status.borrow().is_registered() { Ok(()) } else { Err(self.missing(Duration::ZERO)) }
    }

    fn missing(&self, waited: Duration) -> NotRegistered {
        let (path, link) = (self.path.clone(), Box::new(self.shared.zk.state()));
        NotRegistered { path, waited, status: Box::new(self.status()), link }
    }

    /// Waits until the instance is registered, for some time, and says why it is not, as [`check`](Self::check) does. The
    /// registration goes on in any case.
    ///
    /// # Errors
    /// [`NotRegistered`] if the instance is not registered after `timeout`, or is deregistered or abandoned before.
    ///
    /// # Cancel safety
    /// Safe.
    pub async fn registered_within(&self, timeout: Duration) -> Result<(), NotRegistered> {
        self.within(timeout, self.registered()).await
    }

    async fn within(
        &self,
        timeout: Duration,
        done: impl Future<Output = Result<(), RegisterError>>,
    ) -> Result<(), NotRegistered> {
        let started = Instant::now();
        if let Ok(Ok(())) = tokio::time::timeout(timeout, done).await {
            return Ok(());
        }
        Err(self.missing(started.elapsed().min(timeout)))
    }

    /// Changes the record in place: weight, tags, whether it is draining. Takes an instance, or a reference
    /// to one. Returns at once: the znode follows within two round trips while the link is up, and every later registration in
    /// another session has the new record. Of updates that come faster, the latest is written. [`updated`](Self::updated) waits for it.
    ///
    /// # Errors
    /// [`RegisterError`], if the instance cannot be written, has another endpoint, or was deregistered.
    pub fn update(&self, instance: impl Borrow<Instance>) -> Result<(), RegisterError> {
        let instance = instance.borrow().clone();
        let encoded = self.shared.format.encode(&instance.with_owner(self.owner.clone()))?;
        if encoded.segment != self.path.name() {
            let (from, to) = (self.path.name().into(), encoded.segment);
            return Err(RegisterError::OtherName { from, to });
        }
        let mut alive = !self.status.borrow().is_final();
        let wanted = Wish::Present(encoded.data.into());
        self.wish.send_if_modified(|wish| {
            alive &= *wish != Wish::Absent;
            let changed = alive && *wish != wanted;
            if changed {
                *wish = wanted;
            }
            changed
        });
        if alive { Ok(()) } else { Err(RegisterError::Deregistered(self.path.clone())) }
    }

    /// Waits until the instance is registered with the latest record, however long that takes: one round trip from an
    /// [`update`](Self::update) on where the link is up, no other is on its way, and nothing refuses it; [`updated_within`](Self::updated_within) says
    /// why it takes long.
    ///
    /// # Errors
    /// [`RegisterError::Deregistered`] if the instance is deregistered or abandoned, or the link is closed, before.
    ///
    /// # Cancel safety
    /// Safe: the update goes on.
    pub async fn updated(&self) -> Result<(), RegisterError> {
        let (mut wish, mut on_znode) = (self.wish.subscribe(), self.on_znode.clone());
        loop {
            // Also an update that takes back another one, of which the keeper has learned nothing, changes what is awaited.
            let wanted = wish.borrow_and_update().clone();
            if on_znode.borrow_and_update().as_ref().is_some_and(|record| wanted.is_for(record)) {
                return Ok(());
            }
            tokio::select! {
                changed = on_znode.changed() => {
                    // The keeper has ended.
                    changed.map_err(|_| RegisterError::Deregistered(self.path.clone()))?;
                }
                // It does not fail: its sender is in `self`.
                _ = wish.changed() => {}
            }
        }
    }

    /// Waits until the instance is registered with the latest record, for some time, and says why it is not, as
    /// [`registered_within`](Self::registered_within) does.
    ///
    /// # Errors
    /// [`NotRegistered`] if it is not after `timeout`, or is deregistered or abandoned before.
    ///
    /// # Cancel safety
    /// Safe.
    pub async fn updated_within(&self, timeout: Duration) -> Result<(), NotRegistered> {
        self.within(timeout, self.updated()).await
    }

    /// Deletes the znode, and waits until the ensemble has confirmed the deletion: one round trip while it is registered,
    /// whatever other registrations wait for.
    ///
    /// Callers learn of it by their watches, most within a round trip. Some will still dial: keep serving for a moment,
    /// then drain.
    ///
    /// # Errors
    /// [`DeregisterError`] if the ensemble did not confirm the deletion `within` the time, or the link was closed or the
    /// instance abandoned first. The keeper retries for as long as the link exists; after that the znode ends with the session.
    ///
    /// # Cancel safety
    /// The deletion goes on if the future is dropped. Nothing registers the instance again.
    pub async fn deregister(&self, within: Duration) -> Result<(), DeregisterError> {
        self.wish.send_replace(Wish::Absent);
        let mut status = self.status.clone();
        let started = Instant::now();
        let end = tokio::time::timeout(within, status.wait_for(RegistrationStatus::is_final)).await;
        match end {
            Ok(Ok(status)) if *status == RegistrationStatus::Deregistered => Ok(()),
            _ => Err(DeregisterError { path: self.path.clone(), waited: started.elapsed() }),
        }
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.wish.send_replace(Wish::Absent);
    }
}
