//! One step: look at what is there, and act towards what should be.

use std::sync::Arc;
use std::time::Duration;

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
        let _turn = shared.turns.acquire().await;
        // What happens from here on is either ours or news.
        self.known = self.notify.versions();
        self.held = None;
        match wanted {
            // Nothing of this session can stand: create, and look only if something does.
            Desired::Present(data) if self.attempted != Some(ready.connection.epoch()) => {
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
            syncs.act(syncs.ask(), connection.sync(root)).await?;
        }
        let (stat, watch) = if ready.is_shared() || *wanted == Desired::Absent {
            (connection.stat(&self.path).await?, None)
        } else {
            let (stat, watch) = connection.watch_exists(&self.path).await?;
            (stat, Some(watch))
        };
        let Some(stat) = stat else {
            if self.stood.take() == Some(connection.epoch()) {
                self.shared.context.metrics.lost();
            }
            return match wanted {
                Desired::Present(data) => self.create(ready, data).await,
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
                // The word was given for as long as the instance is wanted.
                vouched: self.vouched && *wanted != Desired::Absent,
                created: self.created,
                held_before: self.held_before,
            },
        );
        let stat = found.stat;
        match (decision, wanted) {
            (Decision::Leave(_), Desired::Absent) => Ok(Next::Gone),
            (Decision::Leave(holder), Desired::Present(_)) => Ok(Next::Yield(watch, holder)),
            (_, Desired::Absent) => self.delete(connection, stat).await,
            (Decision::Keep, Desired::Present(_)) => Ok(Next::Hold(watch, stat)),
            (Decision::Rewrite, Desired::Present(data)) => {
                if !self.wrote(&stat) && std::mem::replace(&mut self.mended, true) {
                    // Written over again before it could be held.
                    self.mended = false;
                    return Ok(Next::Later);
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
        self.attempted = Some(connection.epoch());
        let asked = self.shared.roots.ask();
        let created = connection.create_ephemeral(&self.path, data, config.acl()).await;
        self.reckon(created.as_ref().err());
        match created {
            Ok(stat) => {
                self.created = Some(stat.czxid);
                self.written = Some(Written::by(connection, &stat, data));
                self.shared.context.metrics.created();
                limited!(
                    self.shared.context.log,
                    info,
                    czxid = %stat.czxid,
                    session = %connection.session().id,
                    "created"
                );
                Ok(self.done(ready, stat))
            }
            Err(error) if *error.kind() == ErrorKind::NoNode => {
                let ensured = connection.ensure_path(config.root(), config.acl());
                self.shared.roots.act(asked, ensured).await?;
                Ok(Next::Look { sync: false })
            }
            // Somebody was faster, or an earlier request of ours whose reply was lost.
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
        let written = connection.set_data(&self.path, data, Some(stat.version)).await;
        self.reckon(written.as_ref().err());
        match written {
            Ok(stat) => {
                limited!(self.shared.context.log, info, version = stat.version, "written");
                self.written = Some(Written::by(connection, &stat, data));
                // It is told of, too.
                self.known.written = self.known.written.wrapping_add(1);
                Ok(self.done(ready, stat))
            }
            Err(error) => look_where_faster(error),
        }
    }

    /// After a write of ours that the ensemble has answered: where one watch serves all, it was there before,
    /// and what it tells from now on is news. Else the znode's own watch has fired for the write: a look
    /// sets one that lasts.
    fn done(&self, ready: &ReadyConnection, stat: Stat) -> Next {
        let is_ours = stat.ephemeral_owner == Some(ready.connection.session().id);
        if ready.is_shared() && is_ours { Next::Hold(None, stat) } else { Next::Look { sync: false } }
    }

    async fn take_over(
        &mut self,
        ready: &ReadyConnection,
        stat: Stat,
        data: &Arc<[u8]>,
    ) -> Result<Next, Trouble> {
        self.write_backoff.admit(&self.path, data)?;
        let (connection, acl) = (&ready.connection, self.shared.config.acl());
        limited!(
            self.shared.context.log,
            info,
            czxid = %stat.czxid,
            session = ?stat.ephemeral_owner,
            "taking over a stale znode of ours"
        );
        self.pending();
        self.attempted = Some(connection.epoch());
        let taken = connection.take_over(&self.path, stat.version, data, acl).await;
        self.reckon(taken.as_ref().err());
        match taken {
            Ok(()) => {
                self.shared.context.metrics.taken_over();
                // The transaction's answer does not tell what was created.
                Ok(Next::Look { sync: false })
            }
            Err(error) => look_where_faster(error).map_err(Trouble::at_take_over),
        }
    }

    /// Keeps count of the writes that ended the connection.
    fn reckon(&mut self, error: Option<&Error>) {
        match error {
            None => self.write_backoff.answered(),
            Some(error) => {
                // Many of them cost the link about one connection a second, all together.
                let context = Duration::from_secs(1) * self.shared.context.metrics.cut_off();
                self.write_backoff.failed(error, self.shared.config.audit_interval().max(context));
            }
        }
    }

    async fn delete(&self, connection: &Connection, stat: Stat) -> Result<Next, Trouble> {
        match connection.delete(&self.path, Some(stat.version)).await {
            Ok(()) => {
                limited!(self.shared.context.log, info, czxid = %stat.czxid, "deleted");
                Ok(Next::Gone)
            }
            Err(error) if *error.kind() == ErrorKind::NoNode => Ok(Next::Gone),
            Err(error) => look_where_faster(error),
        }
    }

    /// Whether its data is what we wrote last.
    fn wrote(&self, stat: &Stat) -> bool {
        // The session, too: an ensemble that lost its data counts its transactions anew.
        let is_it =
            |written: &Written| written.mzxid == stat.mzxid && Some(written.session) == stat.ephemeral_owner;
        self.written.as_ref().is_some_and(is_it)
    }

    /// Finds out whose znode this is; `None` if it went meanwhile.
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
            // Who hides it does not say who they are.
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

/// After a conditional write that failed: who was faster than us is seen by looking again.
fn look_where_faster(error: Error) -> Result<Next, Trouble> {
    match error.kind() {
        ErrorKind::NoNode | ErrorKind::BadVersion | ErrorKind::NodeExists => Ok(Next::Look { sync: true }),
        _ => Err(error.into()),
    }
}
