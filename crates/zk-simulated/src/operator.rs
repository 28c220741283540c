use std::fmt::{self, Display};
use std::sync::Arc;

use zk_core::{ErrorKind, SessionId, Stat, ZnodePath};
use zk_embedded::machine::ConnectionId;
use zk_wire::{Acl, CreateKind, Request};

use crate::shared::Shared;
use crate::wire::{self, Results};

/// Somebody else who changes znodes: a foreign writer, or a hand. What it does is done when the call returns, and
/// clients learn it in their own time. It has a session of its own, which ends only by [`end`](Self::end) or
/// [`expire`](Self::expire), and is authenticated by the scheme `digest`. When the ensemble comes back with data that do
/// not know that session, it has another one; while it has none yet because the ensemble is away, the id is 0.
///
/// # Errors
/// Every method fails as the request does, and with [`ErrorKind::NotConnected`] while the ensemble is away.
///
/// # Panics
/// If a path is none.
pub struct Operator {
    shared: Arc<Shared>,
    connection: ConnectionId,
}

impl Operator {
    pub(crate) fn new(shared: Arc<Shared>, connection: ConnectionId) -> Self {
        Self { shared, connection }
    }

    /// Its session, which owns its ephemeral znodes.
    pub fn session(&self) -> SessionId {
        let session = self.shared.with(|world, _| world.operator_session(self.connection));
        session.expect("it had one from the beginning")
    }

    /// Creates a persistent znode, and its parents where they are missing.
    pub fn create(&self, path: impl Display, data: impl AsRef<[u8]>) -> Result<Stat, ErrorKind> {
        self.create_as(path, data, 0)
    }

    /// Creates an ephemeral znode, and its parents where they are missing.
    pub fn create_ephemeral(&self, path: impl Display, data: impl AsRef<[u8]>) -> Result<Stat, ErrorKind> {
        self.create_as(path, data, 1)
    }

    fn create_as(&self, path: impl Display, data: impl AsRef<[u8]>, flags: i32) -> Result<Stat, ErrorKind> {
        let path = parse(path);
        if let Some(parent) = path.parent().filter(|parent| !parent.is_root())
            && self.stat(&parent).is_none()
        {
            self.create(&parent, "")?;
        }
        self.ask(create(&path, data.as_ref(), flags))?;
        self.stat(&path).ok_or(ErrorKind::NoNode)
    }

    /// Deletes a znode of whatever version.
    pub fn delete(&self, path: impl Display) -> Result<(), ErrorKind> {
        wire::nothing(self.ask(Request::Delete { path: parse(path).to_string(), version: -1 })?)
    }

    /// Writes a znode of whatever version.
    pub fn set_data(&self, path: impl Display, data: impl AsRef<[u8]>) -> Result<Stat, ErrorKind> {
        wire::stat(self.ask(set_data(&parse(path), data.as_ref()))?)
    }

    /// Writes and deletes a znode in one transaction: a leave that is told.
    pub fn write_and_delete(&self, path: impl Display, data: impl AsRef<[u8]>) -> Result<(), ErrorKind> {
        let path = parse(path);
        let delete = Request::Delete { path: path.to_string(), version: -1 };
        let operations = vec![set_data(&path, data.as_ref()), delete];
        wire::nothing(self.ask(Request::Multi { operations })?)
    }

    /// Replaces a znode by an ephemeral one of this session, in one transaction.
    pub fn take_over(&self, path: impl Display, data: impl AsRef<[u8]>) -> Result<(), ErrorKind> {
        let path = parse(path);
        let delete = Request::Delete { path: path.to_string(), version: -1 };
        let operations = vec![delete, create(&path, data.as_ref(), 1)];
        wire::nothing(self.ask(Request::Multi { operations })?)
    }

    /// Changes the rights on a znode. [`Acl::creator`] are the rights of operators.
    pub fn set_acl(&self, path: impl Display, acl: impl Into<Vec<Acl>>) -> Result<(), ErrorKind> {
        let path = parse(path).to_string();
        wire::nothing(self.ask(Request::SetAcl { path, acl: Some(acl.into()), version: -1 })?)
    }

    /// The data of a znode, if it exists and may be read.
    pub fn data(&self, path: impl Display) -> Option<Vec<u8>> {
        let read = Request::GetData { path: parse(path).to_string(), watch: false };
        Some(wire::data(self.look(read)).ok()?.0)
    }

    /// The names of the children of a znode, sorted; none if it does not exist or may not be read.
    pub fn children(&self, path: impl Display) -> Vec<String> {
        let list = Request::GetChildren2 { path: parse(path).to_string(), watch: false };
        let mut names = wire::children(self.look(list)).map(|(names, _)| names).unwrap_or_default();
        names.sort();
        names
    }

    /// The stat of a znode, if it exists.
    pub fn stat(&self, path: impl Display) -> Option<Stat> {
        let look = Request::Exists { path: parse(path).to_string(), watch: false };
        wire::stat(self.look(look)).ok()
    }

    /// Closes its session: its ephemeral znodes are gone. While the ensemble is away it cannot, and the session expires
    /// later.
    pub fn end(self) {
        self.shared.with(|world, now| world.end_operator(self.connection, now));
    }

    /// Ends its session as the ensemble ends one that is silent.
    pub fn expire(self) {
        let session = self.session();
        self.shared.with(|world, now| world.expire(session, now));
    }

    fn ask(&self, request: Request) -> Result<Results, ErrorKind> {
        let results = self.shared.with(|world, now| world.operate(self.connection, request, now))?;
        wire::last(results.clone()).map(|_| results)
    }

    fn look(&self, request: Request) -> Results {
        let results = self.shared.with(|world, now| world.look(self.connection, request, now));
        results.unwrap_or_default()
    }
}

impl fmt::Debug for Operator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Operator").field("connection", &self.connection).finish()
    }
}

fn parse(path: impl Display) -> ZnodePath {
    match ZnodePath::parse(&path.to_string()) {
        Ok(path) => path,
        Err(error) => panic!("{error}"),
    }
}

fn create(path: &ZnodePath, data: &[u8], flags: i32) -> Request {
    let (kind, data, acl) = (CreateKind::Create, Some(data.to_vec()), Some(vec![Acl::open()]));
    Request::Create { kind, path: path.to_string(), data, acl, flags, ttl: -1 }
}

fn set_data(path: &ZnodePath, data: &[u8]) -> Request {
    Request::SetData { path: path.to_string(), data: Some(data.to_vec()), version: -1 }
}
