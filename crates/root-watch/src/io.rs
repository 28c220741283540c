//! What comes into the machine, and what it asks for.

use std::time::Duration;

use std::fmt;

use zk_core::{Error, Event, Reading, Stat};

use crate::update::{Update, Watched};

/// The children of the root and its stat; `None` if it does not exist.
pub(crate) type Children = Option<(Vec<String>, Stat)>;

/// What has happened.
#[derive(Debug)]
pub(crate) enum Input {
    /// There is a connection.
    Connected {
        /// The number of its session.
        epoch: u64,
        /// The timeout of its session.
        timeout: Duration,
        /// Its server is said to have recursive watches.
        recursive: bool,
    },
    /// The connection has ended, and every event of it has been passed.
    Ended,
    /// The link is closed for good.
    Closed,
    /// The recursive watch, or one that fires once, has ended on a connection that lives.
    WatchEnded,
    /// An event of the recursive watch.
    Event(Received),
    /// The watch on the list has fired.
    ListFired,
    /// The watch on a record has fired.
    RecordFired { name: String, deleted: bool },
    /// The reply to [`Effect::Sync`].
    Synced(Result<(), Error>),
    /// The replies to [`Effect::Watch`].
    WatchSet { watch: Result<(), Error>, sync: Result<(), Error>, stat: Result<Option<Stat>, Error> },
    /// The reply to [`Effect::Stat`] or [`Effect::ReadRoot`].
    Stat(Result<Option<Stat>, Error>),
    /// The reply to [`Effect::List`] or [`Effect::WatchedList`].
    Listed(Result<Children, Error>),
    /// The reply to [`Effect::Read`] or [`Effect::WatchedRead`].
    Read { ticket: u64, records: Vec<Record> },
    /// The user wishes the root to be followed, or not.
    SetFollowed(bool),
    /// The user wishes to read records.
    Wanted { ticket: u64, names: Vec<String> },
    /// The user has found that an event was lost.
    Distrust,
    /// The deadline has come.
    Due,
}

/// A record, and whether it is watched now.
#[derive(Debug)]
pub(crate) struct Record {
    pub(crate) name: String,
    /// `None` if no reply came.
    pub(crate) reading: Option<Reading>,
    /// A watch was set with this reading.
    pub(crate) watched: bool,
}

/// An event of the recursive watch.
pub(crate) struct Received(pub(crate) Event);

impl fmt::Debug for Received {
    // Without the moment, which differs from run to run.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Event { kind, path, zxid, .. } = &self.0;
        write!(f, "{kind:?} {path}")?;
        zxid.map_or(Ok(()), |zxid| write!(f, " {zxid}"))
    }
}

/// What is to be done, in this order.
#[derive(Debug)]
pub(crate) enum Effect {
    /// Send a sync.
    Sync,
    /// Send a recursive watch, a sync and a stat of the root, all at once.
    Watch,
    /// Send a stat of the root, which needs no right to read it.
    Stat,
    /// Read the root for its stat, which needs that right.
    ReadRoot,
    /// List the children.
    List,
    /// List the children, and watch the list; before that, if it is the first list of the connection, send a sync.
    WatchedList { sync: bool },
    /// Read records with one request.
    Read { ticket: u64, names: Vec<String> },
    /// Read records with a request each, and watch those that are not watched yet.
    WatchedRead { ticket: u64, names: Vec<(String, bool)> },
    /// Drop every watch and every request in flight.
    Clear,
    /// Give out [`Update::Live`] with the connection.
    Live { watched: Watched, whole: bool },
    /// Give out an update.
    Report(Update),
}
