//! The requests of a root watch.

use futures_util::future::{BoxFuture, join_all};
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use zk_core::{Connection, Error, ErrorKind, OneShot, Reading, Stat, WatchStream, ZnodePath};

use crate::io::{Children, Effect};

/// A reply, with the watches that came with it.
pub(crate) enum Reply {
    Synced(Result<(), Error>),
    WatchSet {
        events: Result<WatchStream, Error>,
        sync: Result<(), Error>,
        stat: Result<Option<Stat>, Error>,
    },
    Stat(Result<Option<Stat>, Error>),
    Listed(Result<Children, Error>),
    WatchedList(Result<(Children, OneShot), Error>),
    Read {
        ticket: u64,
        records: Vec<(String, Option<Reading>, Option<OneShot>)>,
    },
}

/// The requests in flight on one connection.
#[derive(Default)]
pub(crate) struct Requests {
    replies: FuturesUnordered<BoxFuture<'static, Reply>>,
}

impl Requests {
    /// Waits for the next reply; for ever if none is under way.
    ///
    /// No reply is lost if the future is dropped.
    pub(crate) async fn next(&mut self) -> Reply {
        match self.replies.next().await {
            Some(reply) => reply,
            None => std::future::pending().await,
        }
    }

    /// Sends the request that is asked for, once [`next`](Self::next) is polled.
    pub(crate) fn send(&mut self, connection: Connection, root: ZnodePath, effect: Effect) {
        match effect {
            Effect::Sync => self.sync(connection, root),
            Effect::Watch => self.watch(connection, root),
            Effect::Stat => self.stat(connection, root),
            Effect::ReadRoot => self.read_root(connection, root),
            Effect::List => self.list(connection, root),
            Effect::WatchedList { sync } => self.watched_list(connection, root, sync),
            Effect::Read { ticket, names } => self.read(connection, &root, ticket, names),
            Effect::WatchedRead { ticket, names } => self.watched_read(&connection, &root, ticket, names),
            Effect::Clear | Effect::Live { .. } | Effect::Report(_) => {}
        }
    }

    fn sync(&mut self, connection: Connection, root: ZnodePath) {
        self.push(async move { Reply::Synced(connection.sync(&root).await) });
    }

    /// Watches, then looks: in this order no change is lost in between. D7: the server may lag behind what we have seen;
    /// after the sync it does not.
    fn watch(&mut self, connection: Connection, root: ZnodePath) {
        self.push(async move {
            let (events, sync, stat) = tokio::join!(
                biased;
                connection.watch_recursive(&root),
                connection.sync(&root),
                connection.stat(&root),
            );
            Reply::WatchSet { events, sync, stat }
        });
    }

    fn stat(&mut self, connection: Connection, root: ZnodePath) {
        self.push(async move { Reply::Stat(connection.stat(&root).await) });
    }

    fn read_root(&mut self, connection: Connection, root: ZnodePath) {
        self.push(async move {
            Reply::Stat(match connection.data(&root).await {
                Err(error) if *error.kind() == ErrorKind::NoNode => Ok(None),
                read => read.map(|(_, stat)| Some(stat)),
            })
        });
    }

    fn list(&mut self, connection: Connection, root: ZnodePath) {
        self.push(async move {
            Reply::Listed(match connection.children(&root).await {
                Err(error) if *error.kind() == ErrorKind::NoNode => Ok(None),
                listed => listed.map(Some),
            })
        });
    }

    /// D7, as for the recursive watch; the list follows the sync on the same connection.
    fn watched_list(&mut self, connection: Connection, root: ZnodePath, sync: bool) {
        self.push(async move {
            if !sync {
                return Reply::WatchedList(watched_list(&connection, &root).await);
            }
            let (synced, listed) =
                tokio::join!(biased; connection.sync(&root), watched_list(&connection, &root));
            Reply::WatchedList(synced.and(listed))
        });
    }

    /// One request for all of them.
    fn read(&mut self, connection: Connection, root: &ZnodePath, ticket: u64, names: Vec<String>) {
        let paths: Vec<_> = names.iter().map(|name| root.join(name).ok()).collect();
        self.push(async move {
            let valid: Vec<_> = paths.iter().flatten().cloned().collect();
            let mut readings = match connection.read_many(&valid).await {
                Ok(readings) => readings,
                Err(error) => {
                    tracing::debug!(%error, records = names.len(), "records not read");
                    Vec::new()
                }
            }
            .into_iter();
            let records = names.into_iter().zip(paths).map(|(name, path)| {
                // ZooKeeper has valid names only.
                let reading = if path.is_some() { readings.next() } else { Some(Err(ErrorKind::NoNode)) };
                (name, reading, None)
            });
            Reply::Read { ticket, records: records.collect() }
        });
    }

    /// A request for each record, with a watch on those that have none yet.
    fn watched_read(
        &mut self,
        connection: &Connection,
        root: &ZnodePath,
        ticket: u64,
        names: Vec<(String, bool)>,
    ) {
        let reads = names.into_iter().map(|(name, watched)| {
            let (connection, path) = (connection.clone(), root.join(&name));
            async move {
                let (reading, watch) = match path {
                    Ok(path) => watched_read(&connection, &path, watched).await,
                    Err(_) => (Some(Err(ErrorKind::NoNode)), None),
                };
                (name, reading, watch)
            }
        });
        let reads = join_all(reads);
        self.push(async move { Reply::Read { ticket, records: reads.await } });
    }

    fn push(&mut self, request: impl Future<Output = Reply> + Send + 'static) {
        self.replies.push(request.boxed());
    }
}

/// Lists the children, with a watch that fires when the list changes.
async fn watched_list(connection: &Connection, root: &ZnodePath) -> Result<(Children, OneShot), Error> {
    loop {
        match connection.watch_children(root).await {
            Ok((names, stat, watch)) => return Ok((Some((names, stat)), watch)),
            Err(error) if *error.kind() == ErrorKind::NoNode => {}
            Err(error) => return Err(error),
        }
        // Parents of the root need not exist, either. If the root was created in between, it is listed after all.
        if let (None, watch) = connection.watch_exists(root).await? {
            return Ok((None, watch));
        }
    }
}

/// Reads a record, with a watch unless it is `watched` already.
async fn watched_read(
    connection: &Connection,
    path: &ZnodePath,
    watched: bool,
) -> (Option<Reading>, Option<OneShot>) {
    if watched {
        return (reading(connection.data(path).await), None);
    }
    match connection.watch_data(path).await {
        Ok((data, stat, watch)) => (Some(Ok((data, stat))), Some(watch)),
        Err(error) if *error.kind() == ErrorKind::Denied => {
            // `exists` needs no rights. Its watch fires when the znode is replaced by one that we may read.
            let Ok((Some(_), watch)) = connection.watch_exists(path).await else {
                return (reading(Err(error)), None);
            };
            // Read again: the znode may have become readable, and been written, before the watch was set.
            (reading(connection.data(path).await), Some(watch))
        }
        Err(error) => (reading(Err(error)), None),
    }
}

/// The outcome of a read of one znode, unless the read is to be repeated.
fn reading(result: Result<(Vec<u8>, Stat), Error>) -> Option<Reading> {
    match result {
        Ok(record) => Some(Ok(record)),
        Err(error) if matches!(error.kind(), ErrorKind::NoNode | ErrorKind::Denied) => {
            Some(Err(error.kind().clone()))
        }
        Err(_) => None,
    }
}
