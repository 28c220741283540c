//! One persistent recursive watch: an event for every change, with the child's name, and no read.

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use zk_core::{
    Connection, Error, ErrorKind, Event, EventKind, ListVersion, MAX_READS, WatchStream, ZnodePath,
};

use super::{Answer, Listing, News, Silence, paths};

/// What one request reads.
pub(super) const MOST_READS: usize = MAX_READS;

pub(crate) struct Recursive {
    connection: Connection,
    root: ZnodePath,
    events: WatchStream,
}

impl Recursive {
    /// Watches, then reads: in this order nothing is lost in between.
    pub(super) async fn begin(
        connection: Connection,
        root: &ZnodePath,
    ) -> Result<(Self, ListVersion), Error> {
        // All three are on their way at once, in this order. D7: the server may lag behind what we have
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

    pub(super) async fn next(&mut self) -> Result<News, Silence> {
        loop {
            let event = self.events.next().await.ok_or(Silence::Overrun)?;
            if let Some(news) = self.news(&event) {
                return Ok(news);
            }
        }
    }

    pub(super) fn try_next(&mut self) -> Option<News> {
        loop {
            let event = self.events.try_next()?;
            if let Some(news) = self.news(&event) {
                return Some(news);
            }
        }
    }

    fn news(&self, event: &Event) -> Option<News> {
        // Grandchildren, and the root itself, are none of our business.
        let name = self.root.child_name(&event.path)?.to_owned();
        match event.kind {
            EventKind::Created => Some(News::Created(name)),
            EventKind::Deleted => Some(News::Deleted(name)),
            EventKind::DataChanged => Some(News::Written(name)),
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
    pub(super) fn read(&self, names: Vec<String>) -> BoxFuture<'static, Vec<Answer>> {
        let (names, paths) = paths(&self.root, names);
        let connection = self.connection.clone();
        async move {
            let mut readings = match connection.read_many(&paths).await {
                Ok(readings) => readings,
                Err(error) => {
                    tracing::debug!(%error, records = names.len(), "records could not be read");
                    Vec::new()
                }
            }
            .into_iter();
            let answer = |name| Answer { name, reading: readings.next(), watch: None };
            names.into_iter().map(answer).collect()
        }
        .boxed()
    }
}
