//! One step: look at what is there, and act towards what should be.

use std::sync::Arc;
use std::time::Duration;

use zk_core::{Connection, Error, ErrorKind, Stat};

use super::{Keeper, Next, Written};
use crate::decide::{Claim, Decision, Found, decide};
use crate::journal::tell;
use crate::lookout::Footing;
use crate::registration::Desired;
use crate::status::Trouble;

impl Keeper {
    pub(super) async fn step(
        &mut self,
        footing: &Footing,
        sync: bool,
        wanted: &Desired,
    ) -> Result<Next, Trouble> {
        let shared = self.shared.clone();
        // The semaphore is never closed.
        let _turn = shared.turns.acquire().await;
        // What happens from here on is either ours or news.
        self.known = self.bell.tally();
        self.held = None;
        match wanted {
            // Nothing of this session can stand: create, and look only if something does.
            Desired::Present(data) if self.attempted != Some(footing.connection.epoch()) => {
                self.create(footing, data).await
            }
            _ => self.look_and_act(footing, sync, wanted).await,
        }
    }

    async fn look_and_act(
        &mut self,
        footing: &Footing,
        sync: bool,
        wanted: &Desired,
    ) -> Result<Next, Trouble> {
        let connection = &footing.connection;
        if sync {
            let (syncs, root) = (&self.shared.syncs, self.shared.config.root());
            syncs.act(syncs.ask(), connection.sync(root)).await?;
        }
        let (stat, watch) = if footing.is_shared() || *wanted == Desired::Absent {
            (connection.stat(&self.path).await?, None)
        } else {
            let (stat, watch) = connection.watch_exists(&self.path).await?;
            (stat, Some(watch))
        };
        let Some(stat) = stat else {
            if self.stood.take() == Some(connection.epoch()) {
                self.shared.company.census.lost();
            }
            return match wanted {
                Desired::Present(data) => self.create(footing, data).await,
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
                self.rewrite(footing, stat, data).await
            }
            (Decision::TakeOver, Desired::Present(data)) => self.take_over(footing, stat, data).await,
        }
    }

    async fn create(&mut self, footing: &Footing, data: &Arc<[u8]>) -> Result<Next, Trouble> {
        self.cuts.admit(&self.path, data)?;
        let (connection, shared) = (&footing.connection, self.shared.clone());
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
                self.shared.company.census.created();
                tell!(
                    self.shared.company.journal,
                    info,
                    czxid = %stat.czxid,
                    session = %connection.session().id,
                    "created"
                );
                Ok(self.done(footing, stat))
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

    async fn rewrite(&mut self, footing: &Footing, stat: Stat, data: &Arc<[u8]>) -> Result<Next, Trouble> {
        self.cuts.admit(&self.path, data)?;
        let connection = &footing.connection;
        let written = connection.set_data(&self.path, data, Some(stat.version)).await;
        self.reckon(written.as_ref().err());
        match written {
            Ok(stat) => {
                tell!(self.shared.company.journal, info, version = stat.version, "written");
                self.written = Some(Written::by(connection, &stat, data));
                // It is told of, too.
                self.known.written = self.known.written.wrapping_add(1);
                Ok(self.done(footing, stat))
            }
            Err(error) => look_where_faster(error),
        }
    }

    /// After a write of ours that the ensemble has answered: where one watch serves all, it was there before,
    /// and what it tells from now on is news. Else the znode's own watch has fired for the write: a look
    /// sets one that lasts.
    fn done(&self, footing: &Footing, stat: Stat) -> Next {
        let is_ours = stat.ephemeral_owner == Some(footing.connection.session().id);
        if footing.is_shared() && is_ours { Next::Hold(None, stat) } else { Next::Look { sync: false } }
    }

    async fn take_over(&mut self, footing: &Footing, stat: Stat, data: &Arc<[u8]>) -> Result<Next, Trouble> {
        self.cuts.admit(&self.path, data)?;
        let (connection, acl) = (&footing.connection, self.shared.config.acl());
        tell!(
            self.shared.company.journal,
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
                self.shared.company.census.taken_over();
                // The transaction's answer does not tell what was created.
                Ok(Next::Look { sync: false })
            }
            Err(error) => look_where_faster(error).map_err(Trouble::at_take_over),
        }
    }

    /// Keeps count of the writes that ended the connection.
    fn reckon(&mut self, error: Option<&Error>) {
        match error {
            None => self.cuts.answered(),
            Some(error) => {
                // Many of them cost the link about one connection a second, all together.
                let company = Duration::from_secs(1) * self.shared.company.census.cut_off();
                self.cuts.failed(error, self.shared.config.audit_interval().max(company));
            }
        }
    }

    async fn delete(&self, connection: &Connection, stat: Stat) -> Result<Next, Trouble> {
        match connection.delete(&self.path, Some(stat.version)).await {
            Ok(()) => {
                tell!(self.shared.company.journal, info, czxid = %stat.czxid, "deleted");
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
