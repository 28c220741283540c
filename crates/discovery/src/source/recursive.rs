//! Updates from one persistent recursive watch: an event for every change, with the child's name, and no read.

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use zk_core::{
    Connection, Error, ErrorKind, Event, EventKind, ListVersion, MAX_READS, WatchStream, ZnodePath,
};

use super::{Listing, RecordReply, SourceError, Update, paths};

/// One request reads a batch.
pub(super) const MAX_BATCH: usize = MAX_READS;

pub(crate) struct Recursive {
    connection: Connection,
    root: ZnodePath,
    events: WatchStream,
}

impl Recursive {
    /// Watches, then reads: in this order no change is lost in between.
    pub(super) async fn start(
        connection: Connection,
        root: &ZnodePath,
    ) -> Result<(Self, ListVersion), Error> {
        // All three requests are sent at once, in this order. D7: the server may lag behind the state that we have
        // seen; after `sync` it does not.
        let (events, synced, stat) = tokio::join!(
            biased;
            connection.watch_recursive(root),
            connection.sync(root),
            connection.stat(root),
        );
        let (events, stat) = (events?, stat?);
        synced?;
        Ok((Self { connection, root: root.clone(), events }, ListVersion::of(stat.as_ref())))
    }

    pub(super) async fn next(&mut self) -> Result<Update, SourceError> {
        loop {
            let event = self.events.next().await.ok_or(SourceError::WatchLost)?;
            if let Some(update) = self.update(&event) {
                return Ok(update);
            }
        }
    }

    pub(super) fn try_next(&mut self) -> Option<Update> {
        loop {
            let event = self.events.try_next()?;
            if let Some(update) = self.update(&event) {
                return Some(update);
            }
        }
    }

    fn update(&self, event: &Event) -> Option<Update> {
        // Events of grandchildren and of the root itself are ignored.
        let name = self.root.child_name(&event.path)?.to_owned();
        match event.kind {
            EventKind::Created => Some(Update::Created(name)),
            EventKind::Deleted => Some(Update::Deleted(name)),
            EventKind::DataChanged => Some(Update::Written(name)),
            EventKind::ChildrenChanged => None,
        }
    }

    pub(super) async fn list(&self) -> Result<Listing, Error> {
        match self.connection.children(&self.root).await {
            Ok((names, stat)) => Ok(Listing::new(names, &stat)),
            Err(error) if *error.kind() == ErrorKind::NoNode => Ok(Listing::absent()),
            Err(error) => Err(error),
        }
    }

    /// One request for all of them.
    pub(super) fn read(&self, names: Vec<String>) -> BoxFuture<'static, Vec<RecordReply>> {
        let (names, paths) = paths(&self.root, names);
        let connection = self.connection.clone();
        async move {
            let mut readings = match connection.read_many(&paths).await {
                Ok(readings) => readings,
                Err(error) => {
                    tracing::debug!(%error, records = names.len(), "records not read, retrying");
                    Vec::new()
                }
            }
            .into_iter();
            let reply = |name| RecordReply { name, reading: readings.next(), watch: None };
            names.into_iter().map(reply).collect()
        }
        .boxed()
    }
}
