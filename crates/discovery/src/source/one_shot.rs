//! Watches that fire once, for servers before ZooKeeper 3.6: one on the list of children, one on every
//! record that is read. The list is read again, and watched again by the same request, when its watch
//! has fired.
//!
//! ```text
//!   Armed ── fired ─▶ Behind ── not too often ─▶ Listing ── answer ─▶ Armed
//!     │                                             │
//!     └── connection ended ─▶ Silent ◀── failed ────┘
//! ```

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use futures_util::future::{BoxFuture, join_all};
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use tokio::time::{Instant, sleep_until};
use zk_core::{Connection, Error, ErrorKind, EventKind, OneShot, ZnodePath};

use super::{Answer, Listing, News, Silence, paths, reading};

/// Lists are at least so far apart: thousands of changes a second cost a hundred lists, each of which
/// tells of all that happened before it.
const BETWEEN_LISTS: Duration = Duration::from_millis(10);

/// Each is a request of its own, and the connection has other users.
pub(super) const MOST_READS: usize = 32;

pub(crate) struct OneShots {
    connection: Connection,
    root: ZnodePath,
    list: List,
    /// No list is asked for before.
    not_before: Instant,
    /// The watches on records: which fired, and how.
    records: FuturesUnordered<BoxFuture<'static, (String, Option<EventKind>)>>,
    /// The records that have a watch.
    armed: BTreeSet<String>,
    /// Deleted since the last list: if the next one has them, they were created again.
    deleted: BTreeSet<String>,
    ready: VecDeque<News>,
}

/// Where we stand with the list. Every variant says what holds while it is in it.
enum List {
    /// It is the one that was told last, and this fires when it is not any more.
    Armed(OneShot),
    /// It has changed.
    Behind,
    /// It has changed, and is being read.
    Listing(BoxFuture<'static, Result<(Listing, OneShot), Error>>),
    /// No word will come.
    Silent(Silence),
}

impl OneShots {
    pub(super) async fn begin(connection: Connection, root: &ZnodePath) -> Result<(Self, Listing), Error> {
        // D7, as for the other source; the list is behind it on the same connection.
        let (synced, listed) =
            tokio::join!(biased; connection.sync(root), watched_list(connection.clone(), root.clone()));
        let (listing, watch) = listed?;
        synced?;
        let source = Self {
            connection,
            root: root.clone(),
            list: List::Armed(watch),
            not_before: Instant::now() + BETWEEN_LISTS,
            records: FuturesUnordered::new(),
            armed: BTreeSet::new(),
            deleted: BTreeSet::new(),
            ready: VecDeque::new(),
        };
        Ok((source, listing))
    }

    /// Watches on records before the list: what happened before a list was answered is told before it.
    pub(super) async fn next(&mut self) -> Result<News, Silence> {
        loop {
            if let Some(news) = self.ready.pop_front() {
                return Ok(news);
            }
            let record = async {
                match self.records.next().await {
                    Some(fired) => fired,
                    None => std::future::pending().await,
                }
            };
            match &mut self.list {
                List::Armed(watch) => tokio::select! {
                    biased;
                    (name, kind) = record => self.record_fired(name, kind),
                    kind = watch.fired() => self.list_fired(kind),
                },
                List::Behind => tokio::select! {
                    biased;
                    (name, kind) = record => self.record_fired(name, kind),
                    () = sleep_until(self.not_before) => {
                        let list = watched_list(self.connection.clone(), self.root.clone());
                        self.list = List::Listing(list.boxed());
                    }
                },
                List::Listing(list) => tokio::select! {
                    biased;
                    (name, kind) = record => self.record_fired(name, kind),
                    listed = list => self.listed(listed),
                },
                List::Silent(silence) => return Err(silence.clone()),
            }
        }
    }

    fn record_fired(&mut self, name: String, kind: Option<EventKind>) {
        match kind {
            // The watch on the list fires as well, and which of the two is seen first is left to chance.
            Some(EventKind::Deleted) => {
                self.armed.remove(&name);
                self.deleted.insert(name);
                if let List::Armed(_) = self.list {
                    self.list = List::Behind;
                }
            }
            Some(_) => {
                self.armed.remove(&name);
                self.ready.push_back(News::Written(name));
            }
            None => self.list = List::Silent(Silence::Overrun),
        }
    }

    fn list_fired(&mut self, kind: Option<EventKind>) {
        self.list = match kind {
            Some(_) => List::Behind,
            None => List::Silent(Silence::Overrun),
        };
    }

    fn listed(&mut self, listed: Result<(Listing, OneShot), Error>) {
        match listed {
            Ok((listing, watch)) => {
                let listing = self.accept(listing, watch);
                self.ready.push_back(News::Listed(listing));
            }
            Err(error) => self.list = List::Silent(Silence::Failed(error)),
        }
    }

    fn accept(&mut self, mut listing: Listing, watch: OneShot) -> Listing {
        self.list = List::Armed(watch);
        self.not_before = Instant::now() + BETWEEN_LISTS;
        if !(self.deleted.is_empty() && self.armed.is_empty()) {
            let listed: BTreeSet<&String> = listing.names.iter().collect();
            self.armed.retain(|name| listed.contains(name));
            self.deleted.retain(|name| listed.contains(name));
        }
        listing.reborn = std::mem::take(&mut self.deleted);
        listing
    }

    pub(super) fn is_behind(&self) -> bool {
        matches!(self.list, List::Behind | List::Listing(_))
    }

    pub(super) async fn list(&mut self) -> Result<Listing, Error> {
        let (listing, watch) = watched_list(self.connection.clone(), self.root.clone()).await?;
        Ok(self.accept(listing, watch))
    }

    /// A request for each. Where a watch stands already, none is set.
    pub(super) fn read(&self, names: Vec<String>) -> BoxFuture<'static, Vec<Answer>> {
        let (names, paths) = paths(&self.root, names);
        let reads: Vec<_> = names
            .into_iter()
            .zip(paths)
            .map(|(name, path)| {
                let armed = self.armed.contains(&name);
                read(self.connection.clone(), name, path, armed)
            })
            .collect();
        join_all(reads).boxed()
    }

    pub(super) fn keep(&mut self, name: &str, mut watch: OneShot) {
        let name = name.to_owned();
        self.armed.insert(name.clone());
        self.records.push(async move { (name, watch.fired().await) }.boxed());
    }
}

/// Lists, with a watch that fires when the answer does not hold any more.
async fn watched_list(connection: Connection, root: ZnodePath) -> Result<(Listing, OneShot), Error> {
    loop {
        match connection.watch_children(&root).await {
            Ok((names, stat, watch)) => return Ok((Listing::new(names, &stat), watch)),
            Err(error) if *error.kind() == ErrorKind::NoNode => {}
            Err(error) => return Err(error),
        }
        // No parent of it need exist, either. Where it was born in between, there is a list after all.
        if let (None, watch) = connection.watch_exists(&root).await? {
            return Ok((Listing::absent(), watch));
        }
    }
}

async fn read(connection: Connection, name: String, path: ZnodePath, armed: bool) -> Answer {
    if armed {
        return Answer { name, reading: reading(connection.data(&path).await), watch: None };
    }
    match connection.watch_data(&path).await {
        Ok((data, stat, watch)) => Answer { name, reading: Some(Ok((data, stat))), watch: Some(watch) },
        Err(error) if *error.kind() == ErrorKind::Denied => {
            // Looking needs no rights: another znode of the name, which we may read, is not missed.
            let Ok((Some(_), watch)) = connection.watch_exists(&path).await else {
                return Answer { name, reading: reading(Err(error)), watch: None };
            };
            // Nor is one that was opened and written before this watch was there.
            Answer { name, reading: reading(connection.data(&path).await), watch: Some(watch) }
        }
        Err(error) => Answer { name, reading: reading(Err(error)), watch: None },
    }
}
