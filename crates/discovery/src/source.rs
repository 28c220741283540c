//! Where news of a root's children come from. One of two, chosen for each connection by what its server
//! can do; whoever follows cannot tell which.

use std::collections::BTreeSet;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use zk_core::{Connection, Error, ErrorKind, ListVersion, OneShot, Reading, Stat, ZnodePath};

mod one_shot;
mod recursive;

use one_shot::OneShots;
use recursive::Recursive;

/// What happened below the root. Names that are no instances are among them.
#[derive(Debug)]
pub(crate) enum News {
    Created(String),
    Deleted(String),
    /// Its data was written.
    Written(String),
    /// The list has changed, and this is the new one.
    Listed(Listing),
}

/// The children of the root at one moment.
#[derive(Debug)]
pub(crate) struct Listing {
    pub(crate) names: Vec<String>,
    pub(crate) version: ListVersion,
    /// Those among the names that were deleted since the list before, and created again.
    pub(crate) reborn: BTreeSet<String>,
}

impl Listing {
    fn new(names: Vec<String>, stat: &Stat) -> Self {
        Self { names, version: ListVersion::of(Some(stat)), reborn: BTreeSet::new() }
    }

    /// There is no root.
    pub(crate) fn absent() -> Self {
        Self { names: Vec::new(), version: ListVersion::Absent, reborn: BTreeSet::new() }
    }
}

/// What is known of the root when a source begins.
pub(crate) enum Start {
    /// Its version: there is a list to be read if that has moved.
    Version(ListVersion),
    /// The list, which could not be avoided.
    Listed(Listing),
}

/// A source tells nothing any more: begin anew.
#[derive(Clone, Debug)]
pub(crate) enum Silence {
    /// The connection is about to be known as ended, or more happened than could wait.
    Overrun,
    /// It cannot go on.
    Failed(Error),
}

/// What reading one record led to.
pub(crate) struct Answer {
    pub(crate) name: String,
    /// `None` if no answer came.
    pub(crate) reading: Option<Reading>,
    /// Tells of its next change, where nothing else does: to be [kept](Source::keep).
    pub(crate) watch: Option<OneShot>,
}

/// News of a root's children for as long as the connection lasts.
pub(crate) enum Source {
    Recursive(Recursive),
    OneShot(OneShots),
}

impl Source {
    /// Watches a root; what is known of it is as new as the watch. All that is asked is on its way at once.
    pub(crate) async fn begin(connection: Connection, root: &ZnodePath) -> Result<(Self, Start), Error> {
        if connection.has_recursive_watches() {
            match Recursive::begin(connection.clone(), root).await {
                Ok((source, version)) => return Ok((Self::Recursive(source), Start::Version(version))),
                // It would say so again and again.
                Err(error) if error.kind().is_refusal() => {}
                Err(error) => return Err(error),
            }
        }
        let (source, listing) = OneShots::begin(connection, root).await?;
        Ok((Self::OneShot(source), Start::Listed(listing)))
    }

    /// The next piece of news.
    ///
    /// No news is lost if the future is dropped.
    pub(crate) async fn next(&mut self) -> Result<News, Silence> {
        match self {
            Self::Recursive(source) => source.next().await,
            Self::OneShot(source) => source.next().await,
        }
    }

    /// News that is there already. What happened before a request of the connection was answered is there
    /// when the answer is, or [`is_behind`](Self::is_behind) tells.
    pub(crate) fn try_next(&mut self) -> Option<News> {
        match self {
            Self::Recursive(source) => source.try_next(),
            // Outside of the task's budget: what is there must not look as if it were not.
            Self::OneShot(source) => tokio::task::unconstrained(source.next()).now_or_never()?.ok(),
        }
    }

    /// Whether it is known that the list has changed, and not yet to what.
    pub(crate) fn is_behind(&self) -> bool {
        match self {
            Self::Recursive(_) => false,
            Self::OneShot(source) => source.is_behind(),
        }
    }

    /// Lists the children now, whatever the news said.
    pub(crate) async fn list(&mut self) -> Result<Listing, Error> {
        match self {
            Self::Recursive(source) => source.list().await,
            Self::OneShot(source) => source.list().await,
        }
    }

    /// How many records one [`read`](Self::read) may ask for.
    pub(crate) fn most_reads(&self) -> usize {
        match self {
            Self::Recursive(_) => recursive::MOST_READS,
            Self::OneShot(_) => one_shot::MOST_READS,
        }
    }

    /// Reads records, and sees to it that their next changes will be news. The request is sent when the
    /// future is first polled.
    pub(crate) fn read(&self, names: Vec<String>) -> BoxFuture<'static, Vec<Answer>> {
        match self {
            Self::Recursive(source) => source.read(names),
            Self::OneShot(source) => source.read(names),
        }
    }

    /// Keeps the watch that came with a record.
    pub(crate) fn keep(&mut self, name: &str, watch: OneShot) {
        if let Self::OneShot(source) = self {
            source.keep(name, watch);
        }
    }
}

/// The names together with their paths. What ZooKeeper lists is always a name; anything else is left out.
fn paths(root: &ZnodePath, names: Vec<String>) -> (Vec<String>, Vec<ZnodePath>) {
    names.into_iter().filter_map(|name| root.join(&name).ok().map(|path| (name, path))).unzip()
}

/// What a read of one znode led to, if it is an answer to go by.
fn reading(result: Result<(Vec<u8>, Stat), Error>) -> Option<Reading> {
    match result {
        Ok(record) => Some(Ok(record)),
        Err(error) if matches!(error.kind(), ErrorKind::NoNode | ErrorKind::Denied) => {
            Some(Err(error.kind().clone()))
        }
        Err(_) => None,
    }
}
