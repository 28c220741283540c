//! What has happened, for tests to look at and for two runs to be compared.

use std::fmt;
use std::time::Duration;

use zk_core::{ErrorKind, ZnodePath};

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

#[derive(Debug)]
enum Entry {
    Request(Request),
    Note(Duration, String),
}

/// Everything that has happened, in order.
#[derive(Debug, Default)]
pub(crate) struct Log(Vec<Entry>);

impl Log {
    pub(crate) fn request(&mut self, request: Request) {
        self.0.push(Entry::Request(request));
    }

    pub(crate) fn note(&mut self, at: Duration, text: String) {
        self.0.push(Entry::Note(at, text));
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
            Entry::Note(at, text) => format!("{:>8} ms  {text}", at.as_millis()),
        });
        lines.collect()
    }
}
