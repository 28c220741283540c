//! Sends the requests of a keeper.

use std::sync::Arc;

use zk_core::transport::BoxFuture;
use zk_core::{Connection, Error, OneShot, ZnodePath};

use super::io::{Failure, Reply, Request};
use crate::shared::Shared;
use crate::singleflight::Ticket;

/// A reply, with the watch that the request has set.
pub(super) type Answer = (Result<Reply, Failure>, Option<OneShot>);

/// Where the requests of a keeper go.
#[derive(Clone)]
pub(super) struct Target {
    pub(super) shared: Arc<Shared>,
    pub(super) path: ZnodePath,
    pub(super) connection: Connection,
    /// From before the last create: an attempt to create the root that began later serves it.
    pub(super) roots: Ticket,
    pub(super) syncs: Ticket,
}

impl Target {
    /// Sends a request; it is sent when the future is first polled.
    pub(super) fn send(self, request: Request) -> BoxFuture<'static, Answer> {
        Box::pin(async move {
            let mut watch = None;
            let reply = self.carry_out(request, &mut watch).await;
            (reply.map_err(|error| Failure { error, ended: self.connection.has_ended() }), watch)
        })
    }

    async fn carry_out(&self, request: Request, watch: &mut Option<OneShot>) -> Result<Reply, Error> {
        let Self { shared, path, connection, .. } = self;
        let (root, acl) = (shared.config.root(), shared.config.acl());
        Ok(match request {
            Request::Stat { watch: true, .. } => {
                let (stat, set) = connection.watch_exists(path).await?;
                *watch = Some(set);
                Reply::Stat(stat)
            }
            Request::Stat { sync: true, .. } => {
                // Sent at once, in this order.
                let (synced, stat) = tokio::join!(biased; connection.sync(root), connection.stat(path));
                synced?;
                Reply::Stat(stat?)
            }
            Request::Stat { .. } => Reply::Stat(connection.stat(path).await?),
            Request::Audit => Reply::Audit(connection.stat(path).await?),
            Request::Data(_) => {
                let (data, stat) = connection.data(path).await?;
                // Data that cannot be read names no owner.
                let decoded = shared.format.decode(path.name(), &data).ok();
                let owner = decoded.and_then(|decoded| decoded.instance.owner().cloned());
                Reply::Data { record: data.into(), owner, stat }
            }
            Request::Create(record) => Reply::Written(connection.create_ephemeral(path, &record, acl).await?),
            Request::Write { record, version, .. } => {
                Reply::Written(connection.set_data(path, &record, Some(version)).await?)
            }
            Request::TakeOver { record, seen } => {
                connection.take_over(path, seen.version, &record, acl).await?;
                Reply::Done
            }
            Request::Delete { version } => {
                connection.delete(path, Some(version)).await?;
                Reply::Done
            }
            Request::Leave { version } => {
                connection.write_and_delete(path, version, b"").await?;
                Reply::Done
            }
            Request::Sync => {
                shared.syncs.run(self.syncs, connection.sync(root)).await?;
                Reply::Done
            }
            Request::EnsureRoot => {
                shared.roots.run(self.roots, connection.ensure_path(root, acl)).await?;
                Reply::Done
            }
        })
    }
}
