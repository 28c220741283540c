//! The source of updates about a root's children: a recursive watch or one-shot watches, chosen for each
//! connection by what its server supports. The watcher uses both alike.

use std::collections::BTreeSet;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use zk_core::{Connection, Error, ErrorKind, ListVersion, OneShot, Reading, Stat, ZnodePath};

mod one_shot;
mod recursive;

use one_shot::OneShots;
use recursive::Recursive;

/// A change below the root, by the child's name. The name need not be an instance.
#[derive(Debug)]
pub(crate) enum Update {
    Created(String),
    Deleted(String),
    /// The child's data was written.
    Written(String),
    /// The list has changed; this is the new one.
    Listed(Listing),
}

/// The children of the root at one moment.
#[derive(Debug)]
pub(crate) struct Listing {
    pub(crate) names: Vec<String>,
    pub(crate) version: ListVersion,
    /// The names that were deleted since the list before, and created again.
    pub(crate) recreated: BTreeSet<String>,
}

impl Listing {
    fn new(names: Vec<String>, stat: &Stat) -> Self {
        Self { names, version: ListVersion::of(Some(stat)), recreated: BTreeSet::new() }
    }

    /// The list of a root that does not exist.
    pub(crate) fn absent() -> Self {
        Self { names: Vec::new(), version: ListVersion::Absent, recreated: BTreeSet::new() }
    }
}

/// What is known about the root when a source starts.
pub(crate) enum Baseline {
    /// The list version: the list is to be read only if the version differs from the last one.
    Version(ListVersion),
    /// The list itself: one-shot watches cannot be set without it.
    Listed(Listing),
}

/// A source has ended: start a new one.
#[derive(Clone, Debug)]
pub(crate) enum SourceError {
    /// The watch has ended: more events came than the queue holds, or the connection is ending.
    WatchLost,
    /// A request failed.
    Failed(Error),
}

/// The reply for one record.
pub(crate) struct RecordReply {
    pub(crate) name: String,
    /// `None` if no reply came.
    pub(crate) reading: Option<Reading>,
    /// With one-shot watches, the watch on the next change of the record: to be [kept](Source::keep_watch).
    pub(crate) watch: Option<OneShot>,
}

/// Updates about a root's children for as long as the connection lasts.
pub(crate) enum Source {
    Recursive(Recursive),
    OneShot(OneShots),
}

impl Source {
    /// Watches a root. The baseline is not older than the watch. All requests are sent at once.
    pub(crate) async fn start(connection: Connection, root: &ZnodePath) -> Result<(Self, Baseline), Error> {
        if connection.has_recursive_watches() {
            match Recursive::start(connection.clone(), root).await {
                Ok((source, version)) => return Ok((Self::Recursive(source), Baseline::Version(version))),
                // The server refuses recursive watches, and would refuse them again.
                Err(error) if error.kind().is_refusal() => {}
                Err(error) => return Err(error),
            }
        }
        let (source, listing) = OneShots::start(connection, root).await?;
        Ok((Self::OneShot(source), Baseline::Listed(listing)))
    }

    /// Waits for the next update.
    ///
    /// No update is lost if the future is dropped.
    pub(crate) async fn next(&mut self) -> Result<Update, SourceError> {
        match self {
            Self::Recursive(source) => source.next().await,
            Self::OneShot(source) => source.next().await,
        }
    }

    /// Returns an update that has arrived already. When the reply to a request has arrived, so have the updates from
    /// before that reply, or [`is_behind`](Self::is_behind) returns true.
    pub(crate) fn try_next(&mut self) -> Option<Update> {
        match self {
            Self::Recursive(source) => source.try_next(),
            // Outside of the task's budget, which would hide an update that has arrived.
            Self::OneShot(source) => tokio::task::unconstrained(source.next()).now_or_never()?.ok(),
        }
    }

    /// Returns whether the list is known to have changed, and the new list has not arrived yet.
    pub(crate) fn is_behind(&self) -> bool {
        match self {
            Self::Recursive(_) => false,
            Self::OneShot(source) => source.is_behind(),
        }
    }

    /// Lists the children now.
    pub(crate) async fn list(&mut self) -> Result<Listing, Error> {
        match self {
            Self::Recursive(source) => source.list().await,
            Self::OneShot(source) => source.list().await,
        }
    }

    /// Returns how many records one [`read`](Self::read) may ask for.
    pub(crate) fn max_batch(&self) -> usize {
        match self {
            Self::Recursive(_) => recursive::MAX_BATCH,
            Self::OneShot(_) => one_shot::MAX_BATCH,
        }
    }

    /// Reads records, and watches them, so that their next changes will be updates. The request is sent when the
    /// future is first polled.
    pub(crate) fn read(&self, names: Vec<String>) -> BoxFuture<'static, Vec<RecordReply>> {
        match self {
            Self::Recursive(source) => source.read(names),
            Self::OneShot(source) => source.read(names),
        }
    }

    /// Keeps the watch that came with a record.
    pub(crate) fn keep_watch(&mut self, name: &str, watch: OneShot) {
        if let Self::OneShot(source) = self {
            source.keep_watch(name, watch);
        }
    }
}

/// Returns the names with their paths. ZooKeeper lists only valid names; any other is left out.
fn paths(root: &ZnodePath, names: Vec<String>) -> (Vec<String>, Vec<ZnodePath>) {
    names.into_iter().filter_map(|name| root.join(&name).ok().map(|path| (name, path))).unzip()
}

/// Returns the outcome of a read of one znode, unless the read is to be repeated.
fn reading(result: Result<(Vec<u8>, Stat), Error>) -> Option<Reading> {
    match result {
        Ok(record) => Some(Ok(record)),
        Err(error) if matches!(error.kind(), ErrorKind::NoNode | ErrorKind::Denied) => {
            Some(Err(error.kind().clone()))
        }
        Err(_) => None,
    }
}
