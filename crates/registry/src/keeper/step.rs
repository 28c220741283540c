//! One step of a keeper: read the znode, and act towards the desired state.

use std::sync::Arc;
use std::time::Duration;

use tracing::debug;
use zk_core::{Connection, Error, ErrorKind, Stat};

use super::{Keeper, Next, Written};
use crate::decide::{Claim, Decision, Found, decide};
use crate::log_limiter::limited;
use crate::registration::Desired;
use crate::root_watch::ReadyConnection;
use crate::status::Trouble;

impl Keeper {
    pub(super) async fn step(
        &mut self,
        ready: &ReadyConnection,
        sync: bool,
        wanted: &Desired,
    ) -> Result<Next, Trouble> {
        let shared = self.shared.clone();
        // The semaphore is never closed.
        let _permit = shared.steps.acquire().await;
        // An event after this moment is of a write of ours, or has to be looked into.
        self.known = self.notify.counts();
        self.unconfirmed = None;
        match wanted {
            // No znode of this session can exist: create, and read only if the name is taken.
            Desired::Present(data) if self.create_sent_in != Some(ready.connection.epoch()) => {
                if self.seen_in.take().is_some() {
                    let session = ready.connection.session().id;
                    debug!(%session, "registering again in a new session");
                }
                self.create(ready, data).await
            }
            _ => self.look_and_act(ready, sync, wanted).await,
        }
    }

    async fn look_and_act(
        &mut self,
        ready: &ReadyConnection,
        sync: bool,
        wanted: &Desired,
    ) -> Result<Next, Trouble> {
        let connection = &ready.connection;
        if sync {
            let (syncs, root) = (&self.shared.syncs, self.shared.config.root());
            syncs.run(syncs.ticket(), connection.sync(root)).await?;
        }
        let (stat, watch) = if ready.is_shared() || *wanted == Desired::Absent {
            (connection.stat(&self.path).await?, None)
        } else {
            let (stat, watch) = connection.watch_exists(&self.path).await?;
            (stat, Some(watch))
        };
        let Some(stat) = stat else {
            let is_lost = self.seen_in.take() == Some(connection.epoch());
            if is_lost {
                self.shared.context.metrics.lost();
            }
            return match wanted {
                Desired::Present(data) => {
                    if is_lost {
                        limited!(self.shared.context.log, info, "registration lost: znode deleted");
                    }
                    self.create(ready, data).await
                }
                Desired::Absent => Ok(Next::Gone),
            };
        };
        let Some(found) = self.inspect(connection, stat, wanted).await? else {
            return Ok(Next::Look { sync: true });
        };
        let decision = decide(
            &found,
            Claim {
                owner: &self.owner,
                session: connection.session().id,
                // The caller vouches for the socket for as long as it wants the instance registered.
                vouched: self.vouched && *wanted != Desired::Absent,
                created: self.created,
                registered_before: self.registered_before,
            },
        );
        let stat = found.stat;
        match (decision, wanted) {
            (Decision::Leave(_), Desired::Absent) => Ok(Next::Gone),
            (Decision::Leave(holder), Desired::Present(_)) => Ok(Next::Conflict(watch, holder)),
            (_, Desired::Absent) => self.delete(connection, stat).await,
            (Decision::Keep, Desired::Present(_)) => Ok(Next::Registered(watch, stat)),
            (Decision::Rewrite, Desired::Present(data)) => {
                if !self.wrote(&stat) && std::mem::replace(&mut self.restored, true) {
                    // Overwritten again before the look that would have found our data.
                    self.restored = false;
                    return Ok(Next::Overwritten);
                }
                self.rewrite(ready, stat, data).await
            }
            (Decision::TakeOver, Desired::Present(data)) => self.take_over(ready, stat, data).await,
        }
    }

    async fn create(&mut self, ready: &ReadyConnection, data: &Arc<[u8]>) -> Result<Next, Trouble> {
        self.write_backoff.admit(&self.path, data)?;
        let (connection, shared) = (&ready.connection, self.shared.clone());
        let config = &shared.config;
        self.pending();
        self.took_over = None;
        self.create_sent_in = Some(connection.epoch());
        let ticket = self.shared.roots.ticket();
        let created = connection.create_ephemeral(&self.path, data, config.acl()).await;
        self.note_write(created.as_ref().err());
        match created {
            Ok(stat) => {
                self.created = Some(stat.czxid);
                self.written = Some(Written::by(connection, &stat, data));
                self.shared.context.metrics.created();
                debug!(czxid = %stat.czxid, session = %connection.session().id, "znode created");
                Ok(self.after_write(ready, stat))
            }
            Err(error) if *error.kind() == ErrorKind::NoNode => {
                let ensured = connection.ensure_path(config.root(), config.acl());
                self.shared.roots.run(ticket, ensured).await?;
                Ok(Next::Look { sync: false })
            }
            // Another client was faster, or an earlier request of ours whose reply was lost.
            Err(error) if *error.kind() == ErrorKind::NodeExists => Ok(Next::Look { sync: true }),
            Err(error) => Err(error.into()),
        }
    }

    async fn rewrite(
        &mut self,
        ready: &ReadyConnection,
        stat: Stat,
        data: &Arc<[u8]>,
    ) -> Result<Next, Trouble> {
        self.write_backoff.admit(&self.path, data)?;
        let connection = &ready.connection;
        // The znode has what we wrote last, and the caller wants another record.
        let is_update = self.wrote(&stat);
        let written = connection.set_data(&self.path, data, Some(stat.version)).await;
        self.note_write(written.as_ref().err());
        match written {
            Ok(stat) => {
                if is_update {
                    limited!(self.shared.context.log, info, version = stat.version, "record updated");
                } else {
                    limited!(
                        self.shared.context.log,
                        info,
                        version = stat.version,
                        "record restored: the znode had other data"
                    );
                }
                self.written = Some(Written::by(connection, &stat, data));
                // The shared watch has an event for our own write.
                self.known.written = self.known.written.wrapping_add(1);
                Ok(self.after_write(ready, stat))
            }
            Err(error) => look_after_race(error),
        }
    }

    /// What follows a write of ours that succeeded. The shared watch, where there is one, was installed before the
    /// write and reports every later change. The znode's own watch has fired for the write: another look sets it
    /// again.
    fn after_write(&self, ready: &ReadyConnection, stat: Stat) -> Next {
        let is_ours = stat.ephemeral_owner == Some(ready.connection.session().id);
        if ready.is_shared() && is_ours { Next::Registered(None, stat) } else { Next::Look { sync: false } }
    }

    async fn take_over(
        &mut self,
        ready: &ReadyConnection,
        stat: Stat,
        data: &Arc<[u8]>,
    ) -> Result<Next, Trouble> {
        self.write_backoff.admit(&self.path, data)?;
        let (connection, acl) = (&ready.connection, self.shared.config.acl());
        debug!(czxid = %stat.czxid, session = ?stat.ephemeral_owner, "taking over a stale znode");
        self.pending();
        self.create_sent_in = Some(connection.epoch());
        let taken = connection.take_over(&self.path, stat.version, data, acl).await;
        self.note_write(taken.as_ref().err());
        match taken {
            Ok(()) => {
                self.shared.context.metrics.taken_over();
                self.took_over = stat.ephemeral_owner;
                // The reply to the transaction has no stat of the new znode.
                Ok(Next::Look { sync: false })
            }
            Err(error) => look_after_race(error).map_err(Trouble::at_take_over),
        }
    }

    /// Counts the writes that ended the connection.
    fn note_write(&mut self, error: Option<&Error>) {
        match error {
            None => self.write_backoff.reset(),
            Some(error) => {
                // All such writes of the registrar cost the link about one connection a second, however many they are.
                let one_a_second = Duration::from_secs(1) * self.shared.context.metrics.cut_off();
                self.write_backoff.failed(error, self.shared.config.audit_interval().max(one_a_second));
            }
        }
    }

    async fn delete(&self, connection: &Connection, stat: Stat) -> Result<Next, Trouble> {
        match connection.delete(&self.path, Some(stat.version)).await {
            Ok(()) => {
                debug!(czxid = %stat.czxid, "znode deleted");
                Ok(Next::Gone)
            }
            Err(error) if *error.kind() == ErrorKind::NoNode => Ok(Next::Gone),
            Err(error) => look_after_race(error),
        }
    }

    /// Whether the data of the znode is what we wrote last.
    fn wrote(&self, stat: &Stat) -> bool {
        // The session, too: an ensemble that lost its data starts again with its transaction ids.
        let is_latest =
            |written: &Written| written.mzxid == stat.mzxid && Some(written.session) == stat.ephemeral_owner;
        self.written.as_ref().is_some_and(is_latest)
    }

    /// Finds the owner of the znode; `None` if it was deleted meanwhile.
    async fn inspect(
        &self,
        connection: &Connection,
        stat: Stat,
        wanted: &Desired,
    ) -> Result<Option<Found>, Error> {
        let is = |data: &[u8]| matches!(wanted, Desired::Present(wanted) if wanted[..] == *data);
        if let Some(written) = self.written.as_ref().filter(|_| self.wrote(&stat)) {
            let data_is_ours = is(&written.data);
            return Ok(Some(Found { stat, owner: Some(self.owner.clone()), data_is_ours }));
        }
        let (data, stat) = match connection.data(&self.path).await {
            Ok(read) => read,
            Err(error) if *error.kind() == ErrorKind::NoNode => return Ok(None),
            // An owner that hides its data stays unknown.
            Err(error) if *error.kind() == ErrorKind::Denied => (Vec::new(), stat),
            Err(error) => return Err(error),
        };
        let owner = match self.shared.format.decode(self.path.name(), &data) {
            Ok(decoded) => decoded.instance.owner().cloned(),
            Err(_) => None,
        };
        Ok(Some(Found { stat, owner, data_is_ours: is(&data) }))
    }
}

/// After a conditional write that failed because another client was faster: looks at what that one wrote.
fn look_after_race(error: Error) -> Result<Next, Trouble> {
    match error.kind() {
        ErrorKind::NoNode | ErrorKind::BadVersion | ErrorKind::NodeExists => Ok(Next::Look { sync: true }),
        _ => Err(error.into()),
    }
}
