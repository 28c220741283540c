//! What has happened, for tests to look at and for two runs to be compared.

use std::fmt;
use std::time::Duration;

use zk_core::{ErrorKind, EventKind, SessionId, ZnodePath};
use zk_embedded::machine::ConnectionId;
use zk_wire::OpCode;

use crate::commit::Restart;
use crate::rule::Fault;
use crate::verb::Verb;

/// A request that has arrived at the ensemble.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Request {
    /// When it arrived, since the ensemble began.
    pub at: Duration,
    /// Whose it is.
    pub client: u64,
    /// Its kind.
    pub verb: Verb,
    /// Its znode; the first one of a [`Verb::ReadMany`].
    pub path: ZnodePath,
    /// How many znodes it is about: more than one for a [`Verb::ReadMany`].
    pub znodes: usize,
    /// The data that it writes.
    pub data: Vec<u8>,
    /// The version that it expects.
    pub version: Option<i32>,
    /// What has become of it.
    pub outcome: Outcome,
    /// The fault that has happened to it.
    pub fault: Option<Fault>,
}

/// What has become of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was carried out.
    Done,
    /// It was refused with this error, by the ensemble or by a fault.
    Failed(ErrorKind),
    /// It was not looked at.
    NotSeen,
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "client {} {} {}", self.client, self.verb, self.path)?;
        if self.znodes > 1 {
            write!(f, " and {} more", self.znodes - 1)?;
        }
        if let Some(version) = self.version {
            write!(f, " version {version}")?;
        }
        if !self.data.is_empty() {
            write!(f, " {:?}", String::from_utf8_lossy(&self.data))?;
        }
        match &self.outcome {
            Outcome::Done => f.write_str(": done")?,
            Outcome::Failed(kind) => write!(f, ": {kind}")?,
            Outcome::NotSeen => f.write_str(": not seen")?,
        }
        match &self.fault {
            Some(fault) => write!(f, " [{fault:?}]"),
            None => Ok(()),
        }
    }
}

/// Something else that has happened.
#[derive(Debug)]
pub(crate) enum Note {
    /// `server`: which one, if there are several.
    Connected {
        client: u64,
        connection: ConnectionId,
        session: SessionId,
        server: Option<usize>,
    },
    /// A client has not connected.
    NotConnected {
        client: u64,
        why: &'static str,
    },
    Lost {
        client: u64,
        cause: &'static str,
    },
    HungUp(u64),
    Stalled(u64),
    Resumed(u64),
    Killed(u64),
    Waits {
        client: u64,
        verb: Verb,
        path: ZnodePath,
        fault: Fault,
    },
    Told {
        client: u64,
        kind: EventKind,
        path: ZnodePath,
    },
    NotTold {
        client: u64,
        kind: EventKind,
        path: ZnodePath,
    },
    Operated {
        operator: ConnectionId,
        op_code: OpCode,
        paths: Vec<String>,
    },
    SessionEnded {
        session: i64,
        expired: bool,
    },
    ServerDown(usize),
    ServerUp(usize),
    Leads {
        server: usize,
        zxid: i64,
    },
    Stopped,
    Started {
        with: Restart,
        zxid: i64,
    },
    /// By the user of the ensemble.
    Remark(Remark),
}

/// What somebody else has noted.
pub(crate) struct Remark(pub(crate) Box<dyn fmt::Display + Send>);

impl fmt::Debug for Remark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connected { client, connection, session, server } => {
                write!(f, "client {client} connects: {connection} of {session}")?;
                match server {
                    Some(server) => write!(f, " at zookeeper {server}"),
                    None => Ok(()),
                }
            }
            Self::NotConnected { client, why } => write!(f, "client {client} connects: {why}"),
            Self::Lost { client, cause } => write!(f, "client {client} loses its connection: {cause}"),
            Self::HungUp(client) => write!(f, "client {client} hangs up"),
            Self::Stalled(client) => write!(f, "client {client} is cut off"),
            Self::Resumed(client) => write!(f, "client {client} is no longer cut off"),
            Self::Killed(client) => write!(f, "client {client} is killed"),
            Self::Waits { client, verb, path, fault } => {
                write!(f, "client {client} {verb} {path} waits [{fault:?}]")
            }
            Self::Told { client, kind, path } => write!(f, "client {client} is told: {kind:?} {path}"),
            Self::NotTold { client, kind, path } => {
                write!(f, "client {client} is not told: {kind:?} {path}")
            }
            Self::Operated { operator, op_code, paths } => {
                write!(f, "operator {operator} {op_code} {}", paths.join(" "))
            }
            Self::SessionEnded { session, expired } => {
                let how = if *expired { "expired" } else { "closed" };
                write!(f, "session {session:#x} ends: {how}")
            }
            Self::ServerDown(server) => write!(f, "zookeeper {server} goes down"),
            Self::ServerUp(server) => write!(f, "zookeeper {server} comes back"),
            Self::Leads { server, zxid } => write!(f, "zookeeper {server} leads, from {zxid:#x}"),
            Self::Stopped => f.write_str("the ensemble stops"),
            Self::Started { with, zxid } => write!(f, "the ensemble starts: {with:?}, at {zxid:#x}"),
            Self::Remark(remark) => remark.0.fmt(f),
        }
    }
}

#[derive(Debug)]
enum Entry {
    Request(Request),
    Note(Duration, Note),
}

/// Everything that has happened, in order: values, which are formatted when somebody looks.
#[derive(Debug, Default)]
pub(crate) struct Log(Vec<Entry>);

impl Log {
    pub(crate) fn request(&mut self, request: Request) {
        self.0.push(Entry::Request(request));
    }

    pub(crate) fn note(&mut self, at: Duration, note: Note) {
        self.0.push(Entry::Note(at, note));
    }

    pub(crate) fn requests(&self) -> impl Iterator<Item = &Request> {
        self.0.iter().filter_map(|entry| match entry {
            Entry::Request(request) => Some(request),
            Entry::Note(..) => None,
        })
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        let lines = self.0.iter().map(|entry| match entry {
            Entry::Request(request) => format!("{:>8} ms  {request}", request.at.as_millis()),
            Entry::Note(at, note) => format!("{:>8} ms  {note}", at.as_millis()),
        });
        lines.collect()
    }
}
