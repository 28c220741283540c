//! Updates from watches that fire once, for servers before ZooKeeper 3.6: one watch on the list of children, and
//! one on every record that was read. When the watch on the list has fired, one request reads the list and
//! watches it again.
//!
//! ```text
//!   Watched ── fired ─▶ Changed ── not too often ─▶ Listing ── reply ─▶ Watched
//!     │                                                │
//!     └── watch lost ─▶ Ended ◀──────── failed ────────┘
//! ```

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use futures_util::future::{BoxFuture, join_all};
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use tokio::time::{Instant, sleep_until};
use zk_core::{Connection, Error, ErrorKind, EventKind, OneShot, ZnodePath};

use super::{Listing, RecordReply, SourceError, Update, paths, reading};

/// The least time between two lists: thousands of changes a second cost at most a hundred lists, each of which
/// shows all changes before it.
const LIST_INTERVAL: Duration = Duration::from_millis(10);

/// A batch is small because each record is a request of its own, and the connection has other users.
pub(super) const MAX_BATCH: usize = 32;

pub(crate) struct OneShots {
    connection: Connection,
    root: ZnodePath,
    stage: Stage,
    /// When the next list may be read.
    not_before: Instant,
    /// The watches on records, which return the name and the event.
    record_watches: FuturesUnordered<BoxFuture<'static, (String, Option<EventKind>)>>,
    /// The names of the records that have a watch.
    watched: BTreeSet<String>,
    /// The names that were deleted since the last list: if the next list has them, they were created again.
    deleted: BTreeSet<String>,
    ready: VecDeque<Update>,
}

/// How current the last list is.
enum Stage {
    /// The last list is current; this watch fires when it changes.
    Watched(OneShot),
    /// The list has changed.
    Changed,
    /// The list has changed, and the new one is being read.
    Listing(BoxFuture<'static, Result<(Listing, OneShot), Error>>),
    /// There will be no more updates.
    Ended(SourceError),
}

impl OneShots {
    pub(super) async fn start(connection: Connection, root: &ZnodePath) -> Result<(Self, Listing), Error> {
        // D7, as for the recursive watch; the list follows the sync on the same connection.
        let (synced, listed) =
            tokio::join!(biased; connection.sync(root), watched_list(connection.clone(), root.clone()));
        let (listing, watch) = listed?;
        synced?;
        let source = Self {
            connection,
            root: root.clone(),
            stage: Stage::Watched(watch),
            not_before: Instant::now() + LIST_INTERVAL,
            record_watches: FuturesUnordered::new(),
            watched: BTreeSet::new(),
            deleted: BTreeSet::new(),
            ready: VecDeque::new(),
        };
        Ok((source, listing))
    }

    /// Watches on records have priority over the list: a change before the reply of a list is an update before it.
    pub(super) async fn next(&mut self) -> Result<Update, SourceError> {
        loop {
            if let Some(update) = self.ready.pop_front() {
                return Ok(update);
            }
            let record = async {
                match self.record_watches.next().await {
                    Some(fired) => fired,
                    None => std::future::pending().await,
                }
            };
            match &mut self.stage {
                Stage::Watched(watch) => tokio::select! {
                    biased;
                    (name, kind) = record => self.record_fired(name, kind),
                    kind = watch.fired() => self.list_fired(kind),
                },
                Stage::Changed => tokio::select! {
                    biased;
                    (name, kind) = record => self.record_fired(name, kind),
                    () = sleep_until(self.not_before) => {
                        let list = watched_list(self.connection.clone(), self.root.clone());
                        self.stage = Stage::Listing(list.boxed());
                    }
                },
                Stage::Listing(list) => tokio::select! {
                    biased;
                    (name, kind) = record => self.record_fired(name, kind),
                    listed = list => self.listed(listed),
                },
                Stage::Ended(error) => return Err(error.clone()),
            }
        }
    }

    fn record_fired(&mut self, name: String, kind: Option<EventKind>) {
        match kind {
            // The watch on the list fires as well, before this one or after it.
            Some(EventKind::Deleted) => {
                self.watched.remove(&name);
                self.deleted.insert(name);
                if let Stage::Watched(_) = self.stage {
                    self.stage = Stage::Changed;
                }
            }
            Some(_) => {
                self.watched.remove(&name);
                self.ready.push_back(Update::Written(name));
            }
            None => self.stage = Stage::Ended(SourceError::WatchLost),
        }
    }

    fn list_fired(&mut self, kind: Option<EventKind>) {
        self.stage = match kind {
            Some(_) => Stage::Changed,
            None => Stage::Ended(SourceError::WatchLost),
        };
    }

    fn listed(&mut self, listed: Result<(Listing, OneShot), Error>) {
        match listed {
            Ok((listing, watch)) => {
                let listing = self.accept(listing, watch);
                self.ready.push_back(Update::Listed(listing));
            }
            Err(error) => self.stage = Stage::Ended(SourceError::Failed(error)),
        }
    }

    fn accept(&mut self, mut listing: Listing, watch: OneShot) -> Listing {
        self.stage = Stage::Watched(watch);
        self.not_before = Instant::now() + LIST_INTERVAL;
        if !(self.deleted.is_empty() && self.watched.is_empty()) {
            let listed: BTreeSet<&String> = listing.names.iter().collect();
            self.watched.retain(|name| listed.contains(name));
            self.deleted.retain(|name| listed.contains(name));
        }
        listing.recreated = std::mem::take(&mut self.deleted);
        listing
    }

    pub(super) fn is_behind(&self) -> bool {
        matches!(self.stage, Stage::Changed | Stage::Listing(_))
    }

    pub(super) async fn list(&mut self) -> Result<Listing, Error> {
        let (listing, watch) = watched_list(self.connection.clone(), self.root.clone()).await?;
        Ok(self.accept(listing, watch))
    }

    /// Sends a request for each record, without a watch where there is one already.
    pub(super) fn read(&self, names: Vec<String>) -> BoxFuture<'static, Vec<RecordReply>> {
        let (names, paths) = paths(&self.root, names);
        let reads: Vec<_> = names
            .into_iter()
            .zip(paths)
            .map(|(name, path)| {
                let watched = self.watched.contains(&name);
                read(self.connection.clone(), name, path, watched)
            })
            .collect();
        join_all(reads).boxed()
    }

    pub(super) fn keep_watch(&mut self, name: &str, mut watch: OneShot) {
        let name = name.to_owned();
        self.watched.insert(name.clone());
        self.record_watches.push(async move { (name, watch.fired().await) }.boxed());
    }
}

/// Lists the children, with a watch that fires when the list changes.
async fn watched_list(connection: Connection, root: ZnodePath) -> Result<(Listing, OneShot), Error> {
    loop {
        match connection.watch_children(&root).await {
            Ok((names, stat, watch)) => return Ok((Listing::new(names, &stat), watch)),
            Err(error) if *error.kind() == ErrorKind::NoNode => {}
            Err(error) => return Err(error),
        }
        // Parents of the root need not exist, either. If the root was created in between, it is listed after all.
        if let (None, watch) = connection.watch_exists(&root).await? {
            return Ok((Listing::absent(), watch));
        }
    }
}

async fn read(connection: Connection, name: String, path: ZnodePath, watched: bool) -> RecordReply {
    if watched {
        return RecordReply { name, reading: reading(connection.data(&path).await), watch: None };
    }
    match connection.watch_data(&path).await {
        Ok((data, stat, watch)) => RecordReply { name, reading: Some(Ok((data, stat))), watch: Some(watch) },
        Err(error) if *error.kind() == ErrorKind::Denied => {
            // `exists` needs no rights. Its watch fires when the znode is replaced by one that we may read.
            let Ok((Some(_), watch)) = connection.watch_exists(&path).await else {
                return RecordReply { name, reading: reading(Err(error)), watch: None };
            };
            // Read again: the znode may have become readable, and been written, before the watch was set.
            RecordReply { name, reading: reading(connection.data(&path).await), watch: Some(watch) }
        }
        Err(error) => RecordReply { name, reading: reading(Err(error)), watch: None },
    }
}
